"""What the consumer is compared with: the bare queue, the SDK of Proca, Django row by row, and COPY alone."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from bench.running import PYTHON, Ran, run, say
from tests.broker import Broker
from tests.databases import ROOT, Database

QUEUE = "cus.7.deliver"
#: What the bare drain acknowledges at once; as the consumer's own batches.
BATCH = 1_000
_SOURCE = ROOT / "bench" / "node"
_INSTALLED = ROOT / ".bench" / "node"
_LISTS = ("package.json", "package-lock.json")


def drain(broker: Broker, database: Database, count: int) -> Ran:
    """Receives, acknowledges, forgets."""
    return run([PYTHON, "-m", "bench.clients.drain", broker.url(), QUEUE, str(count), str(BATCH)])


def consume(broker: Broker, database: Database, count: int, workers: int = 1) -> Ran:
    """The consumer itself."""
    environment = broker.env(QUEUE) | {"DATABASE_URL": database.url}
    command = [PYTHON, "manage.py", "consume_proca", "--drain", "--workers", str(workers), "--no-progress"]
    ran = run(command, environment)
    assert ran.said["stored"] == count, ran.said
    return ran


def upsert(broker: Broker, database: Database, count: int) -> Ran:
    """Pika, and Django's `update_or_create` for each row of each message."""
    command = [PYTHON, "-m", "bench.clients.upsert", broker.url(), QUEUE, str(count)]
    return run(command, {"DATABASE_URL": database.url})


def copy_rows(database: Database, folder: Path) -> Ran:
    """The rows of these files into the same tables, by COPY."""
    return run([PYTHON, "-m", "bench.clients.copy_rows", database.url, str(folder)])


def sdk(broker: Broker, database: Database, count: int, concurrency: int) -> Ran:
    """Proca's own SDK for Node, storing as few statements as there can be."""
    command = ["node", str(_SOURCE / "peer.cjs"), broker.url(), QUEUE, str(count), str(concurrency), database.url]
    return run(command, {"NODE_PATH": str(_INSTALLED / "node_modules"), "NODE_ENV": "production"})


def sdk_is_there() -> bool:
    """Whether the SDK can run; installs it where Node is there, and says in one line what is missing."""
    if missing := [name for name in ("node", "npm") if not shutil.which(name)]:
        say(f"the Node SDK is left out: no {' and no '.join(missing)} here (Debian: apt-get install nodejs npm)")
        return False
    stamp, wanted = _INSTALLED / "installed", _digest()
    if stamp.exists() and stamp.read_text() == wanted:
        return True
    say(f"installing the Node SDK into {_INSTALLED.relative_to(ROOT)}")
    shutil.rmtree(_INSTALLED, ignore_errors=True)
    _INSTALLED.mkdir(parents=True)
    for name in _LISTS:
        shutil.copy(_SOURCE / name, _INSTALLED)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=_INSTALLED, capture_output=True, text=True, check=False)
    if done.returncode:
        say(f"the Node SDK is left out: npm could not install it: {_last_line(done.stderr)}")
        return False
    stamp.write_text(wanted)
    return True


def _digest() -> str:
    return hashlib.sha256(b"".join((_SOURCE / name).read_bytes() for name in _LISTS)).hexdigest()


def _last_line(text: str) -> str:
    said = (line.removeprefix("npm error").strip() for line in text.splitlines() if "A complete log" not in line)
    return next(reversed(list(filter(None, said))), "it does not say why")
