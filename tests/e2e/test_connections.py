"""Connections on both sides: kept, pooled, dropped; and what is never sent twice."""

import threading

import pytest
from actors import Truncated, replying, section, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def start(run, provider):
    """One worker, so that the pool is one."""
    def start(api, route=None, server=None, **keys):
        return run(provider(**keys) + section(
            "route all", {"provider": "idp", "upstream": api.origin, **(route or {})}),
            server={"workers": "1", **(server or {})})
    return start


# --- the client's side ----------------------------------------------------------------------------


def test_a_kept_connection(start, upstream):
    api = upstream()
    with start(api).client() as client:
        for _ in range(10):
            assert client.get("/x").status == 200
        assert client.post("/x", b"abc").status == 200


def test_pipelined_requests_are_answered_in_order(proxy):
    with proxy.client() as client:
        client.send(b"".join(client.head("GET", f"/{number}") for number in range(10)))
        for number in range(10):
            assert client.read().json()["target"] == f"/{number}"


def test_connection_close_is_obeyed(proxy):
    with proxy.client() as client:
        answer = client.get("/x", [("Connection", "close")])
        assert answer.fields.get("Connection") == "close"
        assert client.is_closed()


def test_http_1_0_closes_unless_asked(proxy):
    with proxy.client() as client:
        assert client.send(b"GET /x HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").read().status == 200
        assert client.is_closed()


def test_own_errors_keep_the_connection(run, provider, api):
    bearerd = run(provider() + section("route p", {"path": "/p", "provider": "idp",
                                                   "upstream": api.origin}))
    with bearerd.client() as client:
        assert client.get("/nowhere").status == 404
        assert client.get("/p/x").status == 200


def test_an_idle_connection_is_closed(start, upstream):
    with start(upstream(), server={"idle_timeout": "1s"}).client() as client:
        assert client.get("/x").status == 200
        assert client.is_closed(10)


@pytest.mark.parametrize("start_of_head", [b"", b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nX-"])
def test_a_head_that_does_not_come(start, upstream, start_of_head):
    """The whole head has a deadline: a byte now and then does not prolong it."""
    bearerd = start(upstream(), server={"header_timeout": "1s", "idle_timeout": "2s"})
    with bearerd.client() as client:
        client.send(start_of_head)
        stop = threading.Event()

        def drip():
            while start_of_head and not stop.wait(0.2):
                try:
                    client.send(b"a")
                except OSError:
                    return
        threading.Thread(target=drip, daemon=True).start()
        rest = client.read_rest()
        stop.set()
        assert not rest or rest.startswith(b"HTTP/1.1 408")


# --- the upstream's side --------------------------------------------------------------------------


def test_upstream_connections_are_pooled(start, upstream):
    api = upstream()
    bearerd = start(api)
    for _ in range(10):
        assert bearerd.get("/x").status == 200
    assert bearerd.post("/x", b"abc").status == 200
    assert api.accepted == 1


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 2\r\n\r\nok",
    OK + b"surplus",
])
def test_a_connection_that_must_not_be_reused(start, upstream, answer):
    api = upstream(replying(answer))
    bearerd = start(api)
    for _ in range(3):
        assert bearerd.get("/x").body == b"ok"
    assert api.accepted == 3


def test_parallel_requests_take_connections_of_their_own(start, upstream):
    go = threading.Event()

    def script(peer):
        while peer.read_request() is not None:
            peer.wait(go)
            peer.send(OK)
    api = upstream(script)
    bearerd = start(api)
    clients = [bearerd.client() for _ in range(5)]
    for client in clients:
        client.send(client.head("GET", "/x"))
    api.wait_requests(5)
    go.set()
    for client in clients:
        assert client.read().status == 200
        client.close()
    assert api.accepted == 5


def test_upstream_connections_are_limited(start, upstream):
    """More requests wait in line."""
    go = threading.Event()

    def script(peer):
        while peer.read_request() is not None:
            peer.wait(go)
            peer.send(OK)
    api = upstream(script)
    bearerd = start(api, {"upstream_connections": "2"})
    clients = [bearerd.client() for _ in range(6)]
    for client in clients:
        client.send(client.head("GET", "/x"))
    api.wait_requests(2)
    go.set()
    for client in clients:
        assert client.read().status == 200
        client.close()
    assert api.accepted == 2


def test_an_idle_upstream_connection_that_ended_is_noticed(start, upstream):
    """A polite end between requests costs nothing: even a POST goes out, once, on a new one."""
    gone = threading.Event()

    def polite(peer):
        peer.read_request()
        peer.send(OK)
        peer.cut()
        gone.set()
    api = upstream(polite, replying(OK))
    bearerd = start(api)
    assert bearerd.get("/x").status == 200
    assert gone.wait(5)
    assert bearerd.get("/y").status == 200
    assert bearerd.post("/z", b"abc").status == 200
    assert [request.target for request in api.requests] == ["/x", "/y", "/z"]


def dying(how):
    """Answers once; takes the second request and dies without a byte."""
    def script(peer):
        peer.read_request()
        peer.send(OK)
        peer.read_request()
        getattr(peer, how)()
    return script


