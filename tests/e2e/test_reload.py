"""HUP reloads or changes nothing; USR1 opens the access log again. No request notices."""

import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from actors import Client, section, wait_until, wire
from actors.ports import HeldPort
from actors.reloading import Load, Reloading

HUP, USR1 = signal.SIGHUP, signal.SIGUSR1
SUCCESSFUL = "bearerd_config_last_reload_successful"


def wait_refused(port):
    """Waits until nobody listens any more: a socket is closed when all workers have let go of it."""
    def refused():
        try:
            Client(port).close()
            return False
        except ConnectionRefusedError:
            return True
    wait_until(refused, f"port {port} to be closed")


def metric(bearerd, name):
    lines = bearerd.admin("/metrics")[2].splitlines()
    return float(next(line for line in lines if line.startswith(name + " ")).split()[1])


@pytest.fixture
def good(provider, api):
    return provider() + section("route all", {"provider": "idp", "upstream": api.origin})


@pytest.fixture
def bearerd(run, good):
    return run(good)


@pytest.fixture
def reload(bearerd):
    return Reloading(bearerd)


# --- a good file ----------------------------------------------------------------------------------


def test_a_new_route(bearerd, reload, good, api):
    assert bearerd.get("/extra/x").json()["target"] == "/extra/x"
    reload(good + section("route extra", {"path": "/extra", "provider": "none",
                                          "upstream": api.origin + "/other"}))
    assert bearerd.get("/extra/x").status == 401  # no token any more
    assert api.requests[-1].target == "/other/x"
    assert metric(bearerd, SUCCESSFUL) == 1


def test_a_route_that_goes(bearerd, reload, provider, api):
    assert bearerd.get("/x").status == 200
    reload(provider() + section("route a", {"path": "/a", "provider": "idp",
                                            "upstream": api.origin}))
    assert bearerd.get("/x").status == 404
    assert bearerd.get("/a/x").status == 200
    names = {line.split("{")[1] for line in bearerd.admin("/metrics")[2].splitlines()
             if line.startswith("bearerd_requests_total")}
    assert any('route="all"' in name for name in names)  # what was counted stays
    assert any('route="a"' in name for name in names)


def test_kept_connections_see_the_new_file(bearerd, reload, good, api):
    with bearerd.client() as client:
        assert client.get("/x").json()["target"] == "/x"
        reload(good.replace(api.origin, api.origin + "/base"))
        assert client.get("/x").json()["target"] == "/base/x"


def test_tokens_are_kept(bearerd, reload, good, idp):
    bearerd.get("/x")
    reload(good.replace("[route all]", "[route all]\nmax_body = 1m"))
    reload(good.replace("client_id", "token_timeout = 7s\nclient_id"))
    assert bearerd.get("/x").status == 200
    assert idp.count == 1


def test_other_credentials_get_another_token(bearerd, reload, good, idp):
    bearerd.get("/x")
    reload(good.replace("the-client", "other-client"))
    assert bearerd.get("/x").status == 200
    assert idp.count == 2
    assert idp.requests[1].basic.startswith("other-client:")


def test_a_secret_file_is_read_again(run, provider, api, idp, canary, tmp_path):
    path = tmp_path / "secret"
    path.write_text(canary.secret("first-secret"))
    path.chmod(0o600)
    bearerd = run(provider(client_secret=f"file:{path}")
                  + section("route all", {"provider": "idp", "upstream": api.origin}))
    bearerd.get("/x")
    second = canary.secret("second-secret")
    path.write_text(second)
    Reloading(bearerd)()
    bearerd.get("/x")
    assert idp.count == 2 and idp.requests[1].basic.endswith(second)


def test_connections_to_the_upstream_are_kept(run, good, api):
    one = {"workers": "1"}  # each worker has connections of its own
    bearerd = run(good, server=one)
    reload = Reloading(bearerd)
    assert bearerd.get("/x").status == 200
    for _ in range(3):
        reload(good.replace("[route all]", "[route all]\nmax_body = 1m"), one)
        assert bearerd.get("/x").status == 200
        reload(good, one)
        assert bearerd.get("/x").status == 200
    assert api.accepted == 1


