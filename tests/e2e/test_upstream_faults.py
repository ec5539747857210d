"""An upstream that breaks the rules, is not there, or takes too long: a clean error, no crash."""

import socket
import time

import pytest
from actors import Truncated, section
from actors.ports import HeldPort


@pytest.fixture
def start(run, provider, upstream):
    def start(*scripts, origin=None, server=None, **route):
        api = None if origin else upstream(*scripts)
        bearerd = run(provider() + section("route all", {
            "provider": "idp", "upstream": origin or api.origin, **route}), server=server)
        bearerd.api = api
        return bearerd
    return start


def once(data):
    def script(peer):
        if peer.read_request() is not None:
            peer.send(data)
            peer.half_close()
            peer.wait_closed()
    return script


def code(answer):
    assert answer.fields.get("Proxy-Status").startswith("bearerd; error=")
    return answer.status, answer.problem()["code"]


OK = b"HTTP/1.1 200 OK\r\n"
BROKEN = {
    "nothing": b"",
    "garbage": b"SSH-2.0-OpenSSH_9.2\r\n",
    "binary": bytes(range(256)),
    "http/0.9": b"<html>hello</html>",
    "http/2": b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "http/1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
    "lower case": b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "no head's end": OK + b"Content-Length: 0\r\n",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
    "two lengths in one": OK + b"Content-Length: 2, 3\r\n\r\nokk",
    "a signed length": OK + b"Content-Length: +2\r\n\r\nok",
    "a negative length": OK + b"Content-Length: -2\r\n\r\nok",
    "a hex length": OK + b"Content-Length: 0x2\r\n\r\nok",
    "an empty length": OK + b"Content-Length: \r\n\r\nok",
    "a huge length": OK + b"Content-Length: 99999999999999999999\r\n\r\nok",
    "length and chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
                              b"2\r\nok\r\n0\r\n\r\n",
    "unknown coding": OK + b"Transfer-Encoding: gzip\r\n\r\nok",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunks in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before colon": OK + b"X-A : 1\r\nContent-Length: 0\r\n\r\n",
    "space in a name": OK + b"X A: 1\r\nContent-Length: 0\r\n\r\n",
    "no colon": OK + b"XA\r\nContent-Length: 0\r\n\r\n",
    "empty name": OK + b": 1\r\nContent-Length: 0\r\n\r\n",
    "folded": OK + b"X-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
    "NUL": OK + b"X-A: 1\x002\r\nContent-Length: 0\r\n\r\n",
    "bare CR": OK + b"X-A: 1\r2\r\nContent-Length: 0\r\n\r\n",
    "unasked 101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "fields past 64 KiB": OK + b"X-A: " + b"a" * 70000 + b"\r\nContent-Length: 0\r\n\r\n",
    "many fields past 64 KiB": OK + b"X-A: 12345\r\n" * 8000 + b"Content-Length: 0\r\n\r\n",
    "an endless status line": b"HTTP/1.1 200 " + b"a" * 70000,
}


@pytest.mark.parametrize("name", BROKEN)
def test_it_breaks_the_rules(start, name):
    bearerd = start(once(BROKEN[name]))
    answer = bearerd.get("/x")
    assert answer.status == 502
    assert code(answer)[1] == "upstream_protocol" or name == "nothing"
    assert len(bearerd.api.requests) == 1
    assert not answer.body.count(b"OpenSSH")


def test_endless_fields(start):
    """Bounded memory, however long it goes on."""
    def script(peer):
        peer.read_request()
        peer.send(OK)
        while True:
            peer.send(b"X-Filler: abcdefghijklmnopqrstuvwxyz\r\n" * 1000)
    bearerd = start(script)
    before = bearerd.rss_kib()
    assert code(bearerd.get("/x")) == (502, "upstream_protocol")
    assert bearerd.rss_kib() - before < 20_000


def test_a_reset_before_the_answer(start):
    def script(peer):
        peer.read_request()
        peer.reset()
    assert start(script).get("/x").status == 502


def test_nobody_listens(start, stage):
    held = HeldPort()
    try:
        bearerd = start(origin=f"http://127.0.0.1:{held.port}")
        assert code(bearerd.get("/x")) == (502, "upstream_unreachable")
        assert bearerd.post("/x", b"x" * 100_000).status == 502
    finally:
        held.close()


def test_an_unknown_name(start):
    bearerd = start(origin="https://no-such-host.invalid")
    answer = bearerd.get("/x")
    assert code(answer) == (502, "upstream_unreachable")


def test_it_does_not_take_the_connection(start):
    """A listener whose queue is full answers no SYN."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    try:
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        bearerd = start(origin=f"http://127.0.0.1:{listener.getsockname()[1]}",
                        connect_timeout="1s")
        began = time.monotonic()
        answer = bearerd.get("/x")
        assert time.monotonic() - began < 8
        assert code(answer) == (504, "upstream_timeout")
        assert "connect_timeout" in answer.problem()["detail"]
    finally:
        for one in fillers + [listener]:
            one.close()


def test_it_does_not_answer(start):
    def script(peer):
        peer.read_request()
        peer.stall()
    bearerd = start(script, response_timeout="1s")
    began = time.monotonic()
    answer = bearerd.get("/x")
    assert 0.9 < time.monotonic() - began < 8
    assert code(answer) == (504, "upstream_timeout")
    assert "response_timeout" in answer.problem()["detail"]
    assert bearerd.post("/x", b"abc").status == 504
    assert len(bearerd.api.requests) == 2


def test_it_drips_its_head(start):
    """The time to the answer is a whole: a byte now and then does not prolong it for ever."""
    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nX-A: ")
        while not peer.upstream.stopping.wait(0.2):
            peer.send(b"a")
    bearerd = start(script, response_timeout="1s", read_timeout="1s")
    with bearerd.client(timeout=15) as client:
        assert client.get("/x").status in (502, 504)


def test_it_falls_silent_inside_its_answer(start):
    def script(peer):
        peer.read_request()
        peer.send(OK + b"Content-Length: 100\r\n\r\nabc")
        peer.stall()
    bearerd = start(script, read_timeout="1s")
    began = time.monotonic()
    with bearerd.client() as client:
        client.send(client.head("GET", "/x"))
        with pytest.raises(Truncated):
            client.read()
    assert 0.9 < time.monotonic() - began < 8


def test_an_early_answer_while_the_body_comes(start):
    """413 before the body was read: the client gets it, and nothing hangs."""
    def script(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
        peer.half_close()
        peer.wait_closed()
    bearerd = start(script)
    with bearerd.client() as client:
        client.send(client.head("POST", "/x", body=b"x" * 5_000_000))
        try:
            client.send(b"x" * 5_000_000)
        except OSError:
            pass
        assert client.read().status == 413


def test_a_good_request_beside_bad_ones(start):
    """A broken answer spoils nobody else's."""
    def script(peer):
        while (request := peer.read_request()) is not None:
            good = request.target == "/good"
            peer.send(OK + b"Content-Length: 2\r\n\r\nok" if good else b"nonsense\r\n\r\n")
    bearerd = start(script)
    for _ in range(10):
        assert bearerd.get("/bad").status == 502
        assert bearerd.get("/good").status == 200
