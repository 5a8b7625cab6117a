"""Logs as text for people or as JSON for machines; the last step blanks what must not stand in a log.

The code is written so that no personal data gets here. This is the net below it: libraries, tracebacks
and database errors quote what they were given.
"""

import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# Up to the last @ before a space: a password may contain : / and @.
URL_LOGIN = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s\"'<>]*@", re.IGNORECASE)
EMAIL = re.compile(r"[^\s@\"'<>()\[\]{},;:=&?/\\]+(?:@|%40)[^\s@\"'<>()\[\]{},;:&/\\]+", re.IGNORECASE)
# PostgreSQL quotes the row: "DETAIL:  Key (email)=(…) already exists."
DETAIL = re.compile(r"(\bDETAIL:|\bCONTEXT:|Failing row contains|Key \([^)]*\)=).*")


def scrub_text(text: str) -> str:
    """The text without anything that looks like an email address, a URL's login or a quoted row."""
    text = DETAIL.sub(r"\1 [hidden]", text)
    text = URL_LOGIN.sub(r"\1[hidden]@", text)
    return EMAIL.sub("[email]", text)


def scrub(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Last processor before the text is made, after tracebacks have become text."""
    return {scrub_text(str(key)): _scrub_value(value) for key, value in event.items()}


def log_settings(form: str, level: str) -> dict[str, Any]:
    """Django's LOGGING: everything through structlog to stderr (stdout belongs to the commands)."""
    shared = _shared_steps()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "scrubbed": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [*_last_steps(), _renderer(form)],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "scrubbed"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # At DEBUG it writes every statement with its values.
            "django.db.backends": {"level": "INFO"},
            # At INFO it tells each step of a connection, at DEBUG each frame with its body.
            "pika": {"level": "WARNING"},
            # At INFO it tells the address of each request, and some CRMs want a person's key in it.
            "httpx2": {"level": "WARNING"},
            "httpcore2": {"level": "WARNING"},
        },
    }


def _shared_steps() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _last_steps() -> list[Processor]:
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        scrub,
    ]


def _renderer(form: str) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def _scrub_value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {scrub_text(str(key)): _scrub_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_scrub_value(inner) for inner in value]
    return scrub_text(str(value))
