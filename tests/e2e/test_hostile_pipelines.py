"""Several requests at once, and clients that half-close: nothing is mixed up, nothing is lost.

RFC 9112 9.3.2 (pipelining) and 9.6 (closing).
"""

import threading

import pytest
from actors import replying, section
from test_hostile_bodies import OK, head, start  # noqa: F401


# --- pipelining, RFC 9112 9.3.2 -------------------------------------------------------------------


def test_pipelined_bodies_stay_apart(run, api):
    bearerd = run(section("route all", {"provider": "none", "upstream": api.origin}))
    api.idp = None
    with bearerd.client() as client:
        client.send(head(b"Content-Length: 5", target=b"/1") + b"hello"
                    + head(b"Transfer-Encoding: chunked", target=b"/2") + b"3\r\nabc\r\n0\r\n\r\n"
                    + head(method=b"GET", target=b"/3") + head(b"Content-Length: 0", target=b"/4")
                    + head(method=b"HEAD", target=b"/5") + head(method=b"DELETE", target=b"/6"))
        seen = [client.read(method).json() if method != "HEAD" else client.read_head() and None
                for method in ("POST", "POST", "GET", "POST", "HEAD", "DELETE")]
    assert [one and (one["target"], one["length"]) for one in seen] == [
        ("/1", 5), ("/2", 3), ("/3", 0), ("/4", 0), None, ("/6", 0)]


@pytest.mark.parametrize("bad", [
    head(b"Content-Length: 5", b"Content-Length: 6") + b"hello", head(b"X A: 1"),
    head(b"Transfer-Encoding: chunked", b"Content-Length: 5") + b"0\r\n\r\n",
    head(target=b"/../x"), b"NONSENSE\r\n\r\n"], ids=repr)
def test_a_bad_one_in_a_pipeline_ends_it(start, bad):  # noqa: F811
    """What came before is answered, what comes after is not read."""
    bearerd = start()
    with bearerd.client() as client:
        client.send(head(method=b"GET", target=b"/good") + bad
                    + head(method=b"GET", target=b"/smuggled"))
        assert client.read().body == b"ok"
        rest = client.read_rest()
        assert not rest or rest.split(b" ")[1] == b"400" and b"\r\n\r\nok" not in rest
    assert [request.target for request in bearerd.api.requests] == ["/good"]


def test_what_follows_an_early_answer_is_no_request(start):  # noqa: F811
    """After an answer that came before its body, bytes that look like a request are that body's."""
    def script(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 413 Big\r\nContent-Length: 0\r\n\r\n")
        peer.wait_closed()
    bearerd = start(script)
    with bearerd.client() as client:
        client.send(head(b"Content-Length: 100000"))
        assert client.read_head().status == 413
        client.send(head(method=b"GET", target=b"/smuggled") * 3)
        assert client.read_rest() == b""
    assert [request.target for request in bearerd.api.requests] == ["/x"]


def test_many_pipelined_requests_are_held_back(start):  # noqa: F811
    """A client that sends and never reads fills no memory."""
    bearerd = start(replying(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"y" * 10_000))
    assert bearerd.get("/x").status == 200
    kib = bearerd.rss_kib()
    with bearerd.client() as client:
        client.sock.settimeout(1)
        with pytest.raises(OSError):
            for _ in range(100_000):
                client.send(head(method=b"GET") * 20)
        bearerd.wait_quiet()
        assert bearerd.rss_kib() - kib < 8192
        assert bearerd.get("/x").status == 200


# --- half-closed clients, RFC 9112 9.6 ------------------------------------------------------------


@pytest.mark.parametrize("request_bytes", [
    head(method=b"GET"), head(b"Content-Length: 5") + b"hello",
    head(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
    head(method=b"GET", version=b"1.0")], ids=["GET", "length", "chunked", "1.0"])
def test_a_half_closed_client_gets_a_slow_answer(start, request_bytes):  # noqa: F811
    def script(peer):
        while peer.read_request() is not None:
            threading.Event().wait(0.7)
            peer.send(OK)
    bearerd = start(script)
    with bearerd.client() as client:
        client.send(request_bytes)
        client.half_close()
        answer = client.read()
        assert client.is_closed()
    if answer.body != b"ok":  # it may be gone: nothing is begun then that changes something
        assert request_bytes.startswith(b"POST") and answer.status >= 400
        assert answer.problem() and not bearerd.api.requests
