"""HTTP/1.1 on the wire, read strictly: the actors trust nothing and forgive nothing."""

import json
import re
import socket

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d) ([^\r\n\0]*)\r\n\Z")
REQUEST_LINE = re.compile(rb"([A-Z]+) ([\x21-\x7e]+) HTTP/1\.([01])\r\n\Z")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(;[^\r\n]*)?\r\n\Z")
HEAD_LIMIT = 256 * 1024


class Malformed(AssertionError):
    """The other side broke the rules of HTTP."""


class Truncated(AssertionError):
    """The message ended before its framing said so. `partial` is what came, `reset` says how."""

    def __init__(self, text, partial=None, reset=False):
        super().__init__(text)
        self.partial = partial
        self.reset = reset


class Fields(list):
    """Field lines in their order, as (name, value) pairs; names compare in any case."""

    def get(self, name, default=None):
        return next((v for n, v in self if n.lower() == name.lower()), default)

    def all(self, name):
        return [v for n, v in self if n.lower() == name.lower()]

    def names(self):
        return [n for n, _ in self]

    def __contains__(self, name):
        return self.get(name) is not None


class Message:
    """A request or a response as it came."""

    def __init__(self):
        self.head = b""
        self.version = "1.1"
        self.fields = Fields()
        self.body = b""
        self.length = 0
        self.framing = "none"
        self.trailers = Fields()

    @property
    def text(self):
        return self.body.decode("utf-8")

    def json(self):
        return json.loads(self.body)


class Request(Message):
    """A request as a server received it."""

    method = target = ""

    def __repr__(self):
        return f"<{self.method} {self.target} {list(self.fields)} {self.body[:200]!r}>"


class Response(Message):
    """A response as a client received it."""

    status, reason = 0, ""

    def problem(self):
        """The members of a problem+json answer of bearerd's own."""
        assert self.fields.get("Content-Type") == "application/problem+json", repr(self)
        assert "Proxy-Status" in self.fields, repr(self)
        problem = self.json()
        assert problem["status"] == self.status
        return problem

    def __repr__(self):
        return f"<{self.status} {self.reason} {list(self.fields)} {self.body[:400]!r}>"


class Stream:
    """A socket with a buffer; remembers every byte it received while `record` is on."""

    def __init__(self, sock, timeout=20.0, record=False):
        self.sock = sock
        self.sock.settimeout(timeout)
        self.buffer = bytearray()
        self.ended = False
        self.reset = False
        self.received = bytearray() if record else None

    def fill(self, size=256 * 1024):
        """Reads once; False at the end of the connection, however it ended."""
        if self.ended:
            return False
        try:
            data = self.sock.recv(size)
        except (ConnectionResetError, BrokenPipeError):
            self.reset = True
            data = b""
        except socket.timeout:
            raise
        except OSError as error:  # ssl.SSLError: an end without close_notify
            self.reset = True
            self.tls_error = error
            data = b""
        if not data:
            self.ended = True
            return False
        if self.received is not None:
            self.received += data
        self.buffer += data
        return True

    def take(self, count):
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def line(self, limit=HEAD_LIMIT):
        """One line with its LF; b"" at a clean end before its first byte."""
        start = 0
        while True:
            at = self.buffer.find(b"\n", start)
            if at >= 0:
                return self.take(at + 1)
            start = len(self.buffer)
            if start > limit:
                raise Malformed(f"a line longer than {limit} bytes")
            if not self.fill():
                if self.buffer:
                    raise Truncated(f"ended inside a line: {bytes(self.buffer)!r}",
                                    reset=self.reset)
                return b""

    def pieces(self, count):
        """Yields exactly count bytes in pieces as they come."""
        while count:
            if not self.buffer and not self.fill():
                raise Truncated(f"{count} bytes of the body are missing", reset=self.reset)
            data = self.take(min(count, len(self.buffer)))
            count -= len(data)
            yield data

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def reset_now(self):
        """Closes with RST."""
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        except OSError:
            pass
        self.close()