def test_what_waits_for_a_token_goes_on(bearerd, reload, good, idp, api):
    """An exchange of the old snapshot must be woken by what its source publishes later."""
    idp.hold()
    clients = [bearerd.client() for _ in range(5)]
    for client in clients:
        client.send(client.head("GET", "/x"))
    idp.wait_requests(1)
    reload(good.replace("[route all]", "[route all]\nmax_body = 1m"))
    reload(good.replace("the-client", "other-client"))  # its source is dropped
    idp.release()
    for client in clients:
        assert client.read().status == 200
        client.close()


def test_what_runs_goes_on_as_it_began(run, provider, upstream, idp):
    go = threading.Event()

    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhe")
        peer.wait(go)
        peer.send(b"ad")
        peer.stall()
    api = upstream(script)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    with bearerd.client() as client:
        client.send(client.head("GET", "/x"))
        client.read_head()
        Reloading(bearerd)(section("route other", {"path": "/o", "provider": "none",
                                                   "upstream": "http://127.0.0.1:1"}))
        go.set()
        assert b"".join(client.stream.pieces(4)) == b"head"
        assert client.get("/x").status == 404


def test_log_level_and_format_change(bearerd, reload, good):
    reload(good, {"log_level": "info", "log_format": "json"})
    seen = len(bearerd.stderr)
    bearerd.get("/x")
    lines = [json.loads(line) for line in bearerd.stderr[seen:].splitlines()]
    assert all(line["level"] != "debug" for line in lines)
    wait_until(lambda: bearerd.stdout_bytes.endswith(b"}\n"), "the access log")
    assert json.loads(bearerd.stdout_bytes.splitlines()[-1])["path"] == "/x"
    reload(good, {"log_level": "debug"})
    seen = len(bearerd.stderr)
    bearerd.get("/x")
    assert " debug " in bearerd.stderr[seen:]


def test_the_access_log_moves(bearerd, reload, good, tmp_path):
    bearerd.get("/first")
    reload(good, {"access_log": str(tmp_path / "access.log")})
    bearerd.get("/second")
    wait_until(lambda: "/second" in (tmp_path / "access.log").read_text(), "the line")
    assert "/second" not in bearerd.stdout_bytes.decode()
    assert "/first" in bearerd.stdout_bytes.decode()
    reload(good, {"access_log": "off"})
    bearerd.get("/third")
    reload(good)
    bearerd.get("/fourth")
    wait_until(lambda: b"/fourth" in bearerd.stdout_bytes, "the line")
    assert b"/third" not in bearerd.stdout_bytes


def test_limits_change(bearerd, reload, good):
    reload(good, {"header_timeout": "100ms", "body_timeout": "100ms"})
    with bearerd.client() as client:
        client.send(b"GET /x HTTP/1.1\r\nHos")
        assert client.is_closed(10)
    reload(good, {"max_in_flight": "1", "accept_hosts": "new.example"})
    assert bearerd.exchange(b"GET /x HTTP/1.1\r\nHost: new.example\r\n\r\n").status == 200


def test_what_needs_a_restart_is_named(bearerd, reload, good):
    said = reload(good, {"workers": "3", "connection_memory": "32k"})
    assert "workers, connection_memory: takes effect only after a restart" in said
    assert metric(bearerd, SUCCESSFUL) == 1
    assert "takes effect only" not in reload(good)


