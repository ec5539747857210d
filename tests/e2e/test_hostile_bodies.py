"""A body that means harm: nothing waits for ever, nothing spins, nothing whole goes upstream.

RFC 9112 7.1 (chunks of a request) and 9.6 (closing).
"""

import threading
import time

import pytest
from actors import Truncated, replying, section, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


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
        bearerd.wait_quiet(0.5, within=0)  # the connection ends after a second
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
    bearerd.wait_quiet()
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
