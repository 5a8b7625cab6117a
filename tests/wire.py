"""A wire between a program and a server that a test can cut, freeze and mend."""

import contextlib
import socket
import threading
import time


class Wire:
    """Forwards connections on `port` to a server on this machine."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.flowing = threading.Event()
        self.flowing.set()
        self.accepting = True
        self.accepted = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends every connection and refuses new ones."""
        self.accepting = False
        for end in self._open:
            _close(end)
        self._open.clear()

    def freeze(self) -> None:
        """Connections stay, and nothing passes any more: a cable pulled out."""
        self.flowing.clear()

    def mend(self) -> None:
        """Everything passes again."""
        self.accepting = True
        self.flowing.set()

    def close(self) -> None:
        """The end of the wire."""
        self.cut()
        self.flowing.set()
        _close(self.listener)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.accepting:
                self._join(client)
            else:
                _close(client)

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.server_port))
        except OSError:
            _close(client)
            return
        self.accepted += 1
        self._open += [client, server]
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while not self.flowing.wait(0.05):
                    time.sleep(0)
                target.sendall(data)
        _close(source)
        _close(target)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
