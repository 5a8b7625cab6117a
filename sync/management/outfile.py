"""Files that are there when they are whole: written beside, then moved into place, for their owner's eyes only."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from sync.management.one_line import failure, usage


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Open a text file to write; what fails in between leaves neither a part of it nor its predecessor touched."""
    # Through a link: what it points to is replaced, and the link stays.
    target = path.resolve()
    if not target.parent.is_dir():
        raise usage("the folder of the output file does not exist")
    if target.is_dir():
        raise usage("the output file is a folder")
    if target.exists() and not target.is_file():
        # A pipe or a device takes what comes; replacing it would take it away from everybody.
        with target.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        return
    with _beside(target) as file:
        yield file


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[TextIO]:
    # The name is known before the file is there: whenever a stop comes, it is found and removed.
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}")
    try:
        with _made(part) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _made(part: Path) -> TextIO:
    """Make a file that only its owner may read."""
    try:
        return open(part, "x", encoding="utf-8", newline="", opener=lambda path, flags: os.open(path, flags, 0o600))
    except OSError as error:
        raise failure(f"the output file cannot be made ({error.strerror})") from None
