"""What becomes of exact bytes, section by section of RFC 9112 and RFC 9110.

Each row is one connection: what is sent, which statuses come back in which order, whether the
connection stays open afterwards, and what reached the upstream (target, and body where there is
one). A request that is refused reaches nobody, and nothing behind it is read as a request.
"""

import pytest
from actors import Truncated, section

H = b"Host: 127.0.0.1\r\n"
GET = b"GET /x HTTP/1.1\r\n" + H
POST = b"POST /x HTTP/1.1\r\n" + H
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\n" + H + b"\r\n"
KEEP, CLOSE = "stays open", "is closed"

# (name, bytes, statuses, what becomes of the connection, what the upstream got)
PASSES = {
    "9112 2.2 message parsing": [
        ("empty lines first", b"\r\n\r\n" + GET + b"\r\n", [200], KEEP, ["/x"]),
        ("an empty line between", GET + b"\r\n\r\n" + GET + b"\r\n",
         [200, 200], KEEP, ["/x", "/x"]),
    ],
    "9112 3.1 method": [
        ("an unknown one", b"BREW /x HTTP/1.1\r\n" + H + b"\r\n", [200], KEEP, ["/x"]),
        ("a long one", b"A" * 64 + b" /x HTTP/1.1\r\n" + H + b"\r\n", [200], KEEP, ["/x"]),
    ],
    "9112 3.2.1 origin form": [
        ("a query", b"GET /x?a=/../%zz&b HTTP/1.1\r\n" + H + b"\r\n", [200], KEEP,
         ["/x?a=/../%zz&b"]),
        ("an empty query", b"GET /x? HTTP/1.1\r\n" + H + b"\r\n", [200], KEEP, ["/x?"]),
        ("empty segments", b"GET //x//y HTTP/1.1\r\n" + H + b"\r\n", [200], KEEP, ["//x//y"]),
        ("percent sequences", b"GET /%7Ex%2Fy HTTP/1.1\r\n" + H + b"\r\n",
         [200], KEEP, ["/%7Ex%2Fy"]),
        ("all that a path may hold", b"GET /-._~!$&'()*+,;=:@ HTTP/1.1\r\n" + H + b"\r\n",
         [200], KEEP,
         ["/-._~!$&'()*+,;=:@"]),
    ],
    "9112 3.2.2 absolute form": [
        ("its host goes before Host",
         b"GET http://127.0.0.1/x HTTP/1.1\r\nHost: evil\r\n\r\n", [200],
         KEEP, ["/x"]),
        ("no path", b"GET http://127.0.0.1 HTTP/1.1\r\n" + H + b"\r\n", [200], KEEP, ["/"]),
        ("a query only", b"GET http://127.0.0.1?q HTTP/1.1\r\n" + H + b"\r\n",
         [200], KEEP, ["/?q"]),
        ("a scheme in capitals", b"GET HTTP://127.0.0.1/x HTTP/1.1\r\n" + H + b"\r\n", [200], KEEP,
         ["/x"]),
        ("a port", b"GET http://127.0.0.1:80/x HTTP/1.1\r\n" + H + b"\r\n", [200], KEEP, ["/x"]),
        ("in HTTP/1.0 without Host", b"GET http://127.0.0.1/x HTTP/1.0\r\n\r\n",
         [200], CLOSE, ["/x"]),
    ],
    "9112 3.2.4 asterisk form": [
        ("OPTIONS *", b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n", [204], KEEP, []),
    ],
    "9110 7.2 Host": [
        ("a port", b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n", [200], KEEP, ["/x"]),
        ("IPv6", b"GET /x HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", [200], KEEP, ["/x"]),
        ("capitals", b"GET /x HTTP/1.1\r\nhOST: LocalHost\r\n\r\n", [200], KEEP, ["/x"]),
        ("none in HTTP/1.0", b"GET /x HTTP/1.0\r\n\r\n", [200], CLOSE, ["/x"]),
    ],
    "9112 5 field lines": [
        ("no blank after the colon", GET + b"X-A:1\r\n\r\n", [200], KEEP, ["/x"]),
        ("many blanks around a value", GET + b"X-A: \t 1 \t \r\n\r\n", [200], KEEP, ["/x"]),
        ("an empty value", GET + b"X-A:\r\n\r\n", [200], KEEP, ["/x"]),
        ("every byte of a token", GET + b"!#$%&'*+-.^_`|~09azAZ: 1\r\n\r\n", [200], KEEP, ["/x"]),
        ("the same name often", GET + b"X-A: 1\r\n" * 100 + b"\r\n", [200], KEEP, ["/x"]),
        ("a tab inside a value", GET + b"X-A: a\tb\r\n\r\n", [200], KEEP, ["/x"]),
        ("bytes past ASCII in a value", GET + b"X-A: caf\xe9\r\n\r\n", [200], KEEP, ["/x"]),
        ("a colon in a value", GET + b"X-A: :b:\r\n\r\n", [200], KEEP, ["/x"]),
    ],
    "9112 6.2 Content-Length": [
        ("zero", POST + b"Content-Length: 0\r\n\r\n", [200], KEEP, [("/x", b"")]),
        ("zeros before it", POST + b"Content-Length: 005\r\n\r\nhello",
         [200], KEEP, [("/x", b"hello")]),
        ("none", POST + b"\r\n", [200], KEEP, [("/x", b"")]),
        ("of a GET", GET + b"Content-Length: 5\r\n\r\nhello", [200], KEEP, [("/x", b"hello")]),
        ("a body that looks like a request",
         POST + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT,
         [200], KEEP, [("/x", NEXT)]),
        ("the next request at once", POST + b"Content-Length: 5\r\n\r\nhello" + NEXT,
         [200, 200], KEEP,
         [("/x", b"hello"), "/next"]),
    ],
    "9112 7.1 chunks": [
        ("one", CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", [200], KEEP, [("/x", b"hello")]),
        ("several", CHUNKED + b"1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", [200], KEEP, [("/x", b"hello")]),
        ("none", CHUNKED + b"0\r\n\r\n", [200], KEEP, [("/x", b"")]),
        ("digits in capitals", CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", [200], KEEP,
         [("/x", b"0123456789")]),
        ("zeros before a size", CHUNKED + b"0005\r\nhello\r\n000\r\n\r\n", [200], KEEP,
         [("/x", b"hello")]),
        ("a coding in capitals",
         POST + b"Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         [200], KEEP, [("/x", b"hello")]),
        ("the next request at once", CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + NEXT, [200, 200], KEEP,
         [("/x", b"hello"), "/next"]),
        ("data that looks like an end", CHUNKED + b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", [200], KEEP,
         [("/x", b"0\r\n\r\n")]),
    ],
    "9112 7.1.1 chunk extensions": [
        ("a name", CHUNKED + b"5;a\r\nhello\r\n0;b\r\n\r\n", [200], KEEP, [("/x", b"hello")]),
        ("a value", CHUNKED + b"5;a=b;c=\"d\"\r\nhello\r\n0\r\n\r\n",
         [200], KEEP, [("/x", b"hello")]),
    ],
    "9112 7.1.2 trailers": [
        ("are dropped", CHUNKED + b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
         [200], KEEP, [("/x", b"hello")]),
        ("do not frame",
         CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 99\r\nHost: evil\r\n\r\n" + NEXT,
         [200, 200], KEEP, [("/x", b"hello"), "/next"]),
    ],
    "9112 9.3 persistence": [
        ("1.1 stays", GET + b"\r\n", [200], KEEP, ["/x"]),
        ("close", GET + b"Connection: close\r\n\r\n", [200], CLOSE, ["/x"]),
        ("close in capitals", GET + b"Connection: CLOSE\r\n\r\n", [200], CLOSE, ["/x"]),
        ("close in a list", GET + b"Connection: x-a, close\r\n\r\n", [200], CLOSE, ["/x"]),
        ("close in a second field", GET + b"Connection: x-a\r\nConnection: close\r\n\r\n",
         [200], CLOSE,
         ["/x"]),
        ("close and keep-alive", GET + b"Connection: keep-alive, close\r\n\r\n",
         [200], CLOSE, ["/x"]),
        ("1.0 closes", b"GET /x HTTP/1.0\r\n" + H + b"\r\n", [200], CLOSE, ["/x"]),
        ("nothing after close", GET + b"Connection: close\r\n\r\n" + NEXT, [200], CLOSE, ["/x"]),
        ("five in a row", (GET + b"\r\n") * 5, [200] * 5, KEEP, ["/x"] * 5),
    ],
    "9110 7.6.2 Max-Forwards": [
        ("OPTIONS ends here", b"OPTIONS /x HTTP/1.1\r\n" + H + b"Max-Forwards: 0\r\n\r\n",
         [204], KEEP,
         []),
        ("OPTIONS goes on", b"OPTIONS /x HTTP/1.1\r\n" + H + b"Max-Forwards: 1\r\n\r\n",
         [200], KEEP,
         ["/x"]),
        ("GET does not care", GET + b"Max-Forwards: 0\r\n\r\n", [200], KEEP, ["/x"]),
    ],
    "9110 7.8 Upgrade": [
        ("h2c is not understood", GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
         b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", [200], KEEP, ["/x"]),
        ("WebSocket neither", GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
         [200], KEEP,
         ["/x"]),
    ],
    "9110 10.1.1 Expect": [
        ("continue, the body at once",
         POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
         [100, 200], KEEP, [("/x", b"hello")]),
        ("without a body", GET + b"Expect: 100-Continue\r\n\r\n", [100, 200], KEEP, ["/x"]),
        ("ignored in HTTP/1.0", b"POST /x HTTP/1.0\r\n" + H + b"Content-Length: 5\r\n"
         b"Expect: 100-continue\r\n\r\nhello", [200], CLOSE, [("/x", b"hello")]),
    ],
}

REFUSED = {
    "9112 2.2 message parsing": [
        ("bare LF", b"GET /x HTTP/1.1\nHost: 127.0.0.1\n\n", 400),
        ("bare LF in one line", GET + b"X-A: 1\nX-B: 2\r\n\r\n", 400),
        ("bare CR", GET + b"X-A: 1\rX-B: 2\r\n\r\n", 400),
        ("a blank before the first field", b"GET /x HTTP/1.1\r\n " + H + b"\r\n", 400),
        ("NUL", GET + b"X-A: \x00\r\n\r\n", 400),
    ],
    "9112 2.3 version": [
        ("2.0", b"GET /x HTTP/2.0\r\n" + H + b"\r\n", 505),
        ("0.9", b"GET /x HTTP/0.9\r\n" + H + b"\r\n", 505),
        ("none", b"GET /x\r\n" + H + b"\r\n", 400),
        ("two digits", b"GET /x HTTP/1.10\r\n" + H + b"\r\n", 400),
        ("small letters", b"GET /x http/1.1\r\n" + H + b"\r\n", 400),
        ("another protocol", b"GET /x HTTPS/1.1\r\n" + H + b"\r\n", 400),
    ],
    "9112 3 request line": [
        ("two blanks before the target", b"GET  /x HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("two blanks behind the target", b"GET /x  HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("a blank in the target", b"GET /x y HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("a method that is no token", b"G@T /x HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("a target that is too long", b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n" + H + b"\r\n",
         414),
    ],
    "9112 3.2 target": [
        ("a fragment", b"GET /x#y HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("no slash", b"GET x HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("an asterisk for GET", b"GET * HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("an authority for GET", b"GET 127.0.0.1:80 HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("userinfo (9110 4.2.4)", b"GET http://a:b@127.0.0.1/x HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("another scheme", b"GET ftp://127.0.0.1/x HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("no host", b"GET http:///x HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("bytes past ASCII", b"GET /caf\xe9 HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("a broken percent", b"GET /100% HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("dots (3986 5.2.4)", b"GET /a/../x HTTP/1.1\r\n" + H + b"\r\n", 400),
        ("CONNECT (9110 9.3.6)", b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n" + H + b"\r\n", 405),
        ("TRACE (9110 9.3.8)", b"TRACE /x HTTP/1.1\r\n" + H + b"\r\n", 405),
    ],
    "9112 3.2 Host": [
        ("none", b"GET /x HTTP/1.1\r\n\r\n", 400),
        ("two", GET + H + b"\r\n", 400),
        ("two that differ", GET + b"Host: evil\r\n\r\n", 400),
        ("none beside an absolute target", b"GET http://127.0.0.1/x HTTP/1.1\r\n\r\n", 400),
        ("empty", b"GET /x HTTP/1.1\r\nHost:\r\n\r\n", 400),
        ("a list", b"GET /x HTTP/1.1\r\nHost: 127.0.0.1, 127.0.0.1\r\n\r\n", 400),
        ("a path", b"GET /x HTTP/1.1\r\nHost: 127.0.0.1/\r\n\r\n", 400),
        ("userinfo", b"GET /x HTTP/1.1\r\nHost: a@127.0.0.1\r\n\r\n", 400),
        ("a port that is none", b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:http\r\n\r\n", 400),
        ("a port past 65535", b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:65536\r\n\r\n", 400),
        ("a bracket that stays open", b"GET /x HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    ],
    "9112 5.1 and 5.2 field lines": [
        ("a blank before the colon", GET + b"X-A : 1\r\n\r\n", 400),
        ("a blank in a name", GET + b"X A: 1\r\n\r\n", 400),
        ("no name", GET + b": 1\r\n\r\n", 400),
        ("no colon", GET + b"X-A\r\n\r\n", 400),
        ("a name past ASCII", GET + b"X-\xe9: 1\r\n\r\n", 400),
        ("a delimiter in a name", GET + b"X(A): 1\r\n\r\n", 400),
        ("a folded line", GET + b"X-A: 1\r\n 2\r\n\r\n", 400),
        ("a folded line of a tab", GET + b"X-A: 1\r\n\t\r\n\r\n", 400),
        ("too many (6585 5)", GET + b"X-A: 1\r\n" * 260 + b"\r\n", 431),
        ("too long (6585 5)", GET + b"X-A: " + b"a" * 40_000 + b"\r\n\r\n", 431),
    ],
    "9112 6.1 Transfer-Encoding": [
        ("with a length",
         POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("not only chunked", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        ("not chunked at last", POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
        ("another", POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        ("twice",
         POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("identity", POST + b"Transfer-Encoding: identity\r\n\r\n", 400),
        ("a lookalike", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        ("a vertical tab", POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
        ("parameters", POST + b"Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", 400),
        ("empty", POST + b"Transfer-Encoding:\r\n\r\n", 400),
        ("in HTTP/1.0",
         b"POST /x HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ],
    "9112 6.3 Content-Length": [
        ("two", POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
        ("two that differ", POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
    ],
    "9110 10.1.1 Expect": [
        ("something else", POST + b"Content-Length: 5\r\nExpect: 200-ok\r\n\r\nhello", 417),
        ("something more", POST + b"Content-Length: 5\r\nExpect: 100-continue, x\r\n\r\nhello",
         417),
    ],
    "9110 7.6.2 Max-Forwards": [
        ("no number", GET + b"Max-Forwards: -1\r\n\r\n", 400),
        ("two", GET + b"Max-Forwards: 1\r\nMax-Forwards: 1\r\n\r\n", 400),
    ],
}

# libmicrohttpd 0.9.75 answers these, or ends the connection, before it asks anybody (RULES.md).
BY_THE_LIBRARY = {
    "9112 3 request line": [
        ("a tab", b"GET\t/x\tHTTP/1.1\r\n" + H + b"\r\n"),
        ("a blank first", b" GET /x HTTP/1.1\r\n" + H + b"\r\n"),
    ],
    "9112 6.3 Content-Length": [
        ("a list", POST + b"Content-Length: 5, 5\r\n\r\nhello"),
        ("a plus", POST + b"Content-Length: +5\r\n\r\nhello"),
        ("a minus", POST + b"Content-Length: -5\r\n\r\nhello"),
        ("hex", POST + b"Content-Length: 0x5\r\n\r\nhello"),
        ("empty", POST + b"Content-Length:\r\n\r\nhello"),
        ("past 64 bits", POST + b"Content-Length: 18446744073709551616\r\n\r\nhello"),
    ],
    "9112 7.1 chunks": [
        ("no size", CHUNKED + b"\r\nhello\r\n0\r\n\r\n"),
        ("hex of C", CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n"),
        ("a plus", CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n"),
        ("a minus", CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n"),
        ("a blank first", CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n"),
        ("an underscore", CHUNKED + b"0_5\r\nhello\r\n0\r\n\r\n"),
        ("past 64 bits", CHUNKED + b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("more data than said", CHUNKED + b"4\r\nhello\r\n0\r\n\r\n"),
        ("no line end after the data", CHUNKED + b"5\r\nhello0\r\n\r\n"),
        ("bare CR after the size", CHUNKED + b"5\rhello\r\n0\r\n\r\n"),
    ],
}


@pytest.fixture
def bearerd(run, api):
    api.idp = None
    return run(section("route all", {"provider": "none", "upstream": api.origin}),
               server={"workers": "1"})


def stays_open(client):
    """Another request is served on the same connection."""
    return client.send(NEXT).read().status == 200


def outcome(bearerd, api, data, count):
    """What came of a row, in the form of the table."""
    before = len(api.requests)
    method = data.lstrip(b"\r\n").split(b" ")[0].decode()
    with bearerd.client(timeout=15) as client:
        client.send(data)
        statuses = [client.read(method).status for _ in range(count)]
        got = [(one.target, one.body) for one in api.requests[before:]]
        try:
            after = KEEP if stays_open(client) else "answers oddly"
        except (AssertionError, OSError):
            after = CLOSE
    return statuses, after, got


@pytest.mark.parametrize("where", PASSES)
def test_passes(bearerd, api, where):
    failures = []
    for name, data, statuses, after, expected in PASSES[where]:
        expected = [one if isinstance(one, tuple) else (one, b"") for one in expected]
        seen = outcome(bearerd, api, data, len(statuses))
        if seen != (statuses, after, expected):
            failures.append(f"{name}: {seen}")
    assert not failures, "\n".join(failures)


def refusal(bearerd, data):
    """The status of the one answer after which the connection ends, or what came instead."""
    with bearerd.client(timeout=15) as client:
        client.send(data + NEXT)
        try:
            answer = client.read("TRACE")
        except Truncated as error:
            return f"{error}"
        if answer.fields.get("Connection") != "close":
            return f"{answer.status} without close"
        rest = client.read_rest()
        return f"{answer.status} and {rest[:100]!r}" if rest else answer.status


@pytest.mark.parametrize("where", REFUSED)
def test_refused(bearerd, api, where):
    failures = [f"{name}: {seen}" for name, data, status in REFUSED[where]
                if (seen := refusal(bearerd, data)) != status]
    assert not failures, "\n".join(failures)
    assert not api.accepted


@pytest.mark.parametrize("where", BY_THE_LIBRARY)
def test_ended_by_the_library(bearerd, api, where):
    """An error or an end, and nothing whole goes upstream."""
    failures = []
    for name, data in BY_THE_LIBRARY[where]:
        with bearerd.client(timeout=15) as client:
            client.send(data + NEXT)
            rest = client.read_rest()
        if rest and rest.split(b" ")[1][:1] not in (b"4", b"5"):
            failures.append(f"{name}: {rest[:100]!r}")
    assert not failures, "\n".join(failures)
    assert not api.requests
