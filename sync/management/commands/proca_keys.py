"""Keys that open what Proca encrypts: which are there, a new pair, more from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from sync.management.one_line import OneLineCommand, failure, usage
from sync.management.outfile import whole_file
from sync.proca.encryption import BadKeyStore, KeyStore
from sync.proca.keyfile import KeyEntry, joined, read_entries, to_text

_DOINGS = ("list", "generate", "import")


class Command(OneLineCommand):
    """`proca_keys list|generate|import FILE`."""

    help = (
        "Lists the keys of PROCA_KEYS, makes a new pair, or adds those of a file (a key store of Proca's tools, or "
        "keys as its API answers). Private halves are printed nowhere. Keys are never taken away: old messages need "
        "them."
    )
    # None of this needs the database.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what to do."""
        parser.add_argument("what", choices=_DOINGS, metavar="list|generate|import")
        parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="what to import")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do it."""
        if (options["what"] == "import") != (options["file"] is not None):
            raise usage("import takes a FILE, list and generate take none")
        setting = settings.PROCA_KEYS.strip()
        if options["what"] == "list":
            self._list(_known(setting))
        elif options["what"] == "generate":
            self._generate(_store_file(setting))
        else:
            self._import(_store_file(setting), options["file"])

    def _list(self, entries: list[KeyEntry]) -> None:
        self.stdout.write("public\tprivate\texpires\tname")
        for number, entry in enumerate(entries, 1):
            # Where the halves do not fit, somebody may have swapped them.
            public = f"(key {number})" if entry.private and not entry.fits else entry.public
            private = "yes" if entry.fits else "missing" if entry.private is None else "does not fit"
            self.stdout.write("\t".join((public, private, _expiry(entry), _plain(entry.name))))
        if unusable := sum(not entry.fits for entry in entries):
            raise failure(
                f"PROCA_KEYS: {unusable} of {len(entries)} keys cannot open anything, and none can be used so"
            )

    def _generate(self, path: Path) -> None:
        known = _entries(path, "PROCA_KEYS") if path.exists() else []
        (new,) = read_entries(KeyStore.generate().to_text())
        _write(path, [*known, new])
        self.stdout.write(new.public)
        self.stderr.write(
            "Give this public key to Proca, and keep a copy of the file: without it nobody reads what comes."
        )

    def _import(self, path: Path, source: Path) -> None:
        known = _entries(path, "PROCA_KEYS") if path.exists() else []
        added = _entries(source, "FILE")
        for number, entry in enumerate(added, 1):
            if not entry.fits:
                raise failure(f"key {number} of the file has no private half that belongs to it; nothing is imported")
        every = joined(known, added)
        _write(path, every)
        self.stdout.write(f"{len(every) - len(known)} new, {len(every)} in all")
        self.tell("Messages that waited for a key: manage.py quarantine retry --all")


def _known(setting: str) -> list[KeyEntry]:
    if not setting:
        return []
    return _read(setting, "PROCA_KEYS") if setting.startswith("{") else _entries(Path(setting), "PROCA_KEYS")


def _store_file(setting: str) -> Path:
    if not setting:
        raise usage("PROCA_KEYS is not set: make it the path of a file for the keys")
    if setting.startswith("{"):
        raise usage("PROCA_KEYS holds the keys themselves: make it the path of a file to add to them")
    return Path(setting)


def _entries(path: Path, what: str) -> list[KeyEntry]:
    # The path stays out of errors: it may be a key pasted by mistake.
    try:
        return _read(path.read_text(encoding="utf-8"), what)
    except OSError as error:
        raise usage(f"{what}: the file cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise usage(f"{what}: the file is not UTF-8 text") from None


def _read(text: str, what: str) -> list[KeyEntry]:
    try:
        return read_entries(text)
    except BadKeyStore as bad:
        raise usage(f"{what}: {bad}") from None


def _write(path: Path, entries: list[KeyEntry]) -> None:
    with whole_file(path) as file:
        file.write(to_text(entries))


def _expiry(entry: KeyEntry) -> str:
    return entry.expired_at or ("expired" if entry.expired else "-")


def _plain(name: str | None) -> str:
    return " ".join((name or "-").split())
