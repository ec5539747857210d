"""A client that means harm, or is just odd: nothing waits for ever, nothing spins, nothing is mixed up.

RFC 9112 7.1 (chunks of a request), 9.3.2 (pipelining), 9.6 (closing), RFC 9110 7.6.2 (Max-Forwards).
"""

import os
import threading
import time

import pytest
from actors import Truncated, replying, section, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def start(run, upstream):
    def start(*scripts, server=None, **route):
        api = upstream(*(scripts or [replying(OK)]))
        bearerd = run(section("route all", {"provider": "none", "upstream": api.origin, **route}),
                      server=server)
        bearerd.api = api
        return bearerd
    return start


def head(*lines, method=b"POST", version=b"1.1", target=b"/x"):
    return b"\r\n".join((method + b" " + target + b" HTTP/" + version, b"Host: 127.0.0.1")
                        + lines + (b"", b""))


def cpu_seconds(bearerd):
    with open(f"/proc/{bearerd.process.pid}/stat") as text:
        fields = text.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def assert_no_spin(bearerd, seconds=1.0, within=10.0):
    """Once it has digested what came it is quiet: one that spins never is."""
    def is_quiet():
        before = cpu_seconds(bearerd)
        threading.Event().wait(seconds)
        return cpu_seconds(bearerd) - before < seconds / 4
    wait_until(is_quiet, "the processor to be left alone", within)


def ends(client, most):
    """The connection ends within so many seconds; returns what came."""
    began = time.monotonic()
    client.sock.settimeout(most)
    try:
        rest = client.read_rest()
    except TimeoutError:
        raise AssertionError(f"still open after {most} s: {client.stream.buffer[:200]!r}") from None
    assert time.monotonic() - began < most
    return rest


# --- chunks that lead nowhere ---------------------------------------------------------------------

