"""Starting and stopping: one clear sentence when it cannot, and a clean end when it must."""

import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from actors import Client, Truncated, in_parallel, replying, section, wait_until, wire
from actors.ports import HeldPort

CONFIGURATION, RUNTIME, USAGE = 78, 1, 64


@pytest.fixture
def ends(configure):
    """Starts a bearerd that must end by itself; returns status and stderr."""
    def ends(config="", **options):
        bearerd = configure(config, **options).start(wait=False)
        status = bearerd.wait_exit(20)
        assert bearerd.stderr.strip(), "it ended without a word"
        return status, bearerd.stderr
    return ends


@pytest.fixture
def good(provider, api):
    return provider() + section("route all", {"provider": "idp", "upstream": api.origin})


# --- it cannot start ------------------------------------------------------------------------------


def test_a_port_in_use(ends, good):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, text = ends(good, server={"listen": address})
    assert status == RUNTIME
    assert address in text and "in use" in text


def test_an_admin_port_in_use(ends, good):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, text = ends(good, server={"admin_listen": address})
    assert status == RUNTIME
    assert address in text and "in use" in text


def test_a_second_bearerd_on_the_same_port(run, configure, good):
    """Listeners that share a port among workers must not share it with a stranger."""
    first = run(good)
    second = configure(good, server={"listen": f"127.0.0.1:{first.port}"}).start(wait=False)
    assert second.wait_exit(20) == RUNTIME
    assert "in use" in second.stderr
    assert first.get("/x").status == 200


def test_no_such_file(configure, tmp_path):
    bearerd = configure()
    for command in ("run", "check", "dump"):
        result = bearerd.run_cli(command, "-c", tmp_path / "absent.ini")
        assert result.status == CONFIGURATION
        assert "absent.ini" in result.stderr


def test_a_folder_instead_of_a_file(configure, tmp_path):
    result = configure().run_cli("check", "-c", tmp_path)
    assert result.status == CONFIGURATION
    assert str(tmp_path) in result.stderr


def test_an_unreadable_file(configure):
    """Even for the superuser: reading this one is an error of the system."""
    result = configure().run_cli("check", "-c", "/proc/self/mem")
    assert result.status == CONFIGURATION
    assert "/proc/self/mem" in result.stderr


def test_a_mistake_in_the_file(ends):
    status, text = ends("[provider p]\ntoken_ur = https://x.example/\n")
    assert status == CONFIGURATION
    assert "did you mean token_url?" in text


def test_an_address_that_is_not_ours(ends, good):
    status, text = ends(good, server={"listen": "192.0.2.1:8080"})
    assert status == RUNTIME
    assert "192.0.2.1:8080" in text


# --- it runs --------------------------------------------------------------------------------------


def test_standard_descriptors_that_were_closed(configure, good):
    """No socket may get their numbers: what is logged would be sent to somebody."""
    bearerd = configure(good)

    def close_all():
        for number in (0, 1, 2):
            os.close(number)
    child = subprocess.Popen([str(bearerd.binary), "run", "-c", str(bearerd.config_path)],
                             env=bearerd.environment, preexec_fn=close_all)
    try:
        def answers():
            try:
                return Client(bearerd.port).get("/x").status == 200
            except OSError:
                return False
        wait_until(answers, "an answer")
        places = {os.readlink(f"/proc/{child.pid}/fd/{number}") for number in (0, 1, 2)}
        assert places == {"/dev/null"}
    finally:
        child.terminate()
        assert child.wait(20) == 0


def test_ready_at_once_and_without_a_token(configure, good, idp):
    """Below 100 ms without sanitizers; here only: without waiting for anybody."""
    idp.hold()
    bearerd = configure(good).start()
    assert bearerd.admin("/readyz")[0] == 200
    assert idp.count == 0
    idp.release()


def test_it_says_where_it_listens(run, good):
    bearerd = run(good)
    assert bearerd.wait_log(f"127.0.0.1:{bearerd.port}")
    assert bearerd.wait_log(f"127.0.0.1:{bearerd.admin_port}")


def test_several_listeners(run, good, stage):
    held = HeldPort()
    bearerd = run(good)
    bearerd.stop()
    bearerd.write_config(good, {"listen": f"127.0.0.1:{bearerd.port}, 127.0.0.1:{held.port}"})
    bearerd.start().wait_log(f"127.0.0.1:{held.port}")
    with Client(held.port) as client:
        assert client.get("/x").status == 200
    assert bearerd.get("/x").status == 200
    held.close()


def test_a_unix_socket(run, good, tmp_path, stage):
    path = tmp_path / "proxy.sock"
    bearerd = run(good, server={"listen": f"unix:{path}"}, wait_for=path)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert wire.read_response(wire.Stream(sock)).status == 200
    bearerd.stop()
    assert not path.exists()