def parse_fields(stream, message):
    """Reads field lines up to the empty one into message.fields."""
    fields = Fields()
    while True:
        line = stream.line()
        message.head += line
        if len(message.head) > HEAD_LIMIT:
            raise Malformed("the head is too long")
        if line == b"\r\n":
            return fields
        if not line:
            raise Truncated("ended inside the head", message, stream.reset)
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
            raise Malformed(f"stray CR, LF or NUL in field line {line!r}")
        name, colon, value = line[:-2].decode("latin-1").partition(":")
        if not colon or not TOKEN.match(name):
            raise Malformed(f"not a field line: {line!r}")
        fields.append((name, value.strip(" \t")))


def framing_of(message):
    """('chunked', None), ('length', n) or (None, None), refusing every ambiguity."""
    codings, lengths = message.fields.all("Transfer-Encoding"), message.fields.all("Content-Length")
    if codings and lengths:
        raise Malformed(f"both Transfer-Encoding and Content-Length: {message.head!r}")
    if codings:
        if codings != ["chunked"]:
            raise Malformed(f"Transfer-Encoding: {codings}")
        return "chunked", None
    if lengths:
        if len(lengths) != 1 or not lengths[0].isdigit():
            raise Malformed(f"Content-Length: {lengths}")
        return "length", int(lengths[0])
    return None, None


def chunks(stream, message):
    """Yields the data of a chunked body and keeps its trailers."""
    while True:
        line = stream.line()
        if not line:
            raise Truncated("ended where a chunk was due", message, stream.reset)
        match = CHUNK_LINE.match(line)
        if not match:
            raise Malformed(f"not a chunk line: {line!r}")
        size = int(match[1], 16)
        if size == 0:
            head = message.head
            message.trailers = parse_fields(stream, message)
            message.head = head
            return
        yield from stream.pieces(size)
        if stream.line() != b"\r\n":
            raise Malformed("no CR LF after a chunk")


def read_body(stream, message, body, sink=None):
    """Collects the body pieces into message.body, or hands each to sink."""
    collected = [] if sink is None else None
    try:
        for piece in body:
            message.length += len(piece)
            if sink is None:
                collected.append(piece)
            else:
                sink(piece)
    except Truncated as error:
        message.body = b"".join(collected or [])
        error.partial = message
        raise
    message.body = b"".join(collected or [])


def read_request_head(stream):
    """The next request's head, or None at a clean end of the connection."""
    line = stream.line()
    if not line:
        return None
    match = REQUEST_LINE.match(line)
    if not match:
        raise Malformed(f"not a request line: {line!r}")
    request = Request()
    request.head = line
    request.method, request.target = match[1].decode(), match[2].decode()
    request.version = "1." + match[3].decode()
    request.fields = parse_fields(stream, request)
    if len(request.fields.all("Host")) != 1:
        raise Malformed(f"Host: {request.fields.all('Host')}")
    return request


def read_request_body(stream, request, sink=None):
    """The body of a request whose head was read."""
    framing, length = framing_of(request)
    request.framing = framing or "none"
    if framing == "chunked":
        read_body(stream, request, chunks(stream, request), sink)
    elif length:
        read_body(stream, request, stream.pieces(length), sink)
    return request


def until_end(stream, message):
    """Yields a body whose end is the end of the connection; a reset is a truncation."""
    while stream.buffer or stream.fill():
        yield stream.take(len(stream.buffer))
    if stream.reset:
        raise Truncated("reset where the end of the connection ends the body", message, True)


def read_response_head(stream):
    """Status line and fields."""
    response = Response()
    line = stream.line()
    if not line:
        raise Truncated("no answer at all", response, stream.reset)
    match = STATUS_LINE.match(line)
    if not match:
        raise Malformed(f"not a status line: {line!r}")
    response.head = line
    response.version = "1." + match[1].decode()
    response.status, response.reason = int(match[2]), match[3].decode("latin-1")
    response.fields = parse_fields(stream, response)
    return response


def read_response(stream, method="GET", sink=None):
    """A whole answer, body by its framing. Interim answers are returned like any other."""
    response = read_response_head(stream)
    framing, length = framing_of(response)
    if response.status < 200 or response.status == 204:
        if framing:
            raise Malformed(f"{framing} in a {response.status}: {response.head!r}")
        return response
    if method == "HEAD" or response.status == 304:
        return response
    response.framing = framing or "close"
    if framing == "chunked":
        body = chunks(stream, response)
    elif framing == "length":
        body = stream.pieces(length)
    else:
        body = until_end(stream, response)
    read_body(stream, response, body, sink)
    return response
