"""Many peers that misbehave at once: normal traffic is served beside them, and memory is bounded."""

import os
import resource
import time

import pytest
from actors import replying, section, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def start(run, provider, upstream):
    def start(server=None, api=None, **keys):
        bearerd = run(provider() + section("route all", {
            "provider": "idp", "upstream": (api or upstream(replying(OK))).origin, **keys}),
            server={"workers": "2", **(server or {})})
        assert bearerd.get("/warm-up").status == 200
        return bearerd
    return start


def served_beside(bearerd, count=30, within=5.0):
    """Normal requests are answered, and each soon."""
    for _ in range(count):
        began = time.monotonic()
        assert bearerd.get("/x").status == 200
        assert time.monotonic() - began < within


def crowd(bearerd, count, first_bytes):
    clients = [bearerd.client() for _ in range(count)]
    for client in clients:
        client.send(first_bytes)
    return clients


@pytest.mark.parametrize("first_bytes", [
    b"", b"G", b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ",
    b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\nabc",
    b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc",
], ids=["silent", "one byte", "half a head", "half a body", "half a chunk"])
def test_slow_clients(start, first_bytes):
    # A connection of its own for each half body: the pool must not be what is short.
    bearerd = start(upstream_connections="1000")
    before = bearerd.rss_kib()
    clients = crowd(bearerd, 250, first_bytes)
    served_beside(bearerd)
    assert bearerd.rss_kib() - before < 120_000  # with a sanitizer's share
    for client in clients:
        client.close()
    served_beside(bearerd)


def connections(bearerd):
    """The descriptors of its TCP sockets, those it listens on too."""
    with open("/proc/net/tcp") as table:
        inodes = {line.split()[9] for line in list(table)[1:]}
    folder = f"/proc/{bearerd.process.pid}/fd"
    found = []
    for name in os.listdir(folder):
        try:
            found.append(os.readlink(f"{folder}/{name}"))
        except FileNotFoundError:  # closed meanwhile
            pass
    return [link for link in found if link[len("socket:["):-1] in inodes]


def test_clients_that_leave_again_and_again(start, upstream):
    """What they held is freed."""
    def slow(peer):
        while peer.read_request() is not None and not peer.upstream.stopping.wait(0.05):
            peer.send(OK)
    bearerd = start(api=upstream(replying(OK), slow))

    def held():
        """Connections, without those that are kept for later requests."""
        idle = bearerd.metric("bearerd_upstream_connections", "idle")
        return len(connections(bearerd)) - idle
    before = held()
    for _ in range(10):
        for client in crowd(bearerd, 30, b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"):
            client.reset()
    wait_until(lambda: held() <= before + 1, "connections to be given back")
    assert bearerd.metric("bearerd_requests_in_flight") == 0
    served_beside(bearerd)


def test_max_connections(start):
    """Past it new ones wait in the backlog, and are served when there is room."""
    bearerd = start({"max_connections": "4", "workers": "1"})
    clients = [bearerd.client() for _ in range(4)]
    for client in clients:
        assert client.get("/x").status == 200
    late = bearerd.client()
    late.send(late.head("GET", "/late"))
    late.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        late.read()
    clients.pop().close()
    late.sock.settimeout(10)
    assert late.read().status == 200
    for client in clients:
        assert client.get("/x").status == 200
        client.close()


def test_no_descriptors_left(configure, provider, upstream):
    """At the limit new connections wait or fail; the process lives and recovers."""
    api = upstream(replying(OK))
    bearerd = configure(provider() + section("route all", {
        "provider": "idp", "upstream": api.origin}), server={"workers": "1"}).start()
    assert bearerd.get("/x").status == 200
    resource.prlimit(bearerd.process.pid, resource.RLIMIT_NOFILE, (60, 60))
    clients = [bearerd.client() for _ in range(100)]
    bearerd.wait_quiet(0.5)
    for client in clients:
        client.close()
    wait_until(lambda: bearerd.metric("bearerd_client_connections") == 0, "them to be gone")
    served_beside(bearerd, 3)


@pytest.mark.parametrize("state", ["idle", "kept client", "waiting for an answer"])
def test_it_does_not_spin(start, upstream, state):
    """Whatever it waits for, it waits without using the processor."""
    def script(peer):
        while peer.read_request() is not None:
            if len(peer.upstream.requests) > 2:
                peer.stall()
            peer.send(OK)
    api = upstream(script)
    bearerd = start(api=api)
    client = bearerd.client()
    if state != "idle":
        assert client.get("/x").status == 200
    if state == "waiting for an answer":
        client.send(client.head("GET", "/slow"))
        api.wait_requests(3)
    bearerd.wait_quiet()
    client.close()