@pytest.mark.parametrize("workers", ["1", "4", "auto"])
def test_workers(run, good, workers):
    bearerd = run(good, server={"workers": workers})
    assert in_parallel(20, lambda number: bearerd.get("/x").status) == [200] * 20


# --- it ends --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(run, good, number):
    bearerd = run(good)
    assert bearerd.get("/x").status == 200
    bearerd.signal(number)
    assert bearerd.wait_exit(20) == 0


def test_a_stop_with_idle_connections(run, good):
    """Kept connections do not hold it up."""
    bearerd = run(good)
    clients = [bearerd.client() for _ in range(10)]
    for client in clients:
        assert client.get("/x").status == 200
    began = time.monotonic()
    bearerd.stop()
    assert time.monotonic() - began < 8
    for client in clients:
        assert client.is_closed()


def test_what_runs_may_finish(run, provider, upstream):
    go = threading.Event()

    def script(peer):
        peer.read_request()
        peer.wait(go)
        peer.send(b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                  b"Content-Length: 2\r\n\r\nok")
        peer.stall()
    api = upstream(script)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    with bearerd.client() as client:
        client.send(client.head("GET", "/x"))
        api.wait_requests(1)
        bearerd.signal(signal.SIGTERM)
        wait_until(lambda: bearerd.refuses_connections(), "the listener to be closed")
        go.set()
        answer = client.read()
        assert (answer.status, answer.body) == (200, b"ok")
        assert answer.fields.get("Connection") == "close"
        assert answer.fields.all("Date") == ["Thu, 01 Jan 2026 00:00:00 GMT"]
    assert bearerd.wait_exit(20) == 0


def test_a_drain_has_an_end(run, provider, upstream):
    def script(peer):
        peer.read_request()
        peer.stall()
    api = upstream(script)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
                  server={"shutdown_timeout": "1s"})
    with bearerd.client() as client:
        client.send(client.head("GET", "/x"))
        api.wait_requests(1)
        began = time.monotonic()
        bearerd.signal(signal.SIGTERM)
        assert bearerd.wait_exit(20) in (0, 1)
        assert time.monotonic() - began < 10


def test_a_second_signal_stops_at_once(run, provider, upstream):
    def script(peer):
        peer.read_request()
        peer.stall()
    api = upstream(script)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    with bearerd.client() as client:
        client.send(client.head("GET", "/x"))
        api.wait_requests(1)
        bearerd.signal(signal.SIGTERM)
        wait_until(lambda: bearerd.refuses_connections(), "the listener to be closed")
        began = time.monotonic()
        bearerd.signal(signal.SIGTERM)
        bearerd.wait_exit(20)
        assert time.monotonic() - began < 5


def test_a_stop_while_requests_wait_for_a_token(run, good, idp):
    idp.hold()
    bearerd = run(good, server={"shutdown_timeout": "2s"})
    clients = [bearerd.client() for _ in range(5)]
    for client in clients:
        client.send(client.head("GET", "/x"))
    idp.wait_requests(1)
    bearerd.signal(signal.SIGTERM)
    idp.release()
    for client in clients:
        assert client.read().status in (200, 503)
        client.close()
    assert bearerd.wait_exit(20) == 0


def test_a_stop_under_load_loses_nothing(run, provider, upstream):
    """Each request that was taken is answered in full; the others find the door closed."""
    api = upstream(replying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    done = []

    def hammer(number):
        while True:
            try:
                with bearerd.client() as client:
                    for _ in range(50):
                        client.send(client.head("GET", "/x"))
                        answer = client.read()
                        assert answer.status == 200
                        done.append(1)
                        if answer.fields.get("Connection") == "close":
                            break
            except (OSError, Truncated) as error:
                if isinstance(error, Truncated):
                    assert not error.partial.status, "an answer was cut"
                if bearerd.process is None or bearerd.process.poll() is not None or draining.is_set():
                    return
    draining = threading.Event()

    def stop():
        wait_until(lambda: len(done) > 100, "load")
        draining.set()
        bearerd.signal(signal.SIGTERM)
    in_parallel(5, lambda number: stop() if number == 0 else hammer(number))
    assert bearerd.wait_exit(20) == 0


def test_broken_pipes_do_not_kill_it(run, good):
    bearerd = run(good)
    for _ in range(20):
        client = bearerd.client()
        client.send(client.head("GET", "/stream/1000000"))
        client.reset()
    assert bearerd.get("/x").status == 200


def test_secrets_do_not_show_in_the_process(run, good, canary):
    bearerd = run(good)
    assert bearerd.get("/x").status == 200
    with open(f"/proc/{bearerd.process.pid}/cmdline", "rb") as arguments:
        assert not canary.leaks(arguments.read())
    with open(f"/proc/{bearerd.process.pid}/limits") as limits:
        core = next(line for line in limits if line.startswith("Max core file size"))
    assert core.split()[4] == "0"
