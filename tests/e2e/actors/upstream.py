"""The API behind the proxy: raw and scripted, or a convenient echo."""

import hashlib
import json
import queue
import socket
import threading
import urllib.parse
import zlib

from . import wire
from .server import Server
from .waiting import wait_until

BLOCK = bytes(range(256)) * 4096  # 1 MiB
PAUSE = 0.02


class Peer:
    """One connection of a raw upstream, in the hands of its script."""

    def __init__(self, upstream, sock, number):
        self.upstream, self.number = upstream, number
        self.stream = wire.Stream(sock, timeout=30, record=True)
        self.requests = []

    @property
    def received(self):
        """Every byte that came on this connection."""
        return bytes(self.stream.received)

    def read_request(self):
        """The next whole request, or None when the proxy closed the connection."""
        request = self.read_head()
        if request is not None:
            self.read_body(request)
        return request

    def read_head(self):
        request = wire.read_request_head(self.stream)
        if request is not None:
            self.requests.append(request)
            with self.upstream.lock:
                self.upstream.requests.append(request)
        return request

    def read_body(self, request):
        wire.read_request_body(self.stream, request)

    def send(self, data):
        self.stream.sock.sendall(data)

    def send_pieces(self, *pieces, pause=PAUSE):
        """Sends each piece in a segment of its own."""
        for piece in pieces:
            self.send(piece)
            threading.Event().wait(pause)

    def cut(self):
        """Ends the connection with FIN."""
        self.stream.close()

    def reset(self):
        """Ends the connection with RST."""
        self.stream.reset_now()

    def half_close(self):
        self.stream.sock.shutdown(socket.SHUT_WR)

    def wait(self, event, timeout=20):
        """Waits for a threading.Event of the test."""
        assert event.wait(timeout), "the test never gave the sign"

    def stall(self):
        """Does nothing more until the proxy leaves or the test ends."""
        self.wait_closed(60)

    def wait_closed(self, timeout=20):
        """Waits until the proxy closes its side; what came before is kept in received."""
        self.stream.sock.settimeout(timeout)
        while self.stream.fill():
            pass
        self.upstream.left.append(self.number)


def replying(*answers):
    """A script that answers one request after the other on a connection, the last for ever."""
    def script(peer):
        number = 0
        while peer.read_request() is not None:
            peer.send(answers[min(number, len(answers) - 1)])
            number += 1
    return script


def refusing_the_first_token(idp, refusal):
    """A script for any number of connections: a replay may leave a spare one behind."""
    def script(peer):
        while (request := peer.read_request()) is not None:
            old = request.fields.get("Authorization") == f"Bearer {idp.issued[0]}"
            peer.send(refusal if old else Upstream.OK)
    return script


class Upstream(Server):
    """Raw: connection n is served by the nth script, further ones by the last."""

    name = "upstream"
    OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    def __init__(self, *scripts, tls=None):
        self.scripts = list(scripts) or [replying(self.OK)]
        self.peers = []
        self.requests = []
        self.left = []
        self.truncated = 0
        super().__init__(tls)

    def serve(self, sock, number):
        peer = Peer(self, sock, number)
        with self.lock:
            self.peers.append(peer)
            script = self.scripts[min(number, len(self.scripts) - 1)]
        try:
            script(peer)
        except wire.Truncated:  # a client that left; scripts that care catch it themselves
            self.truncated += 1

    def wait_requests(self, count, timeout=10):
        wait_until(lambda: len(self.requests) >= count, f"upstream request {count}", timeout)


