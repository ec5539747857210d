"""The listener that speaks TLS: whom it believes, how its certificate is replaced and checked."""

import datetime
import re
import signal
import socket
import ssl
import subprocess
import threading

import pytest
from actors import Tls, section, wait_until
from actors.wire import Truncated


@pytest.fixture
def start(run_tls, provider, api):
    def start(server=None):
        return run_tls(provider() + section("route all", {
            "provider": "idp", "upstream": api.origin}), server=server)
    return start


def only(context, version):
    context.minimum_version = context.maximum_version = version
    return context


BOTH = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])


# --- client certificates --------------------------------------------------------------------------


@pytest.fixture
def asking(start, tls):
    """bearerd that asks for certificates of the tests' authority."""
    return start(server={"tls_client_ca": tls.ca_file})


def refused(bearerd, context):
    """How the handshake failed, from the client's view: with TLS 1.3 it hears so after it."""
    with pytest.raises((ssl.SSLError, OSError)) as caught:
        with bearerd.client(tls=context) as client:
            client.send(client.head("GET", "/x"))
            if not client.sock.recv(1):
                raise ConnectionError("closed")
    return str(caught.value)


@BOTH
def test_a_certificate_of_the_authority_is_let_in(asking, tls, tmp_path, version):
    context = only(tls.client_context(*tls.files(tmp_path, "client", name="client")), version)
    with asking.client(tls=context) as client:
        for _ in range(3):
            assert client.get("/x").status == 200


@BOTH
def test_without_a_certificate_nobody_gets_in(asking, tls, api, version):
    reason = refused(asking, only(tls.client_context(), version))
    assert "alert" in reason.lower()
    asking.wait_log("no TLS with 127.0.0.1:", "has shown no certificate")
    assert not api.requests


@BOTH
def test_a_foreign_certificate(asking, tls, tmp_path, tmp_path_factory, version):
    stranger = Tls(tmp_path_factory.mktemp("stranger"))
    context = only(tls.client_context(*stranger.files(tmp_path, "x", name="foreign")), version)
    assert "unknown ca" in refused(asking, context).lower()
    asking.wait_log("no TLS with 127.0.0.1:", "an authority that tls_client_ca does not name")


@BOTH
def test_an_expired_certificate(asking, tls, tmp_path, version):
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    cert, key = tls.files(tmp_path, "x", name="expired", not_after=past)
    context = only(tls.client_context(cert, key), version)
    assert "expired" in refused(asking, context)
    asking.wait_log("no TLS with 127.0.0.1:", "certificate has expired")
    assert len(asking.log_lines("no TLS with")) == 1


def test_with_callers_a_certificate_is_no_must(run_tls, provider, api, tls, canary, tmp_path,
                                               tmp_path_factory):
    key = canary.secret("shop-key")
    bearerd = run_tls(provider() + section("route all", {
        "provider": "idp", "upstream": api.origin}) + section("caller shop", {
            "api_key": f"literal:{key}"}), server={"tls_client_ca": tls.ca_file})
    assert bearerd.get("/x", [("X-Api-Key", key)]).status == 200
    assert bearerd.get("/x").status == 401
    stranger = Tls(tmp_path_factory.mktemp("stranger"))
    foreign = tls.client_context(*stranger.files(tmp_path, "x", name="foreign"))
    assert "unknown ca" in refused(bearerd, foreign).lower()


def test_a_resumed_session_keeps_its_certificate(asking, tls, tmp_path):
    context = tls.client_context(*tls.files(tmp_path, "client", name="client"))
    with asking.client(tls=context) as client:
        assert client.get("/x").status == 200
        session = client.sock.session
    sock = socket.create_connection(("127.0.0.1", asking.port), 20)
    with context.wrap_socket(sock, server_hostname="127.0.0.1", session=session) as client:
        client.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"


# --- reload ---------------------------------------------------------------------------------------


def serial(bearerd, context):
    with bearerd.client(tls=context) as client:
        return client.sock.getpeercert()["serialNumber"]


