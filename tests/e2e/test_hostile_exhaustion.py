"""What runs out, or is held back on purpose, costs those who do it and nobody else.

Descriptors, heads that drip (slowloris), bodies that drip, readers that stall. The sizes are those
of the promise; BEARERD_TEST_RELEASE=1 checks its memory too, which a sanitizer would spoil.
"""

import os
import socket
import stat
import threading
import time

import pytest
from actors import Upstream, section, wait_until

MIB = 1024 * 1024
GROWTH_KIB = 16 * 1024 if os.environ.get("BEARERD_TEST_RELEASE") else 64 * 1024


def descriptors(bearerd):
    return len(os.listdir(f"/proc/{bearerd.process.pid}/fd"))


def served(client, target="/x"):
    try:
        return client.get(target).status == 200
    except (OSError, AssertionError):
        return False


def latencies(bearerd, count):
    """The times of so many requests over a few kept connections, sorted."""
    times = []
    clients = [bearerd.client() for _ in range(4)]
    for number in range(count):
        began = time.monotonic()
        assert clients[number % len(clients)].get("/x").status == 200
        times.append(time.monotonic() - began)
    for client in clients:
        client.close()
    return sorted(times)


# --- descriptors ----------------------------------------------------------------------------------


@pytest.fixture
def few_descriptors(stage):
    """The binary behind `ulimit -n`."""
    def limited(count):
        wrapper = stage.folder / "limited"
        wrapper.write_text(f'#!/bin/sh\nulimit -n {count}\nexec "{stage.binary}" "$@"\n')
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
        stage.binary = wrapper
    return limited


def test_descriptors_run_out(few_descriptors, run, provider, api):
    """Accepting pauses, nothing spins, who was taken is served, and the rest when there is room."""
    few_descriptors(60)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    assert bearerd.get("/x").status == 200
    clients = [bearerd.client() for _ in range(200)]
    wait_until(lambda: descriptors(bearerd) >= 30, "the clients to be taken")
    bearerd.wait_quiet()
    assert descriptors(bearerd) < 55
    for client in clients:  # one after the other: each frees a place for one that waits
        client.stream.sock.settimeout(20)
        assert served(client), clients.index(client)
        client.close()
    assert bearerd.get("/x").status == 200
    wait_until(lambda: descriptors(bearerd) < 35, "the descriptors to come back")


def test_requests_at_once_without_descriptors(few_descriptors, run, provider, api):
    """All of 200 clients ask at once: each gets its answer, or an honest error of ours."""
    few_descriptors(60)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    assert bearerd.get("/x").status == 200
    clients = [bearerd.client(timeout=30) for _ in range(200)]
    for client in clients:
        client.send(client.head("GET", "/x", [("Connection", "close")]))
    statuses = [client.read().status for client in clients]
    for client in clients:
        client.close()
    assert set(statuses) <= {200, 502, 503}, set(statuses)
    assert statuses.count(200) >= 100  # those who wait to be accepted, and who is lucky
    assert bearerd.get("/x").status == 200


# --- those who are slow on purpose ----------------------------------------------------------------


def dripping(bearerd, starts, piece, stop):
    """Opens these connections, and sends a piece on each again and again in a thread."""
    clients = []
    for start in starts:
        client = bearerd.client()
        client.send(start)
        client.sock.setblocking(False)
        clients.append(client)

    def drip():
        while not stop.wait(0.5):
            for client in clients:
                try:
                    client.sock.send(piece)
                except OSError:
                    pass
    threading.Thread(target=drip, daemon=True).start()
    return clients


