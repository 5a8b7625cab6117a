"""The house rules as functions: source text in, complaints out. What they are for stands beside the tests."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ROOT / "sync"

LONGEST_FUNCTION = 60
LONGEST_FILE = 400

# Tables that the one door writes; see "Who writes which table" in the design.
OWNED_BY_STORE = frozenset(
    [
        "Action",
        "ActionPage",
        "Campaign",
        "Consent",
        "Contact",
        "FormerSupporter",
        "Installation",
        "IntakeCount",
        "Link",
        "Mark",
        "Erasure",
        "Notice",
        "Org",
        "QuarantinedMessage",
        "SharedEmail",
        "Subscription",
        "Supporter",
        "Voice",
        "WaitingEntries",
    ]
)
OWNED_BY_CHANGES = frozenset({"Change"})
OWNED_BY_PUSH = frozenset({"Delivery", "Destination", "DestinationState", "Reported"})
OWNED_BY_ACCESS = frozenset({"Attempts", "AuditEntry", "Token"})
WRITES = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "a")
    for name in (
        [
            "create",
            "bulk_create",
            "update",
            "bulk_update",
            "delete",
            "get_or_create",
            "update_or_create",
            "save",
            "_raw_delete",
        ]
    )
)
SQL_WRITE = re.compile(r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE|COPY)\s+\"?sync_(\w+)", re.IGNORECASE)

CLOCKS = frozenset(
    [
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "time.time",
        "time.time_ns",
        "time.monotonic",
        "time.monotonic_ns",
        "time.perf_counter",
        "time.localtime",
        "time.gmtime",
        "timezone.now",
        "timezone.localtime",
    ]
)

LOG_METHODS = frozenset(["debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log", "msg"])
LOGGERS = re.compile(r"(^|_)log(ger)?$|^logging$", re.IGNORECASE)
PERSONAL = frozenset(
    [
        "email",
        "emails",
        "address",
        "contact",
        "contacts",
        "contact_ref",
        "contact_refs",
        "first_name",
        "last_name",
        "phone",
        "birth_date",
        "street",
        "street_number",
        "postcode",
        "personal_info",
        "custom_fields",
        "payload",
        "body",
        "password",
        "secret",
        "token",
        "key",
        "url",
    ]
)


def python_files(*, below: Path = ROOMS, migrations: bool = False) -> Iterator[Path]:
    """Our own source files."""
    for path in sorted(below.rglob("*.py")):
        if migrations or "migrations" not in path.parts:
            yield path


def long_functions(source: str) -> list[str]:
    """Functions that do not fit on a screen."""
    return [
        f"{node.name} has {lines_of(node)} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines_of(node) > LONGEST_FUNCTION
    ]


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, decorators not counted."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def long_file(source: str) -> list[str]:
    """A file that needs a table of contents."""
    length = source.count("\n")
    return [f"{length} lines"] if length > LONGEST_FILE else []


def clocks(source: str) -> list[str]:
    """Calls that ask what time it is."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            asked = ".".join(ast.unparse(node.func).split(".")[-2:])
            if asked in CLOCKS:
                found.append(f"line {node.lineno}: {asked}")
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            found.append(f"line {node.lineno}: from time import")
    return found


def leftovers(source: str) -> list[str]:
    """Work that somebody wanted to do later."""
    # Spelt in halves, so that this file does not find itself.
    wanted = re.compile(r"#.*\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
    return [f"line {n}: {line.strip()}" for n, line in enumerate(source.splitlines(), 1) if wanted.search(line)]


def foreign_writes(source: str, owned: frozenset[str]) -> list[str]:
    """Writes to tables that another room owns: by the ORM, or in SQL."""
    tables = {name.lower() for name in owned}
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
            names = {inner.id for inner in ast.walk(node.func.value) if isinstance(inner, ast.Name)}
            found += [f"line {node.lineno}: {name}….{node.func.attr}()" for name in sorted(names & owned)]
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            written = {match[1].lower() for match in SQL_WRITE.finditer(node.value)}
            found += [f"line {node.lineno}: SQL writes {table}" for table in sorted(written & tables)]
    return found


def told_values(source: str) -> list[str]:
    """Personal values or secrets in the text of an exception or in a log call."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            parts = [inner for inner in ast.walk(node.exc) if isinstance(inner, ast.FormattedValue)]
            found += _personal(parts, node.lineno, "raise")
        elif _is_log_call(node):
            assert isinstance(node, ast.Call)
            told = [*node.args, *(keyword.value for keyword in node.keywords)]
            found += _personal(told, node.lineno, "log")
    return found


def undocumented_room(path: Path) -> list[str]:
    """A room whose `__init__.py` does not say what it is for."""
    first = path / "__init__.py"
    if not first.exists():
        return ["no __init__.py"]
    return [] if ast.get_docstring(ast.parse(first.read_text())) else ["no docstring in __init__.py"]


def rooms() -> list[Path]:
    """The packages of `sync`."""
    return [path.parent for path in sorted(ROOMS.glob("*/__init__.py")) if path.parent.name != "migrations"]


def _is_log_call(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    speaker = ast.unparse(node.func.value).split(".")[-1].split("(")[0]
    return node.func.attr in LOG_METHODS and bool(LOGGERS.search(speaker))


def _personal(parts: list[ast.expr], line: int, where: str) -> list[str]:
    names = {
        inner.id if isinstance(inner, ast.Name) else inner.attr
        for part in parts
        for inner in ast.walk(part)
        if isinstance(inner, ast.Name | ast.Attribute)
    }
    return [f"line {line}: {where} tells {name}" for name in sorted(names & PERSONAL)]
