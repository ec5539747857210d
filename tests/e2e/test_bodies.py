"""Request bodies: one framing outwards, every byte, and what happens when they do not come."""

import threading
import time

import pytest
from actors import Truncated, replying, section, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def api(upstream):
    return upstream(replying(OK))


@pytest.fixture
def bearerd(run, provider, api):
    return run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))


def head(*lines, method=b"POST"):
    return b"\r\n".join((method + b" /x HTTP/1.1", b"Host: 127.0.0.1") + lines + (b"", b""))


def noting(ends):
    """A script that notes how the request ended: complete or truncated."""
    def script(peer):
        try:
            ends.append("complete" if peer.read_request() else "nothing")
        except (Truncated, ConnectionError):
            ends.append("truncated")
    return script


def test_a_length_stays_a_length(bearerd, api):
    assert bearerd.exchange(head(b"Content-Length: 5") + b"hello").status == 200
    request = api.requests[0]
    assert (request.framing, request.body) == ("length", b"hello")


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"PATCH", b"GET", b"DELETE"])
def test_chunks_stay_chunks(bearerd, api, method):
    assert bearerd.exchange(head(b"Transfer-Encoding: chunked", method=method)
                            + b"5;a=b\r\nhello\r\n1\r\n \r\n00000005\r\nworld\r\n0\r\n\r\n"
                            ).status == 200
    request = api.requests[0]
    assert (request.framing, request.body) == ("chunked", b"hello world")


def test_an_empty_chunked_body(bearerd, api):
    assert bearerd.exchange(head(b"Transfer-Encoding: chunked") + b"0\r\n\r\n").status == 200
    assert api.requests[0].body == b""


def test_a_length_of_zero_is_said(bearerd, api):
    assert bearerd.exchange(head(b"Content-Length: 0")).status == 200
    assert api.requests[0].fields.get("Content-Length") == "0"


def test_no_body_at_all(bearerd, api):
    assert bearerd.exchange(head()).status == 200
    assert api.requests[0].framing in ("none", "length")
    assert api.requests[0].body == b""


def test_a_get_without_a_body_has_no_length(bearerd, api):
    bearerd.get("/x")
    assert api.requests[0].framing == "none"


def test_a_get_with_a_body(bearerd, api):
    assert bearerd.exchange(head(b"Content-Length: 2", method=b"GET") + b"hi").status == 200
    assert api.requests[0].body == b"hi"


def test_a_body_in_small_pieces(bearerd, api):
    with bearerd.client() as client:
        client.send_pieces(head(b"Content-Length: 6"), b"a", b"bc", b"def")
        assert client.read().status == 200
    assert api.requests[0].body == b"abcdef"


def test_every_byte_value(bearerd, api):
    body = bytes(range(256)) * 1000
    assert bearerd.post("/x", body).status == 200
    assert api.requests[0].body == body


def test_the_body_streams_before_it_is_complete(run, provider, upstream):
    """The upstream sees the first bytes while the client still holds the rest."""
    seen = threading.Event()

    def script(peer):
        request = peer.read_head()
        next(peer.stream.pieces(5))
        seen.set()
        list(peer.stream.pieces(5))
        peer.send(OK)
        assert request.fields.get("Content-Length") == "10"
        peer.stall()
    api = upstream(script)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    with bearerd.client() as client:
        client.send(head(b"Content-Length: 10") + b"hello")
        assert seen.wait(10)
        assert client.send(b"world").read().status == 200


# --- Expect ---------------------------------------------------------------------------------------


def test_expect_100_continue(bearerd, api):
    with bearerd.client() as client:
        client.send(head(b"Content-Length: 5", b"Expect: 100-continue"))
        interim = client.read()
        assert interim.status == 100
        assert client.send(b"hello").read().status == 200
    request = api.requests[0]
    assert request.body == b"hello"
    assert "Expect" not in request.fields


def test_expect_100_continue_without_waiting(bearerd, api):
    with bearerd.client() as client:
        client.send(head(b"Content-Length: 5", b"Expect: 100-Continue") + b"hello")
        answer = client.read()
        if answer.status == 100:
            answer = client.read()
        assert answer.status == 200
    assert api.requests[0].body == b"hello"


def test_a_refusal_comes_instead_of_100(run, provider, api, idp):
    bearerd = run(provider() + section("route p", {"path": "/p", "provider": "idp",
                                                   "upstream": api.origin}))
    with bearerd.client() as client:
        client.send(head(b"Content-Length: 5", b"Expect: 100-continue"))
        assert client.read().status == 404


@pytest.mark.parametrize("expectation", [b"200-ok", b"100-continue, x", b"100-continued", b""])
def test_other_expectations_get_417(bearerd, api, expectation):
    with bearerd.client() as client:
        client.send(head(b"Content-Length: 5", b"Expect: " + expectation) + b"hello")
        answer = client.read()
        assert answer.status == 417
        assert not api.requests


# --- bodies that do not come ----------------------------------------------------------------------


@pytest.mark.parametrize("framing", [b"Content-Length: 10", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_in_its_body(run, provider, upstream, framing, how):
    """The upstream sees an incomplete message, never a shortened one."""
    ends = []
    api = upstream(noting(ends))
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    client = bearerd.client()
    client.send(head(framing) + (b"hello" if b"Length" in framing else b"5\r\nhello\r\n"))
    api.wait_requests(1)
    getattr(client, how)()
    wait_until(lambda: ends, "the end at the upstream")
    assert ends == ["truncated"]
    assert api.accepted == 1


@pytest.mark.parametrize("data", [b"xyz\r\n", b"-5\r\nhello\r\n", b"5\r\nhelloXX", b"g\r\n", b"\r\n",
                                  b"fffffffffffffffff\r\n"])
def test_a_bad_chunk_reaches_nobody_as_complete(run, provider, upstream, data):
    ends = []
    api = upstream(noting(ends))
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    with bearerd.client() as client:
        client.send(head(b"Transfer-Encoding: chunked") + data + b"0\r\n\r\n")
        rest = client.read_rest()
        assert not rest or rest[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5")
    assert "complete" not in ends


def test_a_body_that_stalls(run, provider, upstream):
    ends = []
    api = upstream(noting(ends))
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
                  server={"body_timeout": "1s"})
    with bearerd.client() as client:
        began = time.monotonic()
        client.send(head(b"Content-Length: 10") + b"hello")
        rest = client.read_rest()
        assert time.monotonic() - began < 10
        assert not rest or rest.startswith(b"HTTP/1.1 408")
    wait_until(lambda: ends, "the end at the upstream")
    assert ends == ["truncated"]


# --- max_body -------------------------------------------------------------------------------------


def test_max_body_by_its_length(run, provider, api, idp):
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin,
                                                     "max_body": "1k"}))
    assert bearerd.post("/x", b"x" * 1024).status == 200
    answer = bearerd.exchange(head(b"Content-Length: 1025") + b"x" * 1025)
    assert (answer.status, answer.problem()["code"]) == (413, "body_too_large")
    assert "max_body" in answer.problem()["detail"]
    assert len(api.requests) == 1


def test_max_body_in_chunks(run, provider, upstream):
    ends = []
    api = upstream(noting(ends))
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin,
                                                     "max_body": "1k"}))
    with bearerd.client() as client:
        client.send(head(b"Transfer-Encoding: chunked") + b"400\r\n" + b"x" * 1024 + b"\r\n")
        client.send(b"1\r\nx\r\n0\r\n\r\n")
        answer = client.read()
        assert (answer.status, answer.problem()["code"]) == (413, "body_too_large")
    assert "complete" not in ends
