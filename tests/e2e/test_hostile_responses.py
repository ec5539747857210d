"""An upstream that means harm: what it sends reaches its own request's client, or nobody.

RFC 9112 6.3 (how long a message is), 7.1 (chunks), 8 (incomplete messages), 9.3 (who owns what on a
connection), and 11.1 (response splitting).
"""

import threading
import time

import pytest
from actors import Truncated, replying, section, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EVIL = b"HTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 4\r\n\r\nevil"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def start(run, upstream):
    """One worker, so that the pool is one; no provider, so that no answer is looked into."""
    def start(*scripts, server=None, **route):
        api = upstream(*scripts)
        bearerd = run(section("route all", {"provider": "none", "upstream": api.origin, **route}),
                      server={"workers": "1", **(server or {})})
        bearerd.api = api
        return bearerd
    return start


def visible(bearerd, method="GET"):
    """What a client sees: an error of ours, a cut, or the answer."""
    with bearerd.client() as client:
        try:
            answer = client.request(method, "/x")
        except Truncated:
            return "cut"
    if "Proxy-Status" in answer.fields:
        assert (answer.status, answer.problem()["code"]) == (502, "upstream_protocol")
        return "refused"
    return answer.body


# --- chunks, RFC 9112 7.1 -------------------------------------------------------------------------

