"""PgBouncer in transaction mode, in front of the run's PostgreSQL: no two transactions need be on the same session."""

import contextlib
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from signal import SIGINT
from typing import Any

from tests.databases import Database
from tests.servers import CannotStart, Postgres, Server, free_port, shared

INSTALL = "apt-get install pgbouncer"
#: Fewer than there are clients, so that they share.
SESSIONS = 2


class PgBouncer(Server):
    """One pooler for one test."""

    name = "pgbouncer"
    user = "postgres"
    quick_stop = SIGINT

    def url(self, database: str) -> str:
        """For DATABASE_URL."""
        return f"postgres://proca@127.0.0.1:{self.state['port']}/{database}"

    def _install(self) -> dict[str, Any]:
        program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
        if program is None:
            raise CannotStart(f"PgBouncer is not installed: {INSTALL}")
        port = free_port()
        (self.home / "users").write_text('"proca" ""\n')
        (self.home / "pgbouncer.ini").write_text(
            f"""
            [databases]
            * = host=127.0.0.1 port={shared(Postgres).port}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = trust
            auth_file = {self.home}/users
            pool_mode = transaction
            default_pool_size = {SESSIONS}
            """.replace("            ", "")
        )
        return {"port": port, "program": program}

    def _command(self) -> list[str]:
        return [self.state["program"], f"{self.home}/pgbouncer.ini"]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.state["port"]), 1):
            return True
        return False


@contextlib.contextmanager
def pooled(database: Database) -> Iterator[Database]:
    """The same database, reached through a pooler of its own."""
    with tempfile.TemporaryDirectory(prefix="proca-crm-pooler-") as folder:
        Path(folder).chmod(0o755)
        pooler = PgBouncer(Path(folder))
        pooler.up()
        try:
            yield Database("postgresql", pooler.url(database.url.rpartition("/")[2]))
        finally:
            pooler.down()