class EchoApi(Server):
    """An API that tells what it received, checks tokens if it knows the Idp, and streams.

    /status/NNN   that status, with the echo as its body
    /stream/N     N bytes; ?chunked=1 for chunks
    /sink         digests what is uploaded and returns length and crc32
    /events       server-sent events: those given to push_event()
    anything else the echo
    """

    name = "api"

    def __init__(self, idp=None, tls=None, address="127.0.0.1", port=0):
        self.idp = idp
        self.requests = []
        self.rejected = self.truncated = 0
        self.events = queue.Queue()
        self.extra_fields = []
        super().__init__(tls, address=address, port=port)

    def push_event(self, text):
        """Sends one event to the listener of /events; None ends the answer."""
        self.events.put(text)

    def serve(self, sock, number):
        stream = wire.Stream(sock, timeout=60)
        count = 0
        while True:
            request = wire.read_request_head(stream)
            if request is None:
                return
            request.connection, request.ordinal = number, count
            count += 1
            if request.fields.get("Expect") == "100-continue":
                sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.handle(stream, request)

    def handle(self, stream, request):
        path, _, query = request.target.partition("?")
        digest = Digest()
        sinking = path.endswith("/sink")
        try:
            wire.read_request_body(stream, request, digest if sinking else None)
        except wire.Truncated:
            self.truncated += 1  # a client that left; it never becomes a request
            raise ConnectionError from None
        with self.lock:
            self.requests.append(request)
        if not self.token_accepted(request):
            with self.lock:
                self.rejected += 1
            self.send(stream, request, 401, b'{"error":"invalid_token"}',
                      [("WWW-Authenticate", 'Bearer error="invalid_token"')])
        elif sinking:
            self.send(stream, request, 200, json.dumps(digest.result()).encode())
        elif "/stream/" in path:
            self.stream_bytes(stream, int(path.rpartition("/")[2]), "chunked" in query)
        elif path.endswith("/events"):
            self.stream_events(stream)
        else:
            status = int(path.rpartition("/")[2]) if "/status/" in path else 200
            self.send(stream, request, status, json.dumps(self.echo(request)).encode(),
                      self.extra_fields)

    def token_accepted(self, request):
        if self.idp is None:
            return True
        scheme, _, token = (request.fields.get("Authorization") or "").partition(" ")
        return scheme == "Bearer" and self.idp.accepts(token)

    @staticmethod
    def echo(request):
        return {
            "method": request.method,
            "target": request.target,
            "query": urllib.parse.parse_qsl(request.target.partition("?")[2]),
            "fields": list(request.fields),
            "framing": request.framing,
            "length": len(request.body),
            "sha256": hashlib.sha256(request.body).hexdigest(),
            "connection": request.connection,
            "ordinal": request.ordinal,
        }

    @staticmethod
    def send(stream, request, status, body, fields=()):
        lines = [f"HTTP/1.1 {status} Echo", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in fields]
        bodiless = status in (204, 304) or request.method == "HEAD"
        if status != 204:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines + ["", ""]).encode("latin-1")
        stream.sock.sendall(head if bodiless else head + body)

    @staticmethod
    def stream_bytes(stream, count, chunked):
        sock = stream.sock
        if chunked:
            sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        else:
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % count)
        while count:
            block = BLOCK[:count]
            count -= len(block)
            sock.sendall(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
        if chunked:
            sock.sendall(b"0\r\n\r\n")

    def stream_events(self, stream):
        sock = stream.sock
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n")
        while (event := self.events.get(timeout=60)) is not None:
            data = b"data: %b\n\n" % event.encode()
            sock.sendall(b"%x\r\n%b\r\n" % (len(data), data))
        sock.sendall(b"0\r\n\r\n")


class Digest:
    """Counts and checksums a stream of bytes without keeping it."""

    def __init__(self):
        self.length = self.crc = 0

    def __call__(self, piece):
        self.length += len(piece)
        self.crc = zlib.crc32(piece, self.crc)

    def result(self):
        return {"length": self.length, "crc32": self.crc}


def generated(count):
    """Yields the same count bytes that /stream/N sends."""
    while count:
        block = BLOCK[:count]
        count -= len(block)
        yield block


def generated_digest(count):
    """What a Digest of generated(count) gives."""
    digest = Digest()
    for block in generated(count):
        digest(block)
    return digest.result()
