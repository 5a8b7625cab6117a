"""Raw messages in files beside the database: `DIR/QUEUE/<time>-<number>.json`, for their owner alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sync.intake.sources import Raw, SourceFailed

#: How the time in a file's name is written; names sort as the messages came.
_TIME = "%Y%m%dT%H%M%S.%fZ"
_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-\d{8,}\.json(\.gz)?")


def is_dumped(name: str) -> bool:
    """Tell by its name whether a dump wrote this file, so that it holds one message, whatever stands in it."""
    return bool(_NAME.fullmatch(name))


class Dump:
    """A folder that keeps each message in a file of its own, before anything else happens to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0

    def write(self, raws: Iterable[Raw]) -> None:
        """Write messages; raises `SourceFailed` where the disk does not take them."""
        try:
            for raw in raws:
                self._write(raw)
        except OSError as error:
            raise SourceFailed(f"--dump: a file cannot be written ({error.strerror})") from None

    def _write(self, raw: Raw) -> None:
        # A queue's name can hold anything, a slash too.
        folder = self._folder / quote(raw.queue, safe="")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(self._new_file(folder), "wb") as file:
            file.write(raw.body)

    def _new_file(self, folder: Path) -> int:
        """Open a file that nobody else writes, another worker included."""
        while True:
            self._number += 1
            name = f"{datetime.now(UTC).strftime(_TIME)}-{self._number:08}.json"
            try:
                return os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