def test_without_a_file(stage, tmp_path):
    """The demo has none: HUP must do no harm."""
    bearerd = stage.bearerd()
    ports = [HeldPort() for _ in range(3)]
    process = subprocess.Popen(
        [str(bearerd.binary), "demo", "--listen", f"127.0.0.1:{ports[0].port}",
         "--admin-listen", f"127.0.0.1:{ports[1].port}",
         "--sandbox-listen", f"127.0.0.1:{ports[2].port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=bearerd.environment)
    try:
        bearerd.admin_port = ports[1].port

        def ready():
            try:
                return bearerd.admin("/readyz")[0] == 200
            except ConnectionRefusedError:
                return False
        wait_until(ready, "the demo", 20)
        process.send_signal(HUP)
        for line in process.stderr:
            if b"no configuration file" in line:
                break
        assert bearerd.admin("/readyz")[0] == 200
    finally:
        process.terminate()
        process.stderr.read()
        assert process.wait(20) == 0
        for port in ports:
            port.close()


# --- a bad one ------------------------------------------------------------------------------------


def test_a_bad_file_changes_nothing(bearerd, reload, idp):
    assert bearerd.get("/x").status == 200
    said = reload(ini="[provider p]\ntoken_ur = x\n[rout all]\nupstream = y\n")
    assert "did you mean token_url?" in said and "[rout]: unknown" in said  # all mistakes
    assert "stays in force" in said
    assert bearerd.get("/x").status == 200
    assert idp.count == 1
    assert metric(bearerd, SUCCESSFUL) == 0
    assert bearerd.admin("/readyz")[0] == 200
    assert "the last reload failed" in bearerd.admin("/readyz?verbose")[2]
    status = json.loads(bearerd.admin("/status.json")[2])
    assert status["last_reload"]["successful"] is False


def test_a_good_one_after_that_ends_it(bearerd, reload, good):
    reload(ini="rubbish")
    reload(good)
    assert metric(bearerd, SUCCESSFUL) == 1
    assert json.loads(bearerd.admin("/status.json")[2])["last_reload"]["successful"] is True


def test_a_file_that_is_gone(bearerd, reload):
    bearerd.config_path.unlink()
    assert "cannot be read" in reload()
    assert bearerd.get("/x").status == 200


def test_a_fifo_in_place_of_the_file(bearerd, reload):
    """Nobody writes into it: the control thread must not wait for that."""
    bearerd.config_path.unlink()
    os.mkfifo(bearerd.config_path)
    assert "cannot be read" in reload()
    assert bearerd.get("/x").status == 200
    assert bearerd.admin("/livez")[0] == 200


@pytest.mark.parametrize("key", ["listen", "admin_listen"])
def test_an_address_that_cannot_be_had(bearerd, reload, good, key):
    """The reload fails as a whole: what could be opened is closed again."""
    free = HeldPort()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = f"127.0.0.1:{taken.getsockname()[1]}"
        other = "listen" if key == "admin_listen" else "admin_listen"
        said = reload(good + section("route new", {"path": "/new", "provider": "none",
                                                   "upstream": "http://127.0.0.1:1"}),
                      {key: busy, other: f"127.0.0.1:{free.port}"})
        assert busy in said and "in use" in said
    assert bearerd.get("/new").status == 200  # the old route
    assert metric(bearerd, SUCCESSFUL) == 0
    with pytest.raises(ConnectionRefusedError):
        Client(free.port)
    free.close()


def test_an_access_log_that_cannot_be_opened(bearerd, reload, good):
    said = reload(good, {"access_log": "/nonexistent/folder/access.log"})
    assert "/nonexistent/folder/access.log" in said
    bearerd.get("/after")
    wait_until(lambda: b"/after" in bearerd.stdout_bytes, "the line where it was")


# --- listeners ------------------------------------------------------------------------------------


def test_listeners_come_and_go(bearerd, reload, good):
    other = HeldPort()
    kept = bearerd.client()
    assert kept.get("/x").status == 200
    reload(good, {"listen": f"127.0.0.1:{bearerd.port}, 127.0.0.1:{other.port}"})
    with Client(other.port) as client:
        assert client.get("/x").status == 200
    reload(good, {"listen": f"127.0.0.1:{other.port}"})
    wait_refused(bearerd.port)
    assert kept.get("/x").status == 200  # its connections live on
    with Client(other.port) as client:
        assert client.get("/x").status == 200
    kept.close()
    other.close()


def test_a_listener_opens_to_all_addresses_and_closes_again(bearerd, reload, good):
    with Load(bearerd):
        for host in ("0.0.0.0", "127.0.0.1", "0.0.0.0"):
            said = reload(good, {"listen": f"{host}:{bearerd.port}"})
            assert "configuration reloaded" in said
            assert bearerd.get("/x").status == 200


def test_the_admin_listener_moves(bearerd, reload, good):
    other = HeldPort()
    reload(good, {"admin_listen": f"127.0.0.1:{other.port}"})
    with Client(other.port) as client:
        assert client.get("/livez").status == 200
    wait_refused(bearerd.admin_port)
    reload(good, {"admin_listen": "off"})
    wait_refused(other.port)
    reload(good)
    assert bearerd.admin("/livez")[0] == 200
    other.close()


def test_the_same_address_under_another_name(bearerd, reload, good):
    said = reload(good, {"listen": f"127.1:{bearerd.port}"})  # inet_aton's spelling
    assert "in use" not in said
    assert bearerd.get("/x").status == 200


def test_unix_sockets_come_and_go(bearerd, reload, good, tmp_path):
    path = tmp_path / "proxy.sock"
    for _ in range(2):  # twice: it stays
        reload(good, {"listen": f"127.0.0.1:{bearerd.port}, unix:{path}"})
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert wire.read_response(wire.Stream(sock)).status == 200
    reload(good)
    wait_until(lambda: not path.exists(), "the socket file to go")


# --- under load -----------------------------------------------------------------------------------


def test_no_request_fails(bearerd, reload, good, idp, tmp_path):
    variants = [
        (good, None), (good.replace("[route all]", "[route all]\nmax_body = 1m"), None),
        (good.replace("[route all]", "[route all]\nread_timeout = 7s"), None),
        (good.replace("the-client", "other-client"), None),
        (good, {"access_log": str(tmp_path / "access.log"), "log_level": "info"}),
        (good, {"admin_listen": "off"}),
        (good + section("route more", {"path": "/more", "provider": "none",
                                       "upstream": "http://127.0.0.1:1"}), None),
    ]
    with Load(bearerd) as load:
        for number in range(21):
            config, server = variants[number % len(variants)]
            before = sum(load.answers)
            reload(config, server)
            wait_until(lambda: sum(load.answers) > before + 5, "answers to go on")
            if number % 5 == 0:
                reload(ini="[rubbish\n")
    assert idp.count < 10


def test_a_reload_every_second(bearerd, reload, good):
    """RELOAD_SECONDS=60 in the environment makes the long run."""
    seconds = int(os.environ.get("RELOAD_SECONDS", "4"))
    signal.alarm(seconds + 50)
    over = time.monotonic() + seconds
    reload(good, {"log_level": "info"})
    with Load(bearerd, 6) as load:
        while time.monotonic() < over:
            timeout = f"read_timeout = {len(reload.results())}s"
            reload(good.replace("[route all]", f"[route all]\n{timeout}"), {"log_level": "info"})
            load.stop.wait(1)
    assert len(reload.results()) > 2
    print(f"{sum(load.answers)} requests, {len(reload.results())} reloads, no failure")


def test_signals_in_a_burst(bearerd, reload, good):
    with Load(bearerd):
        for number in range(50):
            bearerd.signal(HUP if number % 3 else USR1)
        wait_until(reload.results, "a reload")
    assert metric(bearerd, SUCCESSFUL) == 1


def test_a_big_file_is_taken_quickly(bearerd, reload, provider, api):
    """100 providers and 500 routes. tests/bench/reload.py measures it; the limit here finds only what
    grows beyond all measure, since sanitizers and a busy machine take many times as long."""
    config = "".join(provider(f"p{number}", token_timeout="5s") for number in range(100))
    config += "".join(section(f"route r{number}", {"path": f"/r{number}", "upstream": api.origin,
                                                   "provider": f"p{number % 100}"})
                      for number in range(500))
    bearerd.write_config(config)
    began = time.monotonic()
    reload()
    assert time.monotonic() - began < 20
    assert bearerd.get("/r499/x").status == 200
    assert bearerd.admin("/metrics")[0] == 200


def test_nothing_leaks(bearerd, reload, good):
    """Descriptors and memory after many reloads are those of after a few."""
    def descriptors():
        return len(os.listdir(f"/proc/{bearerd.process.pid}/fd"))

    def rounds(count):
        for number in range(count):
            reload(good.replace("[route all]", f"[route all]\nread_timeout = {number + 1}s"))
            assert bearerd.get("/x").status == 200
    rounds(5)
    before, memory = descriptors(), bearerd.rss_kib()
    rounds(30)
    wait_until(lambda: descriptors() <= before + 2, "descriptors to be closed")
    assert bearerd.rss_kib() - memory < 16 * 1024


# --- USR1 -----------------------------------------------------------------------------------------


def test_the_access_log_is_rotated(run, good, tmp_path):
    path, rotated = tmp_path / "access.log", tmp_path / "access.log.1"
    bearerd = run(good, server={"access_log": str(path)})
    bearerd.get("/before")
    wait_until(lambda: "/before" in path.read_text(), "the first line")
    path.rename(rotated)
    bearerd.get("/between")
    bearerd.signal(USR1)
    bearerd.wait_log("access log reopened")
    bearerd.get("/after")
    wait_until(lambda: path.exists() and "/after" in path.read_text(), "the line in the new file")
    assert "/between" in rotated.read_text() and "/after" not in rotated.read_text()
    wait_until(lambda: not any(str(rotated) in os.readlink(f"/proc/{bearerd.process.pid}/fd/{fd}")
                               for fd in os.listdir(f"/proc/{bearerd.process.pid}/fd")),
               "the old file to be let go")


def test_rotation_that_fails(run, good, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    bearerd = run(good, server={"access_log": str(folder / "access.log")})
    bearerd.get("/before")
    folder.rename(tmp_path / "moved")
    bearerd.signal(USR1)
    bearerd.wait_log("stays where it is")
    bearerd.get("/after")
    wait_until(lambda: "/after" in (tmp_path / "moved" / "access.log").read_text(), "the line")


# --- together with a stop -------------------------------------------------------------------------


def test_a_reload_while_it_stops_does_nothing(run, provider, upstream):
    go = threading.Event()

    def script(peer):
        peer.read_request()
        peer.wait(go)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        peer.stall()
    api = upstream(script)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    with bearerd.client() as client:
        client.send(client.head("GET", "/x"))
        api.wait_requests(1)
        bearerd.signal(signal.SIGTERM)
        wait_until(lambda: bearerd.admin("/readyz")[0] == 503, "the drain to begin")
        bearerd.signal(HUP)
        bearerd.signal(USR1)
        go.set()
        assert client.read().status == 200
    assert bearerd.wait_exit(20) == 0
    assert not bearerd.log_lines("configuration reloaded")


def test_a_stop_right_after_a_reload(bearerd, good):
    for number in range(3):
        bearerd.signal(HUP)
    bearerd.stop()


def test_a_reload_that_fails_ends_no_stop(run, provider, api, idp):
    """Only a good reload gives a provider that was given up another chance."""
    good = provider(stop_after_refusals="1") + section("route all", {"provider": "idp",
                                                                     "upstream": api.origin})
    bearerd = run(good)
    reload = Reloading(bearerd)
    idp.then(idp.answer(401, {"error": "invalid_client"}))
    assert bearerd.get("/x").status == 502
    reload(good, {"access_log": "/nonexistent/folder/access.log"})
    assert bearerd.get("/x").status == 502
    assert idp.count == 1
    reload(good)
    assert bearerd.get("/x").status == 200
    assert idp.count == 2
