"""A scriptable OAuth token endpoint that counts, records and can misbehave in every way."""

import base64
import json
import threading
import time
import urllib.parse
from collections import deque

from . import wire
from .canary import Canary
from .server import Server
from .waiting import wait_until

MISSING = object()
GRACE = 0.3  # seconds a request may be under way when its token expires


class TokenRequest:
    """One token request, byte for byte, with the usual ways to look at it."""

    def __init__(self, request, raw):
        self.raw = raw
        self.method, self.target = request.method, request.target
        self.fields, self.body = request.fields, request.body

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        return urllib.parse.parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    @property
    def form(self):
        assert self.fields.get("Content-Type") == "application/x-www-form-urlencoded", self.fields
        return urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True)

    @property
    def json(self):
        assert self.fields.get("Content-Type") == "application/json", self.fields
        return json.loads(self.body)

    @property
    def basic(self):
        """What the Basic credentials decode to, undecoded further; None without them."""
        scheme, _, value = (self.fields.get("Authorization") or "").partition(" ")
        return base64.b64decode(value).decode() if scheme == "Basic" else None

    def __repr__(self):
        return f"<token request {self.raw!r}>"


class Idp(Server):
    """Answers every request with a new token unless a behaviour was queued with then()."""

    name = "idp"

    def __init__(self, canary=None, tls=None, expires_in=3600, refresh_tokens=False):
        self.canary = canary or Canary()
        self.expires_in = expires_in
        self.refresh_tokens = refresh_tokens
        self.requests = []
        self.issued = []
        self.refresh_issued = []
        self.valid = set()
        self.expiry = {}
        self.shape = None
        self.concurrent = self.most_concurrent = 0
        self._queue = deque()
        self._always = None
        self._gate = threading.Event()
        self._gate.set()
        super().__init__(tls)

    # --- what tests ask -------------------------------------------------------------------------

    @property
    def url(self):
        return f"{self.origin}/token"

    @property
    def count(self):
        return len(self.requests)

    @property
    def token(self):
        """The newest token."""
        return self.issued[-1]

    def wait_requests(self, count, timeout=10):
        wait_until(lambda: self.count >= count, f"token request {count} (so far {self.count})",
                   timeout)

    # --- what tests order -----------------------------------------------------------------------

    def then(self, *behaviours):
        """Queues behaviours: each serves one request, then the normal answer follows."""
        self._queue.extend(behaviours)

    def always(self, behaviour):
        """From now on this behaviour serves every request that has none queued; None ends it."""
        self._always = behaviour

    def hold(self):
        """Requests are received and recorded, but answered only after release()."""
        self._gate.clear()

    def release(self):
        self._gate.set()

    def revoke(self, token):
        self.valid.discard(token)

    def revoke_all(self):
        self.valid.clear()

    def accepts(self, token):
        """What an API asks: issued, not revoked, not expired."""
        return token in self.valid and time.monotonic() < self.expiry.get(token, float("inf"))

    # --- behaviours -----------------------------------------------------------------------------

    def ok(self, status=200, **members):
        """The normal answer, some members replaced, or left out with MISSING."""
        def behave(stream, request):
            answer = {**self.new_token(), **members}
            answer = {name: value for name, value in answer.items() if value is not MISSING}
            self.send_json(stream, status, answer)
        return behave

    @staticmethod
    def answer(status, content, content_type="application/json", fields=()):
        """A fixed answer; content is bytes, a text, or something for JSON."""
        body = content.encode() if isinstance(content, str) else content
        if not isinstance(body, bytes):
            body = json.dumps(content).encode()

        def behave(stream, request):
            lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body)}"]
            lines += [f"Content-Type: {content_type}"] if content_type else []
            lines += [f"{name}: {value}" for name, value in fields]
            stream.sock.sendall("\r\n".join(lines + ["", ""]).encode() + body)
        return behave

    @staticmethod
    def raw(*pieces, pause=0.0, close=True):
        """Exactly these bytes, a pause after each piece."""
        def behave(stream, request):
            waiting = threading.Event()
            for piece in pieces:
                stream.sock.sendall(piece)
                waiting.wait(pause)
            return not close
        return behave

    def hang(self):
        """Never answers."""
        def behave(stream, request):
            self.stopping.wait(120)
            return False
        return behave

    def drip(self, prefix, byte=b" ", pause=0.2):
        """Sends the prefix, then one byte after the other for as long as it is taken."""
        def behave(stream, request):
            stream.sock.sendall(prefix)
            while not self.stopping.wait(pause):
                stream.sock.sendall(byte)
            return False
        return behave

    def flood(self, prefix=b"HTTP/1.1 200 OK\r\n\r\n{\"access_token\": \""):
        """Sends the prefix and then bytes without end, as fast as they are taken."""
        def behave(stream, request):
            stream.sock.sendall(prefix)
            while not self.stopping.is_set():
                stream.sock.sendall(b"a" * 65536)
            return False
        return behave

    @staticmethod
    def reset():
        """Closes with RST instead of an answer."""
        def behave(stream, request):
            stream.reset_now()
            return False
        return behave

    # --- the inside -----------------------------------------------------------------------------

    def new_token(self):
        """Issues a token and returns the answer's members."""
        with self.lock:
            token = self.canary.secret(f"access-token-{len(self.issued)}")
            self.issued.append(token)
            self.valid.add(token)
        answer = {"access_token": token, "token_type": "Bearer"}
        if type(self.expires_in) in (int, float) and 0 < self.expires_in < 1e6:
            self.expiry[token] = time.monotonic() + self.expires_in + GRACE
        if self.expires_in is not MISSING:
            answer["expires_in"] = self.expires_in
        if self.refresh_tokens:
            refresh = self.canary.secret(f"refresh-token-{len(self.refresh_issued)}")
            self.refresh_issued.append(refresh)
            answer["refresh_token"] = refresh
        return self.shape(answer) if self.shape else answer

    @staticmethod
    def send_json(stream, status, value):
        body = json.dumps(value).encode()
        stream.sock.sendall(b"HTTP/1.1 %d Scripted\r\nContent-Type: application/json\r\n"
                            b"Cache-Control: no-store\r\nContent-Length: %d\r\n\r\n"
                            % (status, len(body)) + body)

    def serve(self, sock, number):
        stream = wire.Stream(sock, timeout=60, record=True)
        while True:
            del stream.received[:]
            request = wire.read_request_head(stream)
            if request is None:
                return
            wire.read_request_body(stream, request)
            with self.lock:
                self.requests.append(TokenRequest(request, bytes(stream.received)))
                self.concurrent += 1
                self.most_concurrent = max(self.most_concurrent, self.concurrent)
                behave = self._queue.popleft() if self._queue else self._always or self.ok()
            try:
                while not self._gate.wait(0.2):
                    if self.stopping.is_set():
                        return
                if behave(stream, request) is False:
                    return
            finally:
                with self.lock:
                    self.concurrent -= 1
