"""The page about the API is true: its examples run as they stand there, and its table of problems is complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from sync.api.problems import KINDS
from tests.api.conftest import anne
from tests.builders import wire
from tests.databases import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```(sh|python|js)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def filled(server, tokens) -> None:
    with server.client(tokens["ingest"]) as client:
        messages = [anne(number, actionId=500 + number) for number in range(1, 130)]
        assert client.post("/api/v1/proca/messages/", content=wire(messages)).status_code == 200


@pytest.mark.parametrize(("language", "text"), [one for one in EXAMPLES if one[0] != "js"])
def test_an_example_runs_as_it_stands_there(language, text, server, tokens, filled, tmp_path):
    about = {"CRM": server.address, "TOKEN": tokens["write"], "INGEST": tokens["ingest"]}
    command = {"sh": ["sh", "-e", "-c", text], "python": [sys.executable, "-c", text]}[language]

    done = subprocess.run(
        command, env=os.environ | about, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


def test_an_example_runs_in_a_browser(server, tokens, filled, chromium):
    page = chromium.new_page()
    page.goto(f"{server.address}/healthz")
    said = []
    page.on("console", lambda message: said.append(message.text) if message.type == "log" else None)

    for _, text in (one for one in EXAMPLES if one[0] == "js"):
        script = f"async ([CRM, TOKEN]) => {{ {text} }}"
        page.evaluate(script, [server.address, tokens["write"]])

    assert said == ["Anne"]


def test_there_are_examples_in_three_languages():
    assert {language for language, _ in EXAMPLES} == {"sh", "python", "js"}


def test_the_table_of_problems_is_the_list():
    told = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", PAGE, re.MULTILINE)

    assert [(kind.name, str(kind.status)) for kind in KINDS] == told
