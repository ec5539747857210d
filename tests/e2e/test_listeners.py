"""Where bearerd listens: TCP, IPv6 and unix sockets, several at once, and what lies at their end."""

import os
import signal
import socket
import stat

import pytest
from actors import Client, section, wait_until
from actors.client import unix_connection
from actors.ports import HeldPort


@pytest.fixture
def route(provider, api):
    return provider() + section("route all", {"provider": "idp", "upstream": api.origin})


@pytest.fixture
def start(stage, route):
    """bearerd with these listeners, and a TCP one."""
    def start(*listen, wait=True, **server):
        daemon = stage.bearerd(route)
        addresses = [f"127.0.0.1:{daemon.port}", *map(str, listen)]
        daemon.write_config(route, {"listen": ", ".join(addresses), **server})
        return daemon.start(wait)
    return start


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


# --- all kinds at once ----------------------------------------------------------------------------


def test_each_kind_of_listener_at_once(stage, route, tls, tmp_path):
    cert, key = tls.files(tmp_path)
    plain, six = HeldPort(), HeldPort("::1")
    path = tmp_path / "socket"
    daemon = stage.bearerd(route)
    daemon.write_config(route, {
        "listen": f"127.0.0.1:{daemon.port}, 127.0.0.1:{plain.port} plain, unix:{path} mode=0660, "
                  f"[::1]:{six.port}",
        "tls_cert": cert, "tls_key": key})
    daemon.start()
    context = tls.client_context()
    try:
        for client in (Client(daemon.port, tls=context), Client(plain.port), Client(path=path),
                       Client(six.port, host="::1", tls=context)):
            with client:
                for _ in range(2):
                    host = "localhost" if client.host == "::1" else None
                    assert client.get("/x", host=host).status == 200
    finally:
        plain.close()
        six.close()


# --- unix sockets ---------------------------------------------------------------------------------


def test_mode_and_owner_of_a_socket_file(start, tmp_path):
    path, open_to_all = tmp_path / "socket", tmp_path / "open"
    owner = "user=65534 group=65534" if os.geteuid() == 0 else ""
    start(f"unix:{path} mode=0640 {owner}", f"unix:{open_to_all} mode=0666")
    status = os.stat(path)
    assert stat.S_ISSOCK(status.st_mode)
    assert (mode_of(path), mode_of(open_to_all)) == (0o640, 0o666)
    if owner:
        assert (status.st_uid, status.st_gid) == (65534, 65534)


def test_any_host_over_a_unix_socket(start, tmp_path, api):
    """No web page gets there, so the list of names has no use; curl users write what they like."""
    path = tmp_path / "socket"
    daemon = start(f"unix:{path}")
    for host in ("localhost", "anything.example", "bearerd:80"):
        with Client(path=path) as client:
            assert client.get("/x", host=host).status == 200
    assert daemon.get("/x", host="anything.example").status == 421


def test_the_other_rules_hold_on_each_listener(start, tmp_path):
    path = tmp_path / "socket"
    daemon = start(f"unix:{path}", require_header="X-Here: yes")
    for client in (daemon.client(), Client(path=path)):
        with client:
            assert client.get("/x").status == 403
            here = [("X-Here", "yes")]
            assert client.get("/x", here).status == 200
            assert client.get("/x", here + [("Origin", "https://evil.example")]).status == 403
            assert client.get("/x", here + [("Sec-Fetch-Site", "cross-site")]).status == 403


def test_a_socket_file_that_nobody_serves_is_replaced(start, tmp_path):
    path = tmp_path / "socket"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.listen()
    left.close()
    daemon = start(f"unix:{path}")
    with Client(path=path) as client:
        assert client.get("/x").status == 200
    daemon.stop()
    assert not path.exists()


def test_a_socket_file_that_somebody_serves_is_an_error(start, tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        daemon = start(f"unix:{path}", wait=False)
        assert daemon.wait_exit() == 1
        daemon.wait_log(f"unix:{path}", "another program listens there")
        unix_connection(path).close()


def test_a_file_that_is_no_socket_is_never_touched(start, tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    daemon = start(f"unix:{path}", wait=False)
    assert daemon.wait_exit() == 1
    daemon.wait_log(f"unix:{path}", "is no socket")
    assert path.read_text() == "data"


def test_a_reload_keeps_the_file_and_changes_its_mode(start, route, tmp_path):
    path = tmp_path / "socket"
    daemon = start(f"unix:{path} mode=0600")
    inode = os.stat(path).st_ino
    with Client(path=path) as client:
        assert client.get("/x").status == 200
        daemon.write_config(route, {"listen": f"127.0.0.1:{daemon.port}, unix:{path} mode=0660"})
        daemon.signal(signal.SIGHUP)
        daemon.wait_log("configuration reloaded")
        assert client.get("/x").status == 200
    assert os.stat(path).st_ino == inode
    assert mode_of(path) == 0o660
    daemon.write_config(route, {"listen": f"127.0.0.1:{daemon.port}"})
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: not path.exists(), "the file to go")


def test_a_file_of_somebody_else_under_its_name_stays(start, tmp_path):
    path = tmp_path / "socket"
    daemon = start(f"unix:{path}")
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        daemon.stop()
        assert path.exists()


# --- mistakes and warnings ------------------------------------------------------------------------


@pytest.mark.parametrize("listen, words", [
    ("unix:/x mode=0888", "mode=0888 is no mode"),
    ("unix:/x user=no-such-user-here", "no such user"),
    ("unix:/x group=no-such-group-here", "no such group"),
    ("unix:/x plain", "mode=0660, user=NAME or group=NAME"),
    ("unix:@name", "an abstract socket (@) has no mode and owner"),
    ("unix:/" + "x" * 107, "has 1 to 107 bytes"),
    ("127.0.0.1:1 mode=0660", "nothing but plain"),
    ("127.0.0.1:1 ssl", "nothing but plain"),
])
def test_wrong_words(configure, route, listen, words):
    daemon = configure(route, server={"listen": listen})
    result = daemon.check()
    assert result.status == 78
    assert "listen: " in result.output and words in result.output


def test_strangers_beyond_loopback_are_a_warning(configure, route, tls, tmp_path):
    """TLS alone hides the wire, but asks nobody who they are."""
    cert, key = tls.files(tmp_path)
    keys = {"tls_cert": cert, "tls_key": key}
    asked = {**keys, "tls_client_ca": tls.ca_file}
    for server, places in (({"listen": "0.0.0.0:1"}, ["0.0.0.0:1"]),
                           ({"listen": "0.0.0.0:1", **keys}, ["0.0.0.0:1"]),
                           ({"listen": "0.0.0.0:1", **asked}, []),
                           ({"listen": "[::]:1, 0.0.0.0:2 plain", **asked}, ["0.0.0.0:2"]),
                           ({"listen": "127.0.0.1:1, unix:/x", **keys}, []),
                           ({"listen": "127.0.0.1:1"}, [])):
        result = configure(route, server=server).check()
        assert result.status == 0
        told = [line for line in result.output.splitlines() if "is not loopback" in line]
        assert len(told) == len(places), server
        for line, place in zip(told, places):
            assert place in line and "whoever reaches it uses your credentials" in line
            assert ("travels readable" in line) == ("plain" in server["listen"] or "tls_cert" not in server)