def beside(bearerd, clients, stop, before, kib):
    """Normal traffic is served beside them, soon and with bounded memory."""
    try:
        bearerd.wait_quiet(0.3)  # the slow ones are all that is left
        times = latencies(bearerd, 300)
        grown = bearerd.rss_kib() - kib
        assert grown < GROWTH_KIB, f"{grown} KiB"
        median, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        print(f"p50 {median * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms, before "
              f"{before[len(before) * 99 // 100] * 1e3:.2f} ms, memory {grown} KiB")
        assert p99 < max(1.0, 4 * before[len(before) * 99 // 100])
    finally:
        stop.set()
        for client in clients:
            client.close()


@pytest.fixture
def normal(proxy):
    """A proxy that has warmed up, its latencies and its memory."""
    latencies(proxy, 300)
    return proxy, latencies(proxy, 300), proxy.rss_kib()


def test_500_slow_heads(normal):
    bearerd, before, kib = normal
    stop = threading.Event()
    start = b"GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Filler: "
    beside(bearerd, dripping(bearerd, [start] * 500, b"a", stop), stop, before, kib)


def test_200_slow_bodies(run, provider, idp, stage, api):
    """An upload that drips holds one upstream connection, in a pool of its route."""
    slow = stage.add(Upstream())
    bearerd = run(provider() + section("route slow", {
        "path": "/slow", "provider": "idp", "upstream": slow.origin,
        "upstream_connections": "200"}) + section("route all", {
            "provider": "idp", "upstream": api.origin}))
    latencies(bearerd, 300)
    before, kib = latencies(bearerd, 300), bearerd.rss_kib()
    stop = threading.Event()
    starts = [b"POST /slow/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"] * 100
    starts += [b"POST /slow/x HTTP/1.1\r\nHost: 127.0.0.1\r\n"
               b"Transfer-Encoding: chunked\r\n\r\nffff\r\n"] * 100
    clients = dripping(bearerd, starts, b"x", stop)
    wait_until(lambda: slow.accepted >= 100, "the slow uploads to reach their upstream")
    beside(bearerd, clients, stop, before, kib)


def test_50_stalled_readers(normal):
    """Each asks for 32 MiB and takes nothing of it."""
    bearerd, before, kib = normal
    clients = []
    for _ in range(50):
        client = bearerd.client()
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(client.head("GET", f"/stream/{32 * MIB}"))
        clients.append(client)
    beside(bearerd, clients, threading.Event(), before, kib)


def test_50_stalled_readers_who_still_upload(run, provider, upstream, api):
    """The same where the answer came early, and goes out by another way."""
    block = b"y" * MIB

    def script(peer):
        if peer.read_head() is None:
            return
        peer.send(b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n" % (32 * MIB))
        try:
            for _ in range(32):
                peer.send(block)
        except OSError:
            return
    early = upstream(script)
    bearerd = run(provider() + section("route early", {
        "path": "/early", "provider": "idp", "upstream": early.origin}) + section("route all", {
            "provider": "idp", "upstream": api.origin}))
    latencies(bearerd, 300)
    before, kib = latencies(bearerd, 300), bearerd.rss_kib()
    clients = []
    for _ in range(50):
        client = bearerd.client()
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(client.head("POST", "/early/x", [("Content-Length", "100000")]) + b"x")
        clients.append(client)
    early.wait_requests(50)
    beside(bearerd, clients, threading.Event(), before, kib)


# --- how long they may stay -----------------------------------------------------------------------


def test_a_body_that_drips_is_ended_by_its_rate(run, provider, upstream):
    """body_min_rate holds after the first 10 s, however steadily the drops fall."""
    ends = []

    def script(peer):
        peer.read_head()
        try:
            peer.wait_closed(40)
        finally:
            ends.append(len(peer.received))
    api = upstream(script)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    stop = threading.Event()
    client, = dripping(bearerd, [b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                 b"Content-Length: 100000\r\n\r\n"], b"x" * 10, stop)
    began = time.monotonic()
    wait_until(lambda: ends, "the upload to be given up", 20)
    stop.set()
    assert 9 < time.monotonic() - began < 15
    client.close()


def test_a_reader_that_stalls_is_cut(run, provider, api):
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
                  server={"body_timeout": "1s"})
    with bearerd.client() as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(client.head("GET", f"/stream/{32 * MIB}"))
        line = bearerd.access_log(1)[0]
        assert line["error"] in ("client_closed", "aborted")
        assert float(line["ms"]) < 10_000
