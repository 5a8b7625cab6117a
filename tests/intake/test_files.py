"""Files of every form give the messages that stand in them, to the byte, and lose none."""

import gzip
import io
import json
import os
import sys
import threading
import time
import tracemalloc
from typing import Any

import pytest

from sync.intake.dump import Dump
from sync.intake.files import FileSource, NoReader, Unreadable, bodies, files_of
from sync.intake.sources import Raw
from tests.servers import wait_until

ONE = b'{"n": 19933688932870350000, "x": 1.50}'
TWO = b'{"n":2}'
SPREAD = b'{\n  "n": 1,\n  "list": [\n    1\n  ]\n}'


def all_of(path, **more) -> Any:
    files = files_of([str(path)], org=more.get("org", 7), fallback=None)
    return [body for file in files for body in bodies(file)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ONE, [ONE]),
        (ONE + b"\n", [ONE]),
        (SPREAD, [SPREAD]),
        (SPREAD + b"\n", [SPREAD]),
        (ONE + b"\n" + TWO + b"\n", [ONE, TWO]),
        (ONE + b"\r\n\r\n" + TWO, [ONE, TWO]),
        (b"\xef\xbb\xbf" + ONE + b"\n" + TWO, [ONE, TWO]),
        (b"\n\n" + ONE, [ONE]),
        (b"[" + ONE + b", " + TWO + b"]", [ONE, TWO]),
        (b"[\n  " + ONE + b",\n  " + SPREAD + b"\n]\n", [ONE, SPREAD]),
        (b"[]", []),
        (b"", []),
        (b"\n \n", []),
        # Bad lines are messages too, wherever they stand.
        (ONE + b"\n{bad\n" + TWO, [ONE, b"{bad", TWO]),
        (b"{bad\n" + ONE + b"\n" + TWO, [b"{bad", ONE, TWO]),
        (b"{bad\n{worse\n" + TWO, [b"{bad", b"{worse", TWO]),
        (b"hello", [b"hello"]),
        (b"\xff\xfe", [b"\xff\xfe"]),
        (b"[" * 100_000, None),
        (b'[{"n": 1}, {"n": 2', None),
        (b'["a", 1, null]', [b'"a"', b"1", b"null"]),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_what_stands_in_a_file(tmp_path, content, expected, zipped):
    path = tmp_path / ("file.json.gz" if zipped else "file.json")
    path.write_bytes(gzip.compress(content) if zipped else content)

    if expected is None:
        with pytest.raises(Unreadable, match="array"):
            all_of(path)
    else:
        assert all_of(path) == expected