def test_a_new_certificate_under_load(start, tls, tmp_path):
    bearerd = start()
    before = serial(bearerd, bearerd.tls)
    stop, served, failures = threading.Event(), [0, 0], []

    def load(kind):
        """Kind 0 keeps its connection, kind 1 takes a new one each time."""
        kept = bearerd.client()
        try:
            while not stop.is_set():
                assert (bearerd.post if kind else kept.post)("/x", b"hello").status == 200
                served[kind] += 1
        except (AssertionError, OSError) as error:
            failures.append(repr(error))
        kept.close()

    threads = [threading.Thread(target=load, args=(kind,), daemon=True) for kind in (0, 1, 1)]
    for thread in threads:
        thread.start()
    for number in range(4):
        tls.files(tmp_path)  # in place of the old ones
        bearerd.signal(signal.SIGHUP)
        wait_until(lambda: len(bearerd.log_lines("configuration reloaded")) == number + 1, "it")
        at = list(served)
        wait_until(lambda: all(now > then + 3 for now, then in zip(served, at)) or failures, "load")
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert serial(bearerd, bearerd.tls) != before


def test_a_bad_certificate_fails_the_reload_whole(start, tls, tmp_path):
    bearerd = start()
    before = serial(bearerd, bearerd.tls)
    stranger_cert, _ = tls.files(tmp_path, name="stranger")
    (tmp_path / "server.pem").write_bytes(stranger_cert.read_bytes())
    bearerd.signal(signal.SIGHUP)
    bearerd.wait_log("tls_key: ", "not the one of the certificate")
    bearerd.wait_log("the reload failed")
    assert serial(bearerd, bearerd.tls) == before
    assert bearerd.get("/x").status == 200


def test_another_authority_of_clients(start, tls, tmp_path, tmp_path_factory):
    """Neither a connection that goes on nor a session of the old authority is a way in."""
    bearerd = start(server={"tls_client_ca": tls.ca_file})
    old = tls.client_context(*tls.files(tmp_path, "old", name="old"))
    stranger = Tls(tmp_path_factory.mktemp("stranger"))
    new = tls.client_context(*stranger.files(tmp_path, "new", name="new"))
    text = bearerd.config_path.read_text()
    with bearerd.client(tls=old) as kept:
        assert kept.get("/x").status == 200
        bearerd.config_path.write_text(text.replace(str(tls.ca_file), str(stranger.ca_file)))
        bearerd.signal(signal.SIGHUP)
        bearerd.wait_log("configuration reloaded")
        with bearerd.client(tls=new) as client:
            assert client.get("/x").status == 200
        sock = socket.create_connection(("127.0.0.1", bearerd.port), 20)
        with pytest.raises((ssl.SSLError, OSError)):
            with old.wrap_socket(sock, server_hostname="127.0.0.1",
                                 session=kept.sock.session) as client:
                client.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if not client.recv(1):
                    raise ConnectionError("closed")
        with pytest.raises((ssl.SSLError, OSError, Truncated)):
            kept.get("/x")
    wait_until(lambda: len(bearerd.log_lines("no TLS with", "tls_client_ca does not name")) == 2,
               "a line for each")


def test_who_is_in_stays_when_the_authority_is_told_anew(start, tls, tmp_path, tmp_path_factory):
    """A second authority, a new certificate of ours: no connection ends."""
    bearerd = start(server={"tls_client_ca": tls.ca_file})
    stranger = Tls(tmp_path_factory.mktemp("stranger"))
    both = tmp_path / "both.pem"
    both.write_bytes(stranger.ca_file.read_bytes() + tls.ca_file.read_bytes())
    context = tls.client_context(*tls.files(tmp_path, "old", name="old"))
    text = bearerd.config_path.read_text()
    with bearerd.client(tls=context) as kept:
        for number, path in enumerate((both, tls.ca_file, both)):
            assert kept.get("/x").status == 200
            tls.files(tmp_path)
            bearerd.config_path.write_text(text.replace(str(tls.ca_file), str(path)))
            bearerd.signal(signal.SIGHUP)
            wait_until(lambda: len(bearerd.log_lines("configuration reloaded")) == number + 1, "it")
            assert kept.get("/x").status == 200


