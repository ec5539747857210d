"""Streaming: any size in bounded memory, both ways, and what comes in pieces goes out in pieces."""

import os
import threading
import time

import pytest
from actors import in_parallel, section, wait_until
from actors.upstream import Digest, generated, generated_digest

MIB = 1024 * 1024
# The promise is for any size. Sanitizers are slow, so 256 MiB by default.
SIZE = int(os.environ.get("BEARERD_TEST_STREAM_MIB", "256")) * MIB
GROWTH_KIB = 24 * 1024  # buffers, and what a sanitizer keeps in quarantine


class Watched:
    """The largest growth of a process's memory while something runs."""

    def __init__(self, bearerd):
        self.bearerd, self.before, self.most = bearerd, bearerd.rss_kib(), 0

    def look(self):
        self.most = max(self.most, self.bearerd.rss_kib() - self.before)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_large_answer(proxy, chunked):
    assert proxy.get("/warm-up").status == 200
    digest, memory = Digest(), Watched(proxy)

    def sink(piece):
        digest(piece)
        if digest.length % (32 * MIB) < len(piece):
            memory.look()
    with proxy.client() as client:
        client.send(client.head("GET", f"/stream/{SIZE}" + ("?chunked" if chunked else "")))
        answer = client.read(sink=sink)
    assert answer.framing == ("chunked" if chunked else "length")
    assert digest.result() == generated_digest(SIZE)
    assert memory.most < GROWTH_KIB


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_large_upload(proxy, chunked):
    assert proxy.get("/warm-up").status == 200
    memory = Watched(proxy)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {SIZE}"
    with proxy.client() as client:
        client.send(f"POST /sink HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}\r\n\r\n".encode())
        for number, block in enumerate(generated(SIZE)):
            client.send(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
            if number % 32 == 0:
                memory.look()
        if chunked:
            client.send(b"0\r\n\r\n")
        answer = client.read()
    assert answer.json() == generated_digest(SIZE)
    assert memory.most < GROWTH_KIB


def test_a_slow_reader_slows_the_upstream(run, provider, upstream):
    """A client that takes nothing costs a bounded buffer, not the whole answer."""
    sent = []

    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
        for block in generated(64 * MIB):
            peer.send(block)
            sent.append(len(block))
    api = upstream(script)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    with bearerd.client() as client:
        client.send(client.head("GET", "/x"))
        assert client.read_head().status == 200
        wait_until(lambda: sent, "the first MiB to leave the upstream")
        memory = Watched(bearerd)
        still = len(sent)

        def settled():
            nonlocal still
            memory.look()
            time.sleep(0.3)
            settled, still = still == len(sent), len(sent)
            return settled
        wait_until(settled, "the upstream to be held back")
        assert len(sent) < 40
        assert memory.most < GROWTH_KIB


def test_a_slow_upstream_slows_the_uploader(run, provider, upstream):
    go = threading.Event()

    def script(peer):
        peer.read_head()
        peer.wait(go, 40)
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    api = upstream(script)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    memory = Watched(bearerd)
    with bearerd.client() as client:
        client.send(client.head("POST", "/x", [("Content-Length", str(256 * MIB))]))
        client.sock.settimeout(1)
        taken = 0
        try:
            for block in generated(256 * MIB):
                taken += client.sock.send(block)
        except TimeoutError:
            pass
        memory.look()
        assert taken < 64 * MIB
        assert memory.most < GROWTH_KIB
        go.set()


def test_server_sent_events_arrive_one_by_one(proxy, api):
    with proxy.client() as client:
        client.send(client.head("GET", "/events"))
        assert client.read_head().fields.get("Content-Type") == "text/event-stream"
        for number in range(5):
            api.push_event(f"event {number}")
            assert int(client.stream.line(), 16) == len(f"data: event {number}\n\n")
            assert client.stream.line() == b"data: event %d\n" % number
            assert client.stream.line() == b"\n"
            assert client.stream.line() == b"\r\n"
        api.push_event(None)
        assert client.stream.line() == b"0\r\n"


def test_50_clients_stream_at_once(proxy):
    expected = generated_digest(2 * MIB)

    def stream(number):
        digest = Digest()
        with proxy.client() as client:
            client.send(client.head("GET", f"/stream/{2 * MIB}" + ("?chunked" * (number % 2))))
            client.read(sink=digest)
        return digest.result()
    assert in_parallel(50, stream) == [expected] * 50


def test_stalled_readers_do_not_stop_others(proxy):
    stalled = [proxy.client() for _ in range(20)]
    for client in stalled:
        client.send(client.head("GET", f"/stream/{32 * MIB}"))
    for client in stalled:
        assert client.read_head().status == 200
    memory = Watched(proxy)
    for _ in range(20):
        assert proxy.get("/x").status == 200
    memory.look()
    assert memory.most < GROWTH_KIB
    for client in stalled:
        client.close()