def test_a_folder_is_read_with_everything_in_it_in_order(tmp_path):
    for name in ("b/2.ndjson", "a/1.json", "c.jsonl.gz", "a/3.JSON", "a/readme.txt", "d.json.bak"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        body = json.dumps({"from": name}).encode()
        path.write_bytes(gzip.compress(body) if name.endswith("gz") else body)

    found = [json.loads(body)["from"] for body in all_of(tmp_path)]

    assert found == ["a/1.json", "a/3.JSON", "b/2.ndjson", "c.jsonl.gz"]


def test_a_gz_cut_short_gives_what_it_has_and_one_line(tmp_path):
    path = tmp_path / "file.ndjson.gz"
    whole = gzip.compress(
        b"\n".join(b'{"n": %d, "r": "%s"}' % (n, os.urandom(50).hex().encode()) for n in range(20_000))
    )
    path.write_bytes(whole[: len(whole) // 2])
    source = FileSource(files_of([str(path)], org=7, fallback=None), 1_000, 0.1)
    taken: list[Raw] = []
    while not source.finished:
        if batch := source.next(0.1, 10**6):
            taken += batch.raws

    assert 1_000 < len(taken) < 20_000
    assert all(json.loads(raw.body) for raw in taken)
    assert source.troubles == [f"{path}: cut short or damaged (gzip); what was read of it was taken"]


def test_a_bad_file_among_good_ones_is_named_and_the_rest_is_read(tmp_path):
    (tmp_path / "1.json").write_bytes(ONE)
    (tmp_path / "2.json.gz").write_bytes(b"no gzip")
    (tmp_path / "3.json").write_bytes(TWO)
    source = FileSource(files_of([str(tmp_path)], org=7, fallback=None), 10, 0.1)

    batch: Any = wait_until(lambda: source.next(0.1, 10), "a batch", 5)
    wait_until(lambda: source.finished, "the end", 5)

    assert [raw.body for raw in batch.raws] == [ONE, TWO]
    assert len(source.troubles) == 1


def test_one_message_a_line_takes_no_memory(tmp_path):
    path = tmp_path / "large.ndjson"
    line = b'{"n": 1, "text": "' + b"x" * 1_000 + b'"}\n'
    with path.open("wb") as file:
        file.writelines(line for _ in range(50_000))
    (file,) = files_of([str(path)], org=7, fallback=None)

    tracemalloc.start()
    count = sum(1 for _ in bodies(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 50_000
    assert peak < 1_000_000


def test_the_reader_ahead_stays_two_batches_ahead(tmp_path):
    path = tmp_path / "many.ndjson"
    path.write_bytes(b'{"n": 1}\n' * 1_000)
    source = FileSource(files_of([str(path)], org=7, fallback=None), 10, 0.1)
    time.sleep(0.2)

    assert len(source._buffer) == 20
    source.close()


# --- Who reads it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "org", "fallback", "reader"),
    [
        ("any", 5, 9, 5),
        ("any", None, 9, 9),
        ("cus.7.deliver", None, 9, 7),
        ("cus.7.deliver", None, None, 7),
        ("cus.7.confirm.supporter", None, None, 7),
        ("cus.7.deliver", 5, 9, 5),
        ("system.deliver", None, 9, None),
    ],
)
def test_who_reads_a_file(tmp_path, monkeypatch, folder, org, fallback, reader):
    path = tmp_path / folder / "20261125T065000.000000Z-00000001.json"
    path.parent.mkdir()
    path.write_bytes(ONE)
    monkeypatch.chdir(path.parent)

    for given in (path, path.parent, tmp_path, path.name, "."):
        assert [file.reader for file in files_of([str(given)], org=org, fallback=fallback)] == [reader]


def test_nobody_to_read_for(tmp_path):
    (tmp_path / "1.json").write_bytes(ONE)

    with pytest.raises(NoReader):
        files_of([str(tmp_path)], org=None, fallback=None)


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        files_of([str(tmp_path / "gone.json")], org=7, fallback=None)


# --- Dumps -------------------------------------------------------------------------------------------------

ODD_BODIES = [ONE, b"", b"{bad", b'{"a": 1}\n{"b": 2}', b"[1, 2]", b"\xff\x00\n", SPREAD, b"x" * 2_000_000]


@pytest.mark.parametrize(("queue", "org"), [("cus.7.deliver", None), ("system.deliver", None), ("ours/7", 7)])
def test_what_was_dumped_comes_back_to_the_byte(tmp_path, queue, org):
    Dump(tmp_path / "dump").write(Raw(body=body, queue=queue, reader=7) for body in ODD_BODIES)

    assert all_of(tmp_path / "dump", org=org) == ODD_BODIES


def test_dumped_files_are_for_their_owner_alone(tmp_path):
    old = os.umask(0)
    try:
        Dump(tmp_path / "dump").write([Raw(body=ONE, queue="../odd/name", reader=7)])
    finally:
        os.umask(old)

    (folder,) = (tmp_path / "dump").iterdir()
    (file,) = folder.iterdir()
    assert folder.parent == tmp_path / "dump"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600


def test_two_workers_never_write_the_same_file(tmp_path):
    dumps = [Dump(tmp_path) for _ in range(4)]
    threads = [
        threading.Thread(target=dump.write, args=([Raw(body=ONE, queue="q", reader=7)] * 200,)) for dump in dumps
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(list((tmp_path / "q").iterdir())) == 800


# --- A pipe ------------------------------------------------------------------------------------------------


def test_lines_of_a_pipe_are_taken_as_they_come(monkeypatch):
    read, write = os.pipe()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(os.fdopen(read, "rb")))
    source = FileSource(files_of(["-"], org=7, fallback=None), 100, 0.1)
    try:
        assert source.next(0.2, 100) is None

        for line in (ONE, TWO):
            os.write(write, line + b"\n")
            batch: Any = wait_until(lambda: source.next(0.2, 100), "a batch", 5)
            assert [raw.body for raw in batch.raws] == [line]
        assert not source.finished
    finally:
        os.close(write)
    wait_until(lambda: source.finished, "the end", 5)