def test_once_certificates_are_wanted_nobody_stays_without(start, tls, tmp_path):
    bearerd = start()
    text = bearerd.config_path.read_text()
    with bearerd.client() as kept:
        assert kept.get("/x").status == 200
        bearerd.config_path.write_text(text.replace("tls_cert", f"tls_client_ca = {tls.ca_file}\ntls_cert"))
        bearerd.signal(signal.SIGHUP)
        bearerd.wait_log("configuration reloaded")
        with pytest.raises((ssl.SSLError, OSError, Truncated)):
            kept.get("/x")
    bearerd.wait_log("no TLS with 127.0.0.1:", "has shown no certificate")


def test_a_port_changes_between_plain_and_tls(start, tls):
    bearerd = start()
    text = bearerd.config_path.read_text()
    with bearerd.client() as kept:
        for number, (contents, context) in enumerate([
                (re.sub("tls_.*\n", "", text), None), (text, bearerd.tls)] * 2):
            bearerd.config_path.write_text(contents)
            bearerd.signal(signal.SIGHUP)
            wait_until(lambda: len(bearerd.log_lines("configuration reloaded")) == number + 1, "it")

            def works():
                try:
                    with bearerd.client(tls=context) as client:
                        return client.get("/x").status == 200
                except (OSError, AssertionError):
                    return False
            wait_until(works, "the new kind")
            assert kept.get("/x").status == 200


# --- check ----------------------------------------------------------------------------------------


@pytest.fixture
def checked(configure, tls, tmp_path):
    def checked(**server):
        cert, key = tls.files(tmp_path)
        keys = {"tls_cert": cert, "tls_key": key, **server}
        return configure(section("route r", {"provider": "none", "upstream": "http://127.0.0.1:1"}),
                         server=keys).check()
    return checked


def test_check_says_what_is_wrong_with_the_files(checked, tls, tmp_path):
    assert checked().status == 0
    other, other_key = tls.files(tmp_path, name="other")
    empty = tmp_path / "empty"
    empty.write_text("no certificate\n")
    for keys, key, words in (
            ({"tls_key": None}, "tls_cert", "it needs tls_key"),
            ({"tls_cert": None}, "tls_key", "it needs tls_cert"),
            ({"tls_cert": None, "tls_key": None, "tls_client_ca": tls.ca_file}, "tls_client_ca",
             "add tls_cert and tls_key"),
            ({"tls_cert": tmp_path / "none"}, "tls_cert", "cannot be read"),
            ({"tls_cert": empty}, "tls_cert", "no certificate in PEM form"),
            ({"tls_key": other_key}, "tls_key", "not the one of the certificate"),
            ({"tls_key": other}, "tls_key", "no private key in PEM form"),
            ({"tls_client_ca": empty}, "tls_client_ca", "no certificate in PEM form")):
        result = checked(**keys)
        assert result.status == 78, keys
        assert any(f"[server] {key}: " in line and words in line
                   for line in result.output.splitlines()), result


def test_check_warns_of_what_clients_will_not_like(checked, tls, tmp_path):
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    cert, key = tls.files(tmp_path, name="old", not_after=past)
    result = checked(tls_cert=cert, tls_key=key)
    assert result.status == 0 and "expired at 2020-01-01" in result.output
    key.chmod(0o644)
    assert "everybody may read" in checked(tls_cert=cert, tls_key=key).output
    assert "no listener speaks TLS" in checked(listen="127.0.0.1:1 plain").output


def test_a_key_with_a_passphrase(checked, tls, tmp_path):
    cert, key = tls.files(tmp_path, name="locked")
    locked = tmp_path / "locked.pem8"
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", key, "-v2", "aes256", "-passout", "pass:x",
                    "-out", locked], check=True, timeout=20)
    result = checked(tls_cert=cert, tls_key=locked)
    assert result.status == 78 and "passphrase" in result.output
