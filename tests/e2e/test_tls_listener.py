"""The listener that speaks TLS: what it offers and refuses, whom it believes, how it is reloaded."""

import datetime
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import pytest
from actors import Client, Tls, in_parallel, section, wait_until

HEADER_TIMEOUT = 2


@pytest.fixture
def start(run_tls, provider, api):
    def start(server=None, **route):
        return run_tls(provider() + section("route all", {
            "provider": "idp", "upstream": api.origin, **route}), server=server)
    return start


@pytest.fixture
def short(start):
    return start(server={"header_timeout": f"{HEADER_TIMEOUT}s"})


def client_hello(tls):
    """The first bytes that a client of TLS sends."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = tls.client_context().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


def openssl(bearerd, *options, stdin=b""):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{bearerd.port}", *map(str, options)],
        input=stdin, capture_output=True, timeout=20)
    return (done.stdout + done.stderr).decode(errors="replace")


def only(context, version):
    context.minimum_version = context.maximum_version = version
    return context


BOTH = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])


# --- what it offers -------------------------------------------------------------------------------


@BOTH
def test_http_over_both_versions(start, tls, version):
    bearerd = start()
    context = only(tls.client_context(), version)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with bearerd.client(tls=context) as client:
        assert client.sock.selected_alpn_protocol() == "http/1.1"
        for _ in range(3):
            assert client.post("/x", b"hello").json()["length"] == 5


def test_older_versions_are_refused_with_an_alert(start):
    bearerd = start()
    said = openssl(bearerd, "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0")
    assert "alert" in said and "Cipher is (NONE)" in said
    bearerd.wait_log("no TLS with 127.0.0.1:", "no TLS version, cipher or curve in common")
    assert bearerd.get("/x").status == 200


def test_nobody_renegotiates(start):
    bearerd = start()
    said = openssl(bearerd, "-tls1_2", stdin=b"R\n")
    assert "RENEGOTIATING" in said and "read R BLOCK" not in said.split("RENEGOTIATING")[1]
    assert bearerd.get("/x").status == 200


@pytest.mark.skipif(not shutil.which("sslscan"), reason="needs sslscan")
def test_sslscan_finds_nothing_to_complain_of(start):
    bearerd = start()
    said = subprocess.run(["sslscan", "--no-colour", f"127.0.0.1:{bearerd.port}"],
                          capture_output=True, timeout=40).stdout.decode()
    for old in ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"):
        assert re.search(rf"^{old} +disabled$", said, re.M), said
    ciphers = re.findall(r"^(?:Preferred|Accepted) +(\S+) +(\d+) bits +(\S+)", said, re.M)
    assert len(ciphers) >= 4
    for version, bits, name in ciphers:
        assert version in ("TLSv1.2", "TLSv1.3") and int(bits) >= 128, said
        assert re.search(r"GCM|CHACHA20", name) and not name.startswith("AES"), said
    assert "Session renegotiation not supported" in said
    assert "vulnerable to heartbleed" in said and "not vulnerable" in said
    assert "Server supports TLS Fallback SCSV" in said
    bearerd.wait_log("no TLS with")


@BOTH
def test_sessions_are_resumed_by_any_worker(start, tls, version):
    bearerd = start(server={"workers": 2})
    context = only(tls.client_context(), version)

    def visit(session=None):
        sock = socket.create_connection(("127.0.0.1", bearerd.port), 20)
        with context.wrap_socket(sock, server_hostname="127.0.0.1", session=session) as client:
            client.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while client.recv(65536):
                pass
            return client.session, client.session_reused

    session, reused = visit()
    assert not reused
    assert all(visit(session)[1] for _ in range(12))


def test_curl(start, tls):
    bearerd = start()
    done = subprocess.run(
        ["curl", "-sS", "--fail", "--cacert", tls.ca_file, "-w", "%{http_code} %{num_connects};",
         "-o", "/dev/null", "-o", "/dev/null", *[f"https://127.0.0.1:{bearerd.port}/x"] * 2],
        capture_output=True, timeout=20)
    assert done.stdout == b"200 1;200 0;", done.stderr


# --- what is no TLS -------------------------------------------------------------------------------


def test_plain_http_gets_an_answer_it_can_read(start):
    bearerd = start()
    with bearerd.client(tls=None) as client:
        answer = client.get("/x")
        assert answer.status == 400
        assert "https://" in answer.text
        assert client.is_closed()
    bearerd.wait_log("no TLS with 127.0.0.1:", "plain HTTP")


@pytest.mark.parametrize("garbage", [
    b"\0" * 100, b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + b"x" * 70000,
    b"\x15\x03\x03\x00\x02\x02\x28", b"\x80\x2e\x01\x00\x02", b"SSH-2.0-x\r\n"])
def test_garbage_is_closed(start, garbage):
    bearerd = start()
    with bearerd.client(tls=None) as client:
        try:
            client.send(garbage)
            client.read_rest()
        except OSError:
            pass
    assert bearerd.get("/x").status == 200


def test_tls_on_a_plain_port_is_closed(run, provider, tls):
    bearerd = run(provider() + section("route r", {
        "provider": "none", "upstream": "http://127.0.0.1:1"}), server={"tls_cert": None})
    if bearerd.tls:
        pytest.skip("the port speaks TLS")
    with pytest.raises((ssl.SSLError, OSError)):
        bearerd.client(tls=tls.client_context())
    assert bearerd.get("/x").status == 502


# --- handshakes that take their time --------------------------------------------------------------


def test_a_client_that_leaves_without_a_word_is_no_news(start):
    bearerd = start()
    bearerd.client(tls=None).close()
    assert bearerd.get("/x").status == 200
    assert not bearerd.log_lines("no TLS with")


def test_handshakes_in_single_bytes(start, tls):
    bearerd = start()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = tls.client_context().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with bearerd.client(tls=None) as client:
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    client.send(bytes([byte]))
                incoming.write(client.sock.recv(65536))
        session.write(client.head("GET", "/x"))
        for byte in outgoing.read():
            client.send(bytes([byte]))
        answer = b""
        while b"200 OK" not in answer:
            incoming.write(client.sock.recv(65536))
            try:
                answer += session.read(65536)
            except ssl.SSLWantReadError:
                pass


def test_half_open_handshakes_beside_normal_traffic(short, tls):
    """500 that never end: others are served, no processor spins, and all go in time."""
    hello = client_hello(tls)
    begun = (b"", b"\x16", hello[:100], hello)
    assert short.get("/x").status == 200
    kib, ticks = short.rss_kib(), cpu_ticks(short)
    waiting = []
    for number in range(500):
        sock = socket.create_connection(("127.0.0.1", short.port), 20)
        sock.sendall(begun[number % len(begun)])
        waiting.append(sock)
    with short.client() as kept:
        for _ in range(20):
            assert kept.get("/x").status == 200
            assert short.get("/x").status == 200
    assert short.rss_kib() - kib < 500 * 256
    for sock in waiting:
        sock.settimeout(20)
        try:
            while sock.recv(65536):
                pass
        except ConnectionResetError:
            pass
        sock.close()
    assert cpu_ticks(short) - ticks < 100 * HEADER_TIMEOUT  # one processor busy would be at least that
    short.wait_log("no TLS with 127.0.0.1:", "longer than header_timeout")
    assert len(short.log_lines("no TLS with")) < 200
    assert short.get("/x").status == 200


def cpu_ticks(bearerd):
    with open(f"/proc/{bearerd.process.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_silent_client_after_the_handshake(short):
    with short.client() as client:
        assert client.is_closed()


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


def test_a_resumed_session_keeps_its_certificate(asking, tls, tmp_path):
    context = tls.client_context(*tls.files(tmp_path, "client", name="client"))
    with asking.client(tls=context) as client:
        assert client.get("/x").status == 200
        session = client.sock.session
    sock = socket.create_connection(("127.0.0.1", asking.port), 20)
    with context.wrap_socket(sock, server_hostname="127.0.0.1", session=session) as client:
        client.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"


# --- the end of messages --------------------------------------------------------------------------


def read_to_the_end(sock):
    """What came, and whether TLS said that it was all."""
    data = b""
    try:
        while more := sock.recv(65536):
            data += more
        return data, True
    except (ssl.SSLError, ConnectionResetError):
        return data, False


@pytest.fixture
def scripted(run_tls, upstream):
    def scripted(answer, then):
        def script(peer):
            peer.read_request()
            peer.send(answer)
            then(peer)
        api = upstream(script)
        return run_tls(section("route all", {"provider": "none", "upstream": api.origin}))
    return scripted


@pytest.mark.parametrize("size", [3, 3_000_000])
def test_the_end_of_an_old_clients_message_is_said(scripted, size):
    """Where the end of the connection is the framing, only close_notify tells it from a cut."""
    bearerd = scripted(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * size, lambda peer: None)
    with bearerd.client() as client:
        client.send(b"GET /x HTTP/1.0\r\nHost: localhost\r\n\r\n")
        data, whole = read_to_the_end(client.sock)
    assert whole and data.endswith(b"\r\n\r\n" + b"x" * size)


@pytest.mark.parametrize("framing", [b"Content-Length: 100\r\n\r\nabc",
                                     b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_cut_message_does_not_end_well(scripted, framing, version):
    bearerd = scripted(b"HTTP/1.1 200 OK\r\n" + framing, lambda peer: None)
    with bearerd.client() as client:
        client.send(b"GET /x HTTP/" + version + b"\r\nHost: localhost\r\n\r\n")
        data, whole = read_to_the_end(client.sock)
    assert not whole and not data.endswith(b"\r\n0\r\n\r\n")


def test_the_last_answer_is_followed_by_a_goodbye(start):
    bearerd = start()
    with bearerd.client() as client:
        client.send(client.head("GET", "/x", [("Connection", "close")]))
        data, whole = read_to_the_end(client.sock)
    assert whole and data.startswith(b"HTTP/1.1 200")


def test_a_client_that_is_cut_within_a_record(start, api):
    bearerd = start()
    with bearerd.client() as client:
        client.send(client.head("POST", "/x", [("Content-Length", "100000")]) + b"x" * 1000)
        socket.socket.send(client.sock, b"\x17\x03\x03\x40\x00" + b"y" * 3000)
        client.reset()
    with bearerd.client() as client:
        client.send(client.head("POST", "/x", [("Content-Length", "100000")]))
        socket.socket.send(client.sock, b"\x17\x03\x03\x01\x00" + b"y" * 256)  # a forged one
        data, _ = read_to_the_end(client.sock)
        assert b"200 OK" not in data
    wait_until(lambda: "bearerd_client_connections 0" in bearerd.admin("/metrics")[2],
               "the connections to go")
    assert bearerd.get("/x").status == 200


def test_two_hundred_at_once(start):
    bearerd = start()

    def visit(number):
        with bearerd.client() as client:
            for turn in range(3):
                answer = client.post(f"/{number}/{turn}", b"x" * number)
                assert answer.json()["target"] == f"/{number}/{turn}"
                assert answer.json()["length"] == number
    in_parallel(200, visit)


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
    """Those who are in stay; a session of the old authority is no way in."""
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
        assert kept.get("/x").status == 200


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
