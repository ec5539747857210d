"""An answer that comes before the request's body is in: the client gets it, whatever it sends on.

RFC 9112 9.3 and 9.6: the answer is sent at once, then the sending side is closed, and what still
comes is dropped for a while, so that no reset takes the answer away from the client.
"""

import threading
import time

import pytest
from actors import Truncated, section, wait_until

MIB = 1024 * 1024
LINGER = 2  # seconds

BIG = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"


@pytest.fixture
def start(run, provider, upstream):
    """One route to an upstream that reads a head, sends these bytes, and then reads on."""
    def start(answer=BIG, then=None, server=None, **route):
        def script(peer):
            if peer.read_head() is None:
                return
            peer.send(answer)
            if then:
                then(peer)
            peer.wait_closed(30)
        api = upstream(script)
        bearerd = run(provider() + section("route all", {
            "provider": "idp", "upstream": api.origin, **route}), server=server)
        bearerd.api = api
        return bearerd
    return start


def head(*lines, method=b"POST", version=b"1.1"):
    return b"\r\n".join((method + b" /x HTTP/" + version, b"Host: 127.0.0.1") + lines + (b"", b""))


UNFINISHED = {
    "length": head(b"Content-Length: 1000000000") + b"x" * 1000,
    "length, nothing sent": head(b"Content-Length: 1000000000"),
    "chunked": head(b"Transfer-Encoding: chunked") + b"3e8\r\n" + b"x" * 1000 + b"\r\n",
    "inside a chunk": head(b"Transfer-Encoding: chunked") + b"ffffff\r\n" + b"x" * 1000,
    "a GET": head(b"Content-Length: 1000", method=b"GET") + b"x" * 10,
    "HTTP/1.0": head(b"Content-Length: 1000", version=b"1.0") + b"x" * 10,
}


@pytest.mark.parametrize("kind", UNFINISHED)
def test_the_apis_answer_to_an_unfinished_upload(start, kind):
    bearerd = start()
    with bearerd.client() as client:
        began = time.monotonic()
        answer = client.send(UNFINISHED[kind]).read()
        assert (answer.status, answer.body) == (413, b"big")
        assert answer.fields.get("Connection") == "close"
        assert answer.fields.get("X-Request-Id") and answer.fields.get("Date")
        assert "Proxy-Status" not in answer.fields
        assert client.is_closed()
        assert time.monotonic() - began < LINGER
    wait_until(lambda: bearerd.api.left == [0], "the upstream connection to be closed")
    line = bearerd.access_log()[0]
    assert line["status"] == "413" and line.get("error", "") in ("", "-")


@pytest.mark.parametrize("size", [1 * MIB, 20 * MIB])
def test_a_client_that_reads_only_when_all_is_sent(start, size):
    bearerd = start()
    with bearerd.client() as client:
        client.send(head(b"Content-Length: %d" % size))
        client.send(b"x" * size)
        assert client.read().body == b"big"


