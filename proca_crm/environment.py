"""Reads settings from the environment or a `.env` file, and says in one line what is wrong with them.

No message from here ever contains a value: many of them are secrets.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import environ
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

TRUE = frozenset({"true", "yes", "on", "1"})
FALSE = frozenset({"false", "no", "off", "0"})

LINE = re.compile(r"(export )?[A-Za-z_0-9]+=.*")


class Misconfigured(ImproperlyConfigured):
    """A setting is missing or malformed; the text names it and says what to do."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        super().__init__(f"{name}: {problem}")


class Environment(environ.Env):
    """django-environ that takes every value literally and keeps it to itself.

    The original reads `$abc` as "the value of abc" and prints what it could not find, which for a
    password is the password.
    An empty value is no value. What comes from the `.env` file is not copied to `os.environ`, where
    child processes and debug pages would see it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ENVIRON = dict(os.environ)

    def read_file(self, path: Path) -> None:
        """Adds the settings of a `.env` file; what the environment says already wins."""
        if not path.exists():
            return
        for number, line in enumerate(_lines(path), start=1):
            if line and not line.startswith("#") and not LINE.fullmatch(line):
                raise Misconfigured(path.name, f"line {number} is not NAME=value")
        given, self.ENVIRON = self.ENVIRON, {}
        # A classmethod at the origin: it writes to the ENVIRON of the class, so it gets a class of its own.
        reader: Any = type("File", (environ.Env,), {"ENVIRON": self.ENVIRON})
        reader.read_env(path)
        self.ENVIRON.update(given)

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        """The value as it stands there, cast; the default when there is none."""
        value = self.ENVIRON.get(var, "")
        if value != "":
            return value if cast in (None, str) else self.parse_value(value, cast)
        if default is self.NOTSET:
            raise Misconfigured(var, "is not set; put it in the environment or in .env (./run demo makes one)")
        return default

    def parsed(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """The value through `parse`, which raises ValueError with a text that quotes nothing."""
        text = self.get_value(name, default="")
        if text == "":
            return default
        try:
            return parse(text)
        except Misconfigured:
            raise
        except ValueError as error:
            raise Misconfigured(name, str(error)) from None

    def switch(self, name: str, default: bool) -> bool:
        """true or false; a misspelt one is an error, not false."""
        return self.parsed(name, _switch, default)

    def number(self, name: str, default: int, least: int) -> int:
        """A whole number, not below `least`."""
        return self.parsed(name, lambda text: whole_number(text, least), default)

    def one_of(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of a few words."""
        return self.parsed(name, lambda text: _one_of(text, allowed), default)

    def words(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A comma separated list without empty places."""
        return self.parsed(name, comma_separated, default)

    def secrets(self, name: str) -> list[str]:
        """One or several secrets, comma separated; at least one must be there."""
        self.get_value(name)
        return list(self.words(name))


def whole_number(text: str, least: int) -> int:
    """A whole number, not below `least`."""
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()) or int(text) < least:
        raise ValueError(f"must be a whole number, at least {least}")
    return int(text)


def comma_separated(text: str) -> tuple[str, ...]:
    """`a, b` as a tuple; an empty place is an error, since it hides a typing mistake."""
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts):
        raise ValueError("has an empty place between its commas")
    return parts


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Misconfigured(path.name, f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise Misconfigured(path.name, "is not UTF-8 text") from None


def _switch(text: str) -> bool:
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise ValueError("must be true or false")
    return word in TRUE


def _one_of(text: str, allowed: tuple[str, ...]) -> str:
    word = text.strip()
    if word not in allowed:
        raise ValueError(f"must be one of {', '.join(allowed)}")
    return word
