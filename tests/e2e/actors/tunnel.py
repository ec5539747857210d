"""An HTTP proxy as companies run them: CONNECT tunnels and absolute targets, every request noted."""

import socket
import threading

from . import wire
from .server import Server


class Tunnel(Server):
    """Carries what it is asked to; `targets` says what that was, as "METHOD target"."""

    name = "tunnel"

    def __init__(self, refuse_with=None):
        self.targets = []
        self.refuse_with = refuse_with
        super().__init__()

    def serve(self, sock, number):
        stream = wire.Stream(sock, timeout=60)
        request = wire.read_request_head(stream)
        if request is None:
            return
        with self.lock:
            self.targets.append(f"{request.method} {request.target}")
        if self.refuse_with:
            sock.sendall(b"HTTP/1.1 %d Refused\r\nContent-Length: 0\r\n\r\n" % self.refuse_with)
            return
        if request.method == "CONNECT":
            host, _, port = request.target.rpartition(":")
            sock.sendall(b"HTTP/1.1 200 Established\r\n\r\n")
            first = b""
        else:
            authority, _, path = request.target.removeprefix("http://").partition("/")
            host, _, port = authority.partition(":")
            first = request.head.replace(request.target.encode(), b"/" + path.encode(), 1)
        with socket.create_connection((host, int(port)), 10) as there:
            there.settimeout(60)
            there.sendall(first + bytes(stream.buffer))
            back = threading.Thread(target=pump, args=(there, sock), daemon=True)
            back.start()
            pump(sock, there)
            back.join(60)


def pump(source, sink):
    """Copies until the end, which it passes on."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