@pytest.mark.parametrize("how", ["cut", "reset"])
@pytest.mark.parametrize("body", [b"{}", b"", None], ids=["body", "empty", "none"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE", "LOCK"])
def test_a_payment_is_never_sent_twice(start, upstream, how, method, body):
    api = upstream(dying(how), replying(OK))
    bearerd = start(api)
    assert bearerd.get("/first").status == 200
    with bearerd.client() as client:
        answer = client.request(method, "/pay", body=body)
    assert answer.status == 502
    assert answer.problem()["code"] in ("upstream_unreachable", "upstream_protocol")
    assert [request.method for request in api.requests] == ["GET", method]


@pytest.mark.parametrize("how", ["cut", "reset"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_safe_method_is_repeated_once(start, upstream, how, method):
    api = upstream(dying(how), replying(OK))
    bearerd = start(api)
    assert bearerd.get("/first").status == 200
    with bearerd.client() as client:
        client.send(client.head(method, "/again"))
        if method == "HEAD":
            assert client.read_head().status == 200
        else:
            assert client.read().status == 200
    assert [request.target for request in api.requests] == ["/first", "/again", "/again"]


def test_a_safe_method_is_repeated_on_a_fresh_connection_only_once(start, upstream):
    def dead(peer):
        peer.read_request()
        peer.cut()
    api = upstream(dying("cut"), dead, replying(OK))
    bearerd = start(api)
    assert bearerd.get("/first").status == 200
    assert bearerd.get("/again").status == 502
    assert len(api.requests) == 3


def test_the_repetition_takes_a_fresh_connection(start, upstream):
    """Where one kept connection died, the others may be dead too."""
    both = threading.Barrier(2)

    def dies_later(peer):
        peer.read_request()
        both.wait(10)
        peer.send(OK)
        peer.read_request()
        peer.cut()
    api = upstream(dies_later, dies_later, replying(OK))
    bearerd = start(api)
    clients = [bearerd.client() for _ in range(2)]
    for client in clients:
        client.send(client.head("GET", "/first"))
    for client in clients:
        assert client.read().status == 200
        client.close()
    assert bearerd.get("/again").status == 200
    assert [request.target for request in api.requests[2:]] == ["/again", "/again"]


def test_a_fresh_connection_that_dies_is_no_reason(start, upstream):
    def dead(peer):
        peer.read_request()
        peer.cut()
    api = upstream(dead, replying(OK))
    answer = start(api).get("/x")
    assert (answer.status, len(api.requests)) == (502, 1)


def test_after_the_first_byte_nothing_is_repeated(start, upstream):
    def script(peer):
        peer.read_request()
        peer.send(OK)
        peer.read_request()
        peer.send(b"HTTP/1.1 2")
        peer.cut()
    api = upstream(script, replying(OK))
    bearerd = start(api)
    assert bearerd.get("/first").status == 200
    assert bearerd.get("/again").status == 502
    assert len(api.requests) == 2


def test_a_timeout_is_no_reason(start, upstream):
    def script(peer):
        peer.read_request()
        peer.send(OK)
        peer.read_request()
        peer.stall()
    api = upstream(script, replying(OK))
    bearerd = start(api, {"response_timeout": "1s"})
    assert bearerd.get("/first").status == 200
    answer = bearerd.get("/again")
    assert (answer.status, answer.problem()["code"]) == (504, "upstream_timeout")
    assert len(api.requests) == 2


# --- somebody leaves ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_frees_its_upstream_connection(start, upstream, how):
    def script(peer):
        peer.read_request()
        peer.wait_closed()
    api = upstream(script)
    bearerd = start(api)
    client = bearerd.client()
    client.send(client.head("GET", "/slow"))
    api.wait_requests(1)
    getattr(client, how)()
    wait_until(lambda: api.left == [0], "the upstream connection to be closed")
    assert bearerd.access_log(1)


def test_a_client_that_leaves_within_the_answer(start, upstream):
    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc")
        peer.wait_closed()
    api = upstream(script)
    client = start(api).client()
    client.send(client.head("GET", "/slow"))
    assert client.read_head().status == 200
    client.reset()
    wait_until(lambda: api.left == [0], "the upstream connection to be closed")


CUT = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    "half a last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
}


@pytest.mark.parametrize("kind", CUT)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_truncation_stays_visible(start, upstream, kind, version):
    def script(peer):
        peer.read_request()
        peer.send(CUT[kind])
        peer.half_close()
        peer.wait_closed()
    bearerd = start(upstream(script))
    with bearerd.client() as client:
        client.send(b"GET /x HTTP/%b\r\nHost: 127.0.0.1\r\n\r\n" % version.encode())
        try:
            answer = client.read()
        except Truncated:
            return
        assert answer.status == 502, "a cut answer looks complete"  # nothing of it had gone out yet


def test_a_reset_where_the_end_is_the_framing(start, upstream):
    begun = threading.Event()

    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
        peer.wait(begun)
        peer.reset()
    bearerd = start(upstream(script))
    for version in (b"1.1", b"1.0"):
        begun.clear()
        with bearerd.client() as client:
            client.send(b"GET /x HTTP/%b\r\nHost: 127.0.0.1\r\n\r\n" % version)
            with pytest.raises(Truncated):
                client.read(sink=lambda piece: begun.set())
        assert begun.is_set()


def test_a_half_closed_client_still_gets_its_answer(proxy):
    """Some clients end their side after the request; they are not gone."""
    with proxy.client() as client:
        client.send(client.head("GET", "/x", [("Connection", "close")]))
        client.half_close()
        try:
            assert client.read().status == 200
        except Truncated as error:
            assert not error.partial.status  # or gone at once, without half an answer
