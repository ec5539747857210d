"""A request that changes something reaches the API at most once, however its connection dies.

RFC 9110 9.2.2: only idempotent methods may be repeated; we repeat GET, HEAD and OPTIONS only, once,
and only when a reused connection died before any byte of an answer (RFC 9112 9.3.1).
"""

import threading

import pytest
from actors import replying, section, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHANGING = ["POST", "PATCH", "PUT", "DELETE", "LOCK", "QUERY"]


@pytest.fixture
def start(run, upstream):
    def start(*scripts, **route):
        api = upstream(*scripts)
        bearerd = run(section("route all", {"provider": "none", "upstream": api.origin, **route}),
                      server={"workers": "1"})
        bearerd.api = api
        return bearerd
    return start


def dying(how, after, warm):
    """Takes a request up to a point and dies; first serves another if `warm`."""
    def script(peer):
        if warm:
            peer.read_request()
            peer.send(OK)
        request = peer.read_head()
        if after == "body":
            peer.read_body(request)
        elif after == "half the body":
            peer.stream.fill()
        elif after == "a byte":
            peer.send(b"H")
        elif after == "an interim answer":
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif after == "half an answer":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        if after in ("a byte", "an interim answer", "half an answer"):
            threading.Event().wait(0.1)
        getattr(peer, how)()
    return script


def outcome(bearerd, method, body, chunked=False):
    with bearerd.client(timeout=10) as client:
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
        data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
        try:
            client.send(f"{method} /pay HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}\r\n\r\n".encode())
            client.send(data)
            return client.read(method).status
        except (AssertionError, OSError):
            return "cut"


@pytest.mark.parametrize("warm", [True, False], ids=["reused", "fresh"])
@pytest.mark.parametrize("how", ["cut", "reset"])
@pytest.mark.parametrize("after", ["head", "half the body", "body", "a byte", "an interim answer",
                                   "half an answer"])
def test_a_change_is_never_repeated(start, after, how, warm):
    for chunked in (False, True):
        bearerd = start(dying(how, after, warm), replying(OK))
        if warm:
            assert bearerd.get("/first").status == 200
        method = CHANGING[(len(after) + chunked) % len(CHANGING)]
        size = 1_000_000 if after == "half the body" else 1000
        status = outcome(bearerd, method, b"x" * size, chunked)
        assert status in (502, "cut")
        paid = [request for request in bearerd.api.requests if request.target == "/pay"]
        assert len(paid) == 1, f"{method} went out {len(paid)} times"
        assert bearerd.get("/after").status == 200


@pytest.mark.parametrize("method", CHANGING)
def test_a_timeout_is_no_reason_to_repeat(start, method):
    def script(peer):
        peer.read_request()
        peer.stall()
    bearerd = start(script, replying(OK), response_timeout="500ms")
    assert outcome(bearerd, method, b"x") == 504
    assert len(bearerd.api.requests) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_no_status_is_a_reason_to_repeat(start, status, method):
    bearerd = start(replying(b"HTTP/1.1 %d X\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n" % status))
    assert bearerd.get("/first").status == status
    assert outcome(bearerd, method, b"x" if method == "POST" else b"") == status
    assert len(bearerd.api.requests) == 2


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("after", ["a byte", "an interim answer", "half an answer"])
def test_a_safe_method_is_not_repeated_after_a_byte(start, method, after):
    bearerd = start(dying("cut", after, True), replying(OK))
    assert bearerd.get("/first").status == 200
    whole = method == "HEAD" and after == "half an answer"  # its answer is the head alone
    assert (outcome(bearerd, method, b"") == 200) == whole
    assert len(bearerd.api.requests) == 2


def test_a_safe_method_with_a_body_is_not_repeated(start):
    bearerd = start(dying("cut", "body", True), replying(OK))
    assert bearerd.get("/first").status == 200
    assert outcome(bearerd, "GET", b"a body") == 502
    assert len(bearerd.api.requests) == 2


def test_idle_connections_that_all_died(start):
    """Many kept connections, all ended by the API: even a POST finds a live one, and goes out once."""
    go, gone = threading.Event(), threading.Event()

    def script(peer):
        peer.read_request()
        peer.wait(go)
        peer.send(OK)
        peer.wait(gone)
        peer.cut()
    bearerd = start(*[script] * 10, replying(OK))
    clients = [bearerd.client() for _ in range(10)]
    for client in clients:
        client.send(client.head("GET", "/warm"))
    bearerd.api.wait_requests(10)
    go.set()
    for client in clients:
        assert client.read().status == 200
        client.close()
    gone.set()
    wait_until(lambda: bearerd.metric("bearerd_upstream_connections", "idle") == 0,
               "all ends to be seen")
    for _ in range(10):
        assert outcome(bearerd, "POST", b"x") == 200
    assert len([one for one in bearerd.api.requests if one.target == "/pay"]) == 10