ANSWERS = {
    "length": (b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n" % (2 * MIB), b"y" * (2 * MIB)),
    "chunked": (b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"10000\r\n" + b"y" * 65536 + b"\r\n"),
}


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_a_large_early_answer(start, kind, version):
    first, rest = ANSWERS[kind]
    times = 1 if kind == "length" else 32

    def then(peer):
        for _ in range(times):
            peer.send(rest)
        if kind == "chunked":
            peer.send(b"0\r\n\r\n")
    bearerd = start(first, then)
    with bearerd.client() as client:
        answer = client.send(head(b"Content-Length: 1000", version=version) + b"x").read()
        assert (answer.status, answer.body) == (400, b"y" * (2 * MIB))
        assert answer.framing == (kind if version == b"1.1" or kind == "length" else "close")
        assert client.is_closed()


def test_an_early_answer_that_comes_slowly(start):
    seen = threading.Event()

    def then(peer):
        peer.wait(seen)
        peer.send(b"5\r\nworld\r\n0\r\n\r\n")
    bearerd = start(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", then)
    with bearerd.client() as client:
        client.send(head(b"Content-Length: 1000") + b"x")
        assert client.read_head().status == 200
        assert client.stream.line() + client.stream.line() == b"5\r\nhello\r\n"
        seen.set()
        assert b"".join(client.stream.line() for _ in range(4)) == b"5\r\nworld\r\n0\r\n\r\n"


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"])
def test_a_cut_early_answer_stays_visible(start, answer, version):
    """RFC 9112 8: nothing of it may look complete."""
    bearerd = start(answer, lambda peer: (threading.Event().wait(0.2), peer.half_close()))
    with bearerd.client() as client:
        client.send(head(b"Content-Length: 1000", version=version) + b"x")
        with pytest.raises(Truncated):
            client.read()


def test_an_early_answer_without_a_body(start):
    bearerd = start(b"HTTP/1.1 204 No Content\r\n\r\n")
    with bearerd.client() as client:
        answer = client.send(head(b"Content-Length: 1000", method=b"DELETE") + b"x").read("DELETE")
        assert answer.status == 204 and client.is_closed()


def test_an_early_304_keeps_its_length(start):
    bearerd = start(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n")
    with bearerd.client() as client:
        answer = client.send(head(b"Content-Length: 1000", method=b"GET") + b"x").read()
        assert (answer.status, answer.fields.get("Content-Length")) == (304, "7")
        assert client.is_closed()


def test_a_client_that_leaves_within_an_early_answer(start):
    bearerd = start(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nabc")
    with bearerd.client() as client:
        client.send(head(b"Content-Length: 1000") + b"x")
        assert client.read_head().status == 200
        client.reset()
    wait_until(lambda: bearerd.api.left == [0], "the upstream connection to be closed")


def test_a_body_that_is_in_keeps_the_connection(start):
    """Nothing is early once the last byte has come."""
    def then(peer):
        while True:
            list(peer.stream.pieces(5))
            if peer.read_head() is None:
                return
            peer.send(BIG)
    bearerd = start(then=then)
    with bearerd.client() as client:
        for _ in range(3):
            answer = client.send(head(b"Content-Length: 5") + b"hello").read()
            assert (answer.status, answer.fields.get("Connection")) == (413, None)


# --- our own answers ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["length", "length, nothing sent", "inside a chunk"])
def test_our_refusal_reaches_a_client_that_still_sends(run, provider, api, kind):
    bearerd = run(provider() + section("route p", {"path": "/p", "provider": "idp",
                                                   "upstream": api.origin}))
    with bearerd.client() as client:
        answer = client.send(UNFINISHED[kind]).read()
        assert (answer.status, answer.problem()["code"]) == (404, "no_route")
        assert client.is_closed()
    with bearerd.client() as client:
        client.send(head(b"Content-Length: %d" % (10 * MIB)))
        client.send(b"x" * (10 * MIB))  # a reset would break this
        assert client.read().status == 404
    assert not api.accepted


@pytest.mark.parametrize("data", [
    head(b"Content-Length: 5", b"Transfer-Encoding: chunked"), head(b"Expect: 200-ok"),
    head(b"Transfer-Encoding: xchunked"), b"TRACE /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    head(method=b"HEAD") .replace(b"/x", b"/../x")], ids=repr)
def test_a_refusal_is_not_lost_to_a_reset(run, provider, api, data):
    """The rest of what the client meant follows a moment later, when the answer is out."""
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    with bearerd.client() as client:
        client.send(data)
        assert client.stream.fill()
        for _ in range(50):
            client.send(b"x" * 1000)
        rest = client.read_rest()
        assert rest.split(b" ")[1] in (b"400", b"405", b"417")
        assert not client.stream.reset
        if data.startswith(b"HEAD"):
            assert rest.endswith(b"\r\n\r\n")
    assert not api.accepted


def test_max_body_ends_an_endless_upload(run, provider, upstream):
    def script(peer):
        peer.read_head()
        peer.wait_closed(40)
    api = upstream(script)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin,
                                                     "max_body": "10k"}))
    with bearerd.client() as client:
        client.send(head(b"Transfer-Encoding: chunked"))
        began = time.monotonic()
        sent = 0
        with pytest.raises(OSError):
            while time.monotonic() - began < 20:
                client.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                sent += 4096
        assert time.monotonic() - began < 15  # reset: the time to linger, or its bytes, are over
    with bearerd.client() as client:
        client.send(head(b"Transfer-Encoding: chunked"))
        for _ in range(100):
            client.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        answer = client.read()
        assert (answer.status, answer.problem()["code"]) == (413, "body_too_large")
        assert client.is_closed()


def test_a_client_that_does_not_close_is_closed(start):
    bearerd = start()
    with bearerd.client() as client:
        assert client.send(UNFINISHED["length"]).read().status == 413
        assert client.is_closed()  # its own side stays open: only ours is
        began = time.monotonic()

        def reset():
            try:
                client.send(b"x")
            except OSError:
                return True
            return False
        wait_until(reset, "the connection to end")
        assert time.monotonic() - began < 2 * LINGER + 2
    wait_until(lambda: int(connections(bearerd)) == 0, "the connection to be freed")


def connections(bearerd):
    text = bearerd.admin("/metrics")[2]
    return next(line.split()[-1] for line in text.splitlines()
                if line.startswith("bearerd_client_connections"))


def test_it_counts_as_done_while_it_lingers(start):
    """Neither the log nor the limit on requests waits for the client to go."""
    bearerd = start(server={"max_in_flight": "1", "workers": "1"})
    clients = [bearerd.client() for _ in range(3)]
    for number, client in enumerate(clients):
        assert client.send(UNFINISHED["length"]).read().status == 413
        bearerd.access_log(number + 1)
    for client in clients:
        client.close()


def test_stopping_does_not_wait_for_those_who_linger(start):
    bearerd = start()
    with bearerd.client() as client:
        assert client.send(UNFINISHED["length"]).read().status == 413
        began = time.monotonic()
        bearerd.stop()
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_leaving_while_it_lingers(start, how):
    bearerd = start()
    for _ in range(5):
        client = bearerd.client()
        assert client.send(UNFINISHED["length"]).read().status == 413
        if how == "half":
            client.half_close()
        else:
            getattr(client, how)()
        wait_until(lambda: int(connections(bearerd)) == 0, "the connection to be freed", 1.5)
        client.close()


def test_expect_continue_gets_the_refusal_instead(run, provider, api):
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin,
                                                     "max_body": "10k"}))
    with bearerd.client() as client:
        answer = client.send(head(b"Content-Length: 20000", b"Expect: 100-continue")).read()
        assert (answer.status, answer.problem()["code"]) == (413, "body_too_large")
