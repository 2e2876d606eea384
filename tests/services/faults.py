"""A server that plays one fault per test over real sockets, byte by byte, and remembers what it was asked."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

Play = Callable[[socket.socket, "FaultServer"], None]


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FaultServer:
    """Each connection carries one request. `plays` are used in order, the last one for all later requests."""

    plays: list[Play] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def answer(self, *plays: Play | bytes) -> None:
        self.plays = [raw(play) if isinstance(play, bytes) else play for play in plays]

    def close(self) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            request = _read_request(connection)
            if request is None:
                return
            self.requests.append(request)
            play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
            play(connection, self)


def _read_request(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    method, target, _ = first.split(" ")
    return Request(method, target, headers, body)


def response(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """A whole response; header names are written with underscores."""
    given = {"Content-Length": str(len(body)), "Connection": "close"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def raw(data: bytes) -> Play:
    return lambda connection, server: connection.sendall(data)


def hang(connection: socket.socket, server: FaultServer) -> None:
    server.over.wait(10)


def drip(start: bytes) -> Play:
    """`start`, then one byte now and then for ever: each read succeeds, the whole never ends."""

    def play(connection: socket.socket, server: FaultServer) -> None:
        connection.sendall(start)
        while not server.over.wait(0.02):
            connection.sendall(b" ")

    return play


def endless(piece: bytes, start: bytes) -> Play:
    def play(connection: socket.socket, server: FaultServer) -> None:
        connection.sendall(start)
        while not server.over.is_set():
            connection.sendall(piece)

    return play


def reset(connection: socket.socket, server: FaultServer) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