ENDLESS = {
    "an extension": (b"5;", b"a" * 1000),
    "zeros before a size": (b"", b"0" * 1000),
    "a trailer": (b"5\r\nhello\r\n0\r\nX-T: ", b"a" * 1000),
    "trailers": (b"5\r\nhello\r\n0\r\n", b"X-T: 1\r\n" * 100),
    "empty-handed": (b"5\r\nhel", b""),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_body_that_leads_nowhere(start, kind):
    """Bounded in time and bytes; the upstream never sees a complete message."""
    first, more = ENDLESS[kind]
    received = []

    def script(peer):
        try:
            received.append(peer.read_request() is not None)
        except (Truncated, ConnectionError):
            received.append(False)
    bearerd = start(script, server={"body_timeout": "1s"})
    kib = bearerd.rss_kib()
    with bearerd.client() as client:
        client.send(head(b"Transfer-Encoding: chunked") + first)
        try:
            for _ in range(500):
                client.send(more)
        except OSError:
            pass
        assert_no_spin(bearerd, 0.5, within=0)  # the connection ends after a second
        rest = ends(client, 10)
        assert not rest or rest.split(b" ")[1][:1] in (b"4", b"5"), rest
    assert bearerd.rss_kib() - kib < 8192
    assert True not in received
    assert bearerd.get("/x").status in (200, 502)


def test_a_line_that_fills_the_buffer_and_those_beside_it(start):
    """However much of it there is, nothing spins; an upload that just pauses goes on afterwards."""
    bearerd = start(server={"workers": "1"})
    honest = bearerd.client()
    honest.send(head(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n3")
    hostile = [bearerd.client() for _ in range(200)]
    for number, client in enumerate(hostile):
        client.send(head(b"Transfer-Encoding: chunked") + b"5;" + b"a" * (12_000 + 25 * number))
    assert_no_spin(bearerd)
    for client in hostile:
        client.close()
    assert bearerd.get("/y").body == b"ok"
    assert honest.send(b"\r\nabc\r\n0\r\n\r\n").read().body == b"ok"
    honest.close()
    assert [request.body for request in bearerd.api.requests if request.target == "/x"
            and request.body] == [b"helloabc"]


def test_a_trailer_that_drips_is_ended(start):
    """No byte of body comes any more, so neither its rate nor its pauses count: the end must."""
    bearerd = start(lambda peer: peer.wait_closed(), server={"body_timeout": "1s"})
    with bearerd.client() as client:
        client.send(head(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\nX-T: ")
        stop = threading.Event()

        def drip():
            while not stop.wait(0.2):
                try:
                    client.send(b"a")
                except OSError:
                    return
        threading.Thread(target=drip, daemon=True).start()
        try:
            ends(client, 8)
        finally:
            stop.set()


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
def test_a_bad_one_in_a_pipeline_ends_it(start, bad):
    """What came before is answered, what comes after is not read."""
    bearerd = start()
    with bearerd.client() as client:
        client.send(head(method=b"GET", target=b"/good") + bad
                    + head(method=b"GET", target=b"/smuggled"))
        assert client.read().body == b"ok"
        rest = client.read_rest()
        assert not rest or rest.split(b" ")[1] == b"400" and b"\r\n\r\nok" not in rest
    assert [request.target for request in bearerd.api.requests] == ["/good"]


def test_what_follows_an_early_answer_is_no_request(start):
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


def test_many_pipelined_requests_are_held_back(start):
    """A client that sends and never reads fills no memory."""
    bearerd = start(replying(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"y" * 10_000))
    assert bearerd.get("/x").status == 200
    kib = bearerd.rss_kib()
    with bearerd.client() as client:
        client.sock.settimeout(1)
        with pytest.raises(OSError):
            for _ in range(100_000):
                client.send(head(method=b"GET") * 20)
        assert_no_spin(bearerd)
        assert bearerd.rss_kib() - kib < 8192
        assert bearerd.get("/x").status == 200


# --- half-closed clients, RFC 9112 9.6 ------------------------------------------------------------


@pytest.mark.parametrize("request_bytes", [
    head(method=b"GET"), head(b"Content-Length: 5") + b"hello",
    head(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
    head(method=b"GET", version=b"1.0")], ids=["GET", "length", "chunked", "1.0"])
def test_a_half_closed_client_gets_a_slow_answer(start, request_bytes):
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


def test_half_a_body_and_a_half_close(start):
    """The body can never become whole: nobody waits for it."""
    ended = []

    def script(peer):
        try:
            ended.append(peer.read_request())
        except Truncated:
            ended.append("truncated")
    bearerd = start(script)
    with bearerd.client() as client:
        client.send(head(b"Content-Length: 10") + b"hello")
        bearerd.api.wait_requests(1)
        client.half_close()
        ends(client, 10)
    wait_until(lambda: ended, "the end at the upstream")
    assert ended == ["truncated"]


# --- odd, but allowed -----------------------------------------------------------------------------


def test_http_1_0_keeps_alive_when_asked(start):
    bearerd = start()
    with bearerd.client() as client:
        for _ in range(2):
            answer = client.send(head(b"Connection: keep-alive", method=b"GET",
                                      version=b"1.0")).read()
            assert answer.body == b"ok"
            if (answer.fields.get("Connection") or "").lower() != "keep-alive":
                assert client.is_closed()
                break


@pytest.mark.parametrize("value,status", [
    (b"0", 200), (b"5", 200), (b"-1", 400), (b"x", 400), (b"1, 2", 400), (b"", 400),
    (b"99999999999999999999", 400)])
def test_max_forwards_on_any_method(start, value, status):
    bearerd = start()
    assert bearerd.exchange(head(b"Max-Forwards: " + value, method=b"GET")).status == status


def test_two_max_forwards(start):
    assert start().exchange(head(b"Max-Forwards: 1", b"Max-Forwards: 2",
                                 method=b"OPTIONS")).status == 400


@pytest.mark.parametrize("method", [b"PROPFIND", b"PURGE", b"X" * 100])
def test_unknown_methods_pass(start, method):
    bearerd = start()
    assert bearerd.exchange(head(method=method)).status == 200
    assert bearerd.api.requests[0].method == method.decode()


# --- open-proxy attempts, RFC 9112 3.2.2 ----------------------------------------------------------


@pytest.mark.parametrize("target,status", [
    (b"http://evil.example/x", (421,)), (b"http://127.0.0.1@evil.example/x", (400, 421)),
    (b"http://evil.example\\@127.0.0.1/x", (400,)), (b"http://127.0.0.1:80:80/x", (400,)),
    (b"//evil.example/x", (200,)), (b"http:///x", (400,)), (b"ftp://127.0.0.1/x", (400,)),
    (b"http://[::1/x", (400,)), (b"evil.example:443", (400,)), (b"http://evil.example%2f@h/", (400,)),
    (b"http://127.0.0.1#@evil.example/", (400,)), (b"javascript:alert(1)", (400,))])
def test_no_open_proxy(start, target, status):
    """Whatever a client writes, the upstream is the route's."""
    bearerd = start()
    answer = bearerd.exchange(head(method=b"GET", target=target))
    assert answer.status in status, answer
    for request in bearerd.api.requests:
        assert request.fields.get("Host") == bearerd.api.authority
        assert request.target == target.decode()
