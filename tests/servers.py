"""Private PostgreSQL and RabbitMQ for one run: own folders, free ports, loopback only, stopped for certain.

    pytest (controller) ──makes──▶ folder, keeper            keeper: waits at the end of a pipe
    first test that needs one ──▶ shared(...) starts it      (a lock: xdist's workers get the same server)
    controller ends, however ──▶ pipe closes ──▶ keeper stops the servers, removes the folder

A server that nobody asks for is not started. `Postgres(folder)` and `RabbitMQ(folder)` also work alone,
for benchmarks, and for tests that stop the server on purpose.
"""

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

FOLDER = "PROCA_TEST_SERVERS"
DURABLE = "PROCA_TEST_DURABLE"
#: What the server's certificate is for.
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"
INSTALL = "apt-get install postgresql rabbitmq-server openssl"
PATIENCE = 120.0

T = TypeVar("T")


class CannotStart(RuntimeError):
    """A server is not there or does not come up; the text says what to do."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """Asks again and again until the answer is true, and returns it."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise CannotStart(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.03)
    return answer


def alive(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody has buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


class Server:
    """What both servers have in common: a folder, a user to run as, a process and its end."""

    name: str
    user: str
    quick_stop: signal.Signals

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / self.name
        self.state_file = folder / f"{self.name}.json"
        self.state: dict[str, Any] = json.loads(self.state_file.read_text()) if self.state_file.exists() else {}

    def up(self) -> None:
        """Starts it, the first time making everything it needs."""
        if not self.state:
            self.home.mkdir()
            self._owned(self.home)
            self.state = self._install()
        process = self._spawn(self._command(), self._environment(), self.home / "output.log")
        self.state["pid"] = process.pid
        self._remember()
        try:
            wait_until(lambda: self._ready(process), f"{self.name} (see {self.home}/*.log)")
        except CannotStart:
            self.down()
            raise

    def down(self, patience: float = 20) -> None:
        """Stops it; whatever of its process group still lives after a while is killed."""
        pid = self.state.get("pid")
        if not pid:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, self.quick_stop)
        with contextlib.suppress(CannotStart):
            wait_until(lambda: not alive(pid), f"the end of {self.name}", patience)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        # A child of ours must be buried, or it stays as a zombie until this process ends.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        self.state["pid"] = None
        self._remember()

    def kill(self) -> None:
        """Ends it as a power cut would."""
        os.killpg(self.state["pid"], signal.SIGKILL)
        self.down()

    def log(self) -> str:
        """The end of what it wrote, for the error message."""
        files = sorted(self.home.glob("**/*.log"))
        return "\n".join(file.read_text(errors="replace")[-2000:] for file in files)

    def _install(self) -> dict[str, Any]:
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}

    def _ready(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            raise CannotStart(f"{self.name} ended at once:\n{self.log()}")
        return self._answers()

    def _answers(self) -> bool:
        raise NotImplementedError

    def _remember(self) -> None:
        self.state_file.write_text(json.dumps(self.state))

    def _run_as(self) -> dict[str, Any]:
        """Neither server runs as root, so root drops to the user that the package made for it."""
        if os.geteuid() != 0:
            return {}
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def _owned(self, path: Path) -> Path:
        if run_as := self._run_as():
            os.chown(path, run_as["user"], run_as["group"])
        return path

    def _spawn(self, command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C at the terminal must not reach it: the keeper stops it, after the tests.
                start_new_session=True,
                **self._run_as(),
            )

    def _call(self, command: list[str], **more: Any) -> None:
        done = subprocess.run(
            command,
            cwd=self.home,
            env=self._environment() | more.pop("env", {}),
            capture_output=True,
            text=True,
            check=False,
            **self._run_as(),
            **more,
        )
        if done.returncode:
            raise CannotStart(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


class Postgres(Server):
    """A PostgreSQL cluster. Unless `durable` (benchmarks) it trusts that the machine keeps its power:
    what is committed then survives the death of the server, not that of the machine."""

    name = "postgres"
    user = "postgres"
    quick_stop = signal.SIGINT

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.durable = DURABLE in os.environ

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self.state["port"])

    def url(self, database: str) -> str:
        """For DATABASE_URL."""
        return f"postgres://proca@127.0.0.1:{self.port}/{database}"

    def _install(self) -> dict[str, Any]:
        programs = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
        if not programs:
            raise CannotStart(f"PostgreSQL is not installed: {INSTALL}")
        newest = max(programs, key=lambda path: int(path.parent.name))
        command = [f"{newest}/initdb", "-D", f"{self.home}/data", "-U", "proca", "--auth=trust", "-E", "UTF8"]
        command += ["--locale=C.UTF-8", "--no-sync"]
        if int(newest.parent.name) >= 15:
            # A default collation that sorts by language, as servers out there have: what forgets COLLATE "C"
            # comes out in another order.
            command += ["--locale-provider=icu", "--icu-locale=en-US"]
        self._call(command)
        return {"port": free_port(), "programs": str(newest)}

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "256MB" if self.durable else "64MB",
            "log_min_messages": "warning",
            "fsync": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [f"{self.state['programs']}/postgres", "-D", f"{self.home}/data", *options]

    def _answers(self) -> bool:
        ask = [f"{self.state['programs']}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ask, check=False).returncode == 0


class RabbitMQ(Server):
    """A RabbitMQ node with an administrator, a user who may only read, and TLS."""

    name = "rabbitmq"
    user = "rabbitmq"
    quick_stop = signal.SIGTERM

    admin = ("admin", "admin")
    # A leading $ and signs that a URL must escape: passwords are like that.
    reader = ("reader", "$re@d/er#1")

    @property
    def port(self) -> int:
        """AMQP on 127.0.0.1."""
        return int(self.state["port"])

    @property
    def tls_port(self) -> int:
        """AMQP with TLS on 127.0.0.1; the certificate is for localhost and 127.0.0.1."""
        return int(self.state["tls_port"])

    @property
    def http_port(self) -> int:
        """The management API."""
        return int(self.state["http_port"])

    @property
    def ca_file(self) -> Path:
        """The authority that signed the server's certificate."""
        return self.home / "ca.pem"

    def control(self, *order: str) -> None:
        """`rabbitmqctl`, as the node's own user."""
        self._call([str(Path(self.state["script"]).with_name("rabbitmqctl")), *order])

    def show_certificate(self, *, names: str = NAMES, days: int = 30, authority: str = "ca") -> None:
        """Lets new connections see another certificate; `authority` "server" is nobody but itself."""
        self._certify("server", names, days, authority)
        self.control("eval", "ssl:clear_pem_cache().")

    def down(self, patience: float = 20) -> None:
        """Stops the node, then the port mapper that it left behind."""
        super().down(patience)
        if self.state.get("epmd_port"):
            with contextlib.suppress(CannotStart):
                wait_until(self._mapper_gone, "the end of epmd", 10)

    def _install(self) -> dict[str, Any]:
        # Not the wrapper in /usr/sbin: it changes user and folder by itself.
        scripts = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
        if not scripts or not shutil.which("openssl"):
            raise CannotStart(f"RabbitMQ or openssl is not installed: {INSTALL}")
        ports = {name: free_port() for name in ("port", "tls_port", "http_port", "epmd_port", "dist_port")}
        self._certificates()
        self._write("enabled_plugins", "[rabbitmq_management].\n")
        self._write("rabbitmq-env.conf", "")
        self._write("definitions.json", json.dumps(self._definitions()))
        self._write("rabbitmq.conf", self._configuration(ports))
        return ports | {"script": str(scripts[-1])}

    def _command(self) -> list[str]:
        return [self.state["script"]]

    def _environment(self) -> dict[str, str]:
        home = str(self.home)
        own = {
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{home}/rabbitmq-env.conf",
            "RABBITMQ_MNESIA_BASE": f"{home}/mnesia",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_PID_FILE": f"{home}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_PLUGINS_EXPAND_DIR": f"{home}/plugins",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{home}/config",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # It would spin on both cores while it has nothing to do.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }
        if self.state:
            own["RABBITMQ_NODENAME"] = f"proca{self.state['port']}@localhost"
            own["RABBITMQ_DIST_PORT"] = str(self.state["dist_port"])
            own["ERL_EPMD_PORT"] = str(self.state["epmd_port"])
        return super()._environment() | own

    def _answers(self) -> bool:
        # The greeting of a listener that nobody can log in to yet would come too early.
        return self._greets() and (self.home / "pid").exists()

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as talk:
                talk.settimeout(5)
                talk.sendall(b"AMQP\x00\x00\x09\x01")
                return talk.recv(1) == b"\x01"
        except OSError:
            return False

    def _mapper_gone(self) -> bool:
        # It refuses to go as long as it believes that the node lives, which is a moment longer than the node.
        try:
            self._call(["epmd", "-names"])
        except CannotStart:
            return True
        with contextlib.suppress(CannotStart):
            self._call(["epmd", "-kill"])
        return False

    def _write(self, name: str, text: str) -> None:
        (self.home / name).write_text(text)
        self._owned(self.home / name)

    def _configuration(self, ports: dict[str, int]) -> str:
        home = self.home
        return f"""
listeners.tcp.1 = 127.0.0.1:{ports["port"]}
listeners.ssl.1 = 127.0.0.1:{ports["tls_port"]}
ssl_options.cacertfile = {home}/ca.pem
ssl_options.certfile = {home}/server.pem
ssl_options.keyfile = {home}/server.key
ssl_options.verify = verify_none
management.tcp.ip = 127.0.0.1
management.tcp.port = {ports["http_port"]}
load_definitions = {home}/definitions.json
disk_free_limit.absolute = 50MB
log.file.level = warning
collect_statistics_interval = 1000
"""

    def _definitions(self) -> dict[str, Any]:
        users = [
            {"name": name, "password_hash": _rabbit_hash(password), "tags": tags}
            for (name, password), tags in ((self.admin, "administrator"), (self.reader, ""))
        ]
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        return {
            "users": users,
            "vhosts": [{"name": "/"}],
            "permissions": [{"user": self.admin[0], "vhost": "/"} | everything],
        }

    def _certificates(self) -> None:
        """An authority of our own, and a server certificate signed by it."""
        self._certify("ca", None, 30, "ca")
        self._certify("server", NAMES, 30, "ca")
        # Tests read it as another user than the one who made it.
        self.ca_file.chmod(0o644)

    def _certify(self, name: str, names: str | None, days: int, authority: str) -> None:
        """A key and its certificate. One that is valid for -1 days expired yesterday."""
        key = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        key += ["-keyout", f"{name}.key", "-subj", f"/CN={name}"]
        if names is not None:
            key += ["-addext", names, "-addext", "basicConstraints=critical,CA:FALSE"]
        if authority == name:
            self._call([*key, "-x509", "-days", str(days), "-out", f"{name}.pem"])
            return
        self._call([*key, "-new", "-out", f"{name}.csr"])
        sign = ["openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey"]
        sign += [f"{authority}.key", "-CAcreateserial", "-days", str(days), "-copy_extensions", "copy"]
        self._call([*sign, "-out", f"{name}.pem"])


def _rabbit_hash(password: str) -> str:
    salt = os.urandom(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


KINDS: tuple[type[Server], ...] = (Postgres, RabbitMQ)
S = TypeVar("S", bound=Server)


def shared(kind: type[S]) -> S:
    """The run's server of this kind; the first process that asks starts it, the others wait for it."""
    folder = Path(os.environ[FOLDER])
    with locked(folder / f"{kind.name}.lock"):
        server = kind(folder)
        if not server.state.get("pid"):
            server.up()
        return server


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def new_folder() -> Path:
    """A folder that the servers' users may enter."""
    folder = Path(tempfile.mkdtemp(prefix="proca-crm-"))
    folder.chmod(0o755)
    return folder


@contextlib.contextmanager
def own(kind: type[S]) -> Iterator[S]:
    """A server for one test or one file of them, to be broken at will."""
    folder = new_folder()
    server = kind(folder)
    try:
        server.up()
        yield server
    finally:
        server.down(patience=1)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def folder_of_this_run(**more: str) -> Iterator[Path]:
    """The folder that `shared` uses, and a keeper that cleans up even if this process is killed.

    `more` goes to the environment with it: `**{DURABLE: "yes"}`.
    """
    folder = new_folder()
    keeper = subprocess.Popen(
        [sys.executable, __file__, "keep", str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )
    os.environ.update({FOLDER: str(folder)} | more)
    try:
        yield folder
    finally:
        for name in (FOLDER, *more):
            os.environ.pop(name, None)
        keeper.communicate()


def keep(folder: Path) -> None:
    """Waits until the run is over, that is until the other end of stdin closes; then cleans up."""
    sys.stdin.buffer.read()
    for kind in KINDS:
        # Not locked: who held the lock may have been killed while the server came up.
        # A node takes seconds to say goodbye to nobody; its folder goes with it.
        kind(folder).down(patience=1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _, order, place = sys.argv
    if order != "keep":
        sys.exit("usage: servers.py keep FOLDER")
    keep(Path(place))