BAD_CHUNKS = {
    "a size in C": b"0x2\r\nok\r\n0\r\n\r\n",
    "a plus": b"+2\r\nok\r\n0\r\n\r\n",
    "a minus": b"-2\r\nok\r\n0\r\n\r\n",
    "a blank before": b" 2\r\nok\r\n0\r\n\r\n",
    "no size": b"\r\nok\r\n0\r\n\r\n",
    "no hex": b"g\r\nok\r\n0\r\n\r\n",
    "an underscore": b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "past 64 bits": b"10000000000000002\r\nok\r\n0\r\n\r\n",
    "the most of 64 bits": b"ffffffffffffffff\r\nok\r\n0\r\n\r\n",
    "more than said": b"2\r\nokk\r\n0\r\n\r\n",
    "less than said": b"3\r\nok\r\n0\r\n\r\n",
    "bare LF after the size": b"2\nok\r\n0\r\n\r\n",
    "bare LF after the data": b"2\r\nok\n0\r\n\r\n",
    "bare LF at the end": b"2\r\nok\r\n0\r\n\n",
    "bare CR after the size": b"2\rok\r\n0\r\n\r\n",
    "NUL in an extension": b"2;a=\x00\r\nok\r\n0\r\n\r\n",
    "bare LF in an extension": b"2;a=\nb\r\nok\r\n0\r\n\r\n",
    "an endless extension": b"2;" + b"a" * 100_000 + b"\r\nok\r\n0\r\n\r\n",
    "a trailer that is none": b"2\r\nok\r\n0\r\nno colon\r\n\r\n",
    "endless trailers": b"2\r\nok\r\n0\r\n" + b"X-T: 1\r\n" * 20_000 + b"\r\n",
    "two last chunks": b"2\r\nok\r\n0\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("split", [False, True], ids=["at once", "after the head"])
@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_bad_chunks(start, name, split):
    def script(peer):
        if peer.read_request() is None:
            return
        if split:
            peer.send_pieces(CHUNKED, BAD_CHUNKS[name], pause=0.1)
        else:
            peer.send(CHUNKED + BAD_CHUNKS[name])
        peer.half_close()
        peer.wait_closed()
    bearerd = start(script)
    assert visible(bearerd) in ("cut", "refused")
    assert visible(bearerd) in ("cut", "refused")  # the connection of the first is not used again
    assert bearerd.api.accepted == 2


@pytest.mark.parametrize("chunks", [
    b"2\r\nok\r\n0\r\n\r\n", b"00000002\r\nok\r\n000\r\n\r\n", b"2;a\r\nok\r\n0;b=\"c\"\r\n\r\n",
    b"1\r\no\r\n1\r\nk\r\n0\r\nX-T: 1\r\nContent-Length: 5\r\n\r\n", b"A\r\n0123456789\r\n0\r\n\r\n"],
    ids=repr)
def test_good_chunks_in_any_pieces(start, chunks):
    def script(peer):
        while peer.read_request() is not None:
            for at in range(len(chunks)):
                peer.send_pieces(chunks[at:at + 1] if at else CHUNKED + chunks[:1], pause=0.002)
    bearerd = start(script)
    body = visible(bearerd)
    assert body in (b"ok", b"0123456789") and visible(bearerd) == body
    assert bearerd.api.accepted == 1


@pytest.mark.parametrize("lengths", [
    b"Content-Length: 2\r\nContent-Length: 3\r\n", b"Content-Length: 2, 2\r\n",
    b"Content-Length: 2 2\r\n", b"Content-Length: 2\r\ncontent-length: 0x2\r\n",
    b"Content-Length: 2\r\nTransfer-Encoding: identity\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n", b"Transfer-Encoding: chunked;q=1\r\n",
    b"Transfer-Encoding : chunked\r\n", b"Content-Length: 2\r\n\tX: 1\r\n"], ids=repr)
def test_any_doubt_about_the_length(start, lengths):
    bearerd = start(replying(b"HTTP/1.1 200 OK\r\n" + lengths + b"\r\nok"))
    assert visible(bearerd) == "refused"


def test_one_length_said_twice(start):
    """RFC 9112 6.3 lets equal ones pass as one; the strict client of this test sees only one."""
    bearerd = start(replying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"))
    assert visible(bearerd) == b"ok"


# --- nothing of one answer in the next, RFC 9112 9.3 and 11.1 -------------------------------------

SURPLUS = {
    "length": OK,
    "chunked": CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n",
    "empty": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}


def answering_evil(kind, delay):
    """The first request gets its answer and another that it did not ask for."""
    def script(peer):
        peer.read_request()
        if delay is None:
            peer.send(SURPLUS[kind] + EVIL)
        else:
            peer.send_pieces(SURPLUS[kind], EVIL, pause=delay)
        while peer.read_request() is not None:
            peer.send(b"HTTP/1.1 500 Never\r\nContent-Length: 0\r\n\r\n")
        peer.upstream.left.append(peer.number)
    return script


@pytest.mark.parametrize("delay", [None, 0.05], ids=["at once", "later"])
@pytest.mark.parametrize("kind", SURPLUS)
def test_an_answer_nobody_asked_for(start, kind, delay):
    bearerd = start(answering_evil(kind, delay), replying(OK))
    with bearerd.client() as client:
        first = client.get("/first")
        assert first.body == (b"ok" if kind in ("length", "chunked") else b"")
        if delay:  # before they are there nobody can know of them
            wait_until(lambda: bearerd.api.left == [0], "the connection to be dropped")
        for method in ("POST", "GET"):
            answer = client.request(method, "/next", body=b"{}")
            assert (answer.status, answer.body) == (200, b"ok")
            assert "X-Evil" not in answer.fields
    assert [request.target for request in bearerd.api.requests] == ["/first", "/next", "/next"]
    assert bearerd.api.accepted == 2


def test_head_with_a_body(start):
    """RFC 9110 9.3.2: what follows the head of an answer to HEAD belongs to nobody."""
    bearerd = start(replying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(EVIL) + EVIL),
                    replying(OK))
    with bearerd.client() as client:
        assert client.request("HEAD", "/x").status == 200
        assert client.get("/next").body == b"ok"
    assert bearerd.api.accepted == 2


@pytest.mark.parametrize("status", [b"408 Request Timeout", b"200 OK", b"100 Continue"])
def test_what_an_idle_connection_says(start, status):
    """A server that gives up an idle connection with words: even a POST goes to a new one, once."""
    said = threading.Event()

    def script(peer):
        peer.read_request()
        peer.send_pieces(OK, b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n", pause=0.1)
        said.set()
        peer.wait_closed()
    bearerd = start(script, replying(OK))
    assert bearerd.get("/first").body == b"ok"
    assert said.wait(5)
    wait_until(lambda: bearerd.api.left == [0], "the connection to be dropped")
    assert bearerd.post("/next", b"{}").body == b"ok"
    assert [request.target for request in bearerd.api.requests] == ["/first", "/next"]


def test_an_answer_before_the_request(start):
    """A banner of another protocol, or an answer planted in a new connection."""
    def script(peer):
        peer.send(EVIL)
        peer.wait_closed()
    bearerd = start(script)
    with bearerd.client() as client:
        client.send(b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n")
        assert client.read().status in (200, 502)
        client.send(b"0123456789")
    assert visible(bearerd) in (b"evil", "refused")
    assert bearerd.api.accepted == 2  # such a connection serves nobody a second time


# --- interim answers, RFC 9110 15.2 ---------------------------------------------------------------


def test_interim_answers_that_drip_for_ever(start):
    """The time to a final head is a whole."""
    def script(peer):
        peer.read_request()
        try:
            while not peer.upstream.stopping.wait(0.2):
                peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        except OSError:
            pass
    bearerd = start(script, response_timeout="1s", read_timeout="1s")
    began = time.monotonic()
    assert bearerd.get("/x").status in (502, 504)
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("interim", [
    b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n"])
def test_interim_answers_have_no_body(start, interim):
    """RFC 9112 6.3: whatever their fields say, what follows is the next head."""
    assert visible(start(replying(interim + OK))) in (b"ok", "refused")


def test_101_after_100(start):
    assert visible(start(replying(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching\r\n"
                                  b"Connection: upgrade\r\nUpgrade: x\r\n\r\n"))) == "refused"


def test_101_though_the_client_asked(start):
    """Upgrade is of one connection (RFC 9110 7.8): it was not passed on, so nobody may accept."""
    bearerd = start(replying(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\n"
                             b"Upgrade: websocket\r\n\r\n"))
    answer = bearerd.get("/x", [("Connection", "Upgrade"), ("Upgrade", "websocket")])
    assert (answer.status, answer.problem()["code"]) == (502, "upstream_protocol")
    assert "Upgrade" not in bearerd.api.requests[0].fields


# --- fields that must not split the client's answer, RFC 9112 11.1 --------------------------------


@pytest.mark.parametrize("line", [
    b"X-A: 1\rX-Evil: 1", b"X-A: 1\nX-Evil: 1", b"X-A: 1\r\n\tX-Evil: 1", b"X-A: \x00",
    b"Location: /\rX-Evil: 1", b"Set-Cookie: a\nX-Evil: 1", b"X-A\r: 1", b"\tX-A: 1", b"X-\xe9: 1"])
def test_a_field_that_would_split(start, line):
    bearerd = start(replying(b"HTTP/1.1 302 Found\r\n" + line + b"\r\nContent-Length: 0\r\n\r\n"))
    assert visible(bearerd) == "refused"


def test_our_own_names_in_an_answer(start):
    """The API cannot speak for bearerd: a Proxy-Status of it passes, but ours has our name."""
    bearerd = start(replying(b"HTTP/1.1 503 No\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\n"
                             b"Transfer-Encoding: chunked\r\nProxy-Authenticate: Basic\r\n"
                             b"Proxy-Connection: x\r\n\r\n0\r\n\r\n"))
    with bearerd.client() as client:
        answer = client.get("/x")
        assert answer.status == 503
        names = [name.lower() for name, _ in answer.fields]
        assert "proxy-authenticate" not in names and "proxy-connection" not in names
        assert client.get("/x").status == 503


# --- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("framing", [b"Transfer-Encoding: chunked\r\n", b""])
def test_events_are_not_held_back(start, framing, version):
    """Each server-sent event is with the client before the next is sent, whatever the framing."""
    go = threading.Event()

    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + framing + b"\r\n")
        for number in range(5):
            data = b"data: %d\n\n" % number
            peer.send(b"%x\r\n%b\r\n" % (len(data), data) if framing else data)
            peer.wait(go)
            go.clear()
        peer.send(b"0\r\n\r\n" if framing else b"")
    bearerd = start(script)
    with bearerd.client() as client:
        client.send(b"GET /x HTTP/" + version + b"\r\nHost: 127.0.0.1\r\n\r\n")
        assert client.read_head().status == 200
        for number in range(5):
            while b"data: %d\n\n" % number not in client.stream.buffer:
                assert client.stream.fill()
            go.set()


def test_an_upstream_that_never_ends_a_small_answer(start):
    """Bytes beyond the length, for ever: the client has its answer, the connection ends.

    A request that takes the connection before the first of them has come gets them as its answer,
    which is refused: so each waits until the one before has had its end.
    """
    def script(peer):
        peer.read_request()
        try:
            peer.send(OK)
            while True:
                peer.send(b"y" * 65536)
        except OSError:
            peer.upstream.left.append(peer.number)
    bearerd = start(script)
    for number in range(4):
        if number == 3:
            before = bearerd.rss_kib()
        assert visible(bearerd) == b"ok"
        wait_until(lambda: len(bearerd.api.left) == number + 1, "the end of the connection")
    assert bearerd.rss_kib() - before < 8192
    assert bearerd.api.accepted == 4
