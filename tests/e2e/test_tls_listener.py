"""The listener that speaks TLS: what it offers and refuses, and how messages end."""

import re
import shutil
import socket
import ssl
import subprocess

import pytest
from actors import in_parallel, section, wait_until

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
    bearerd.wait_log("no TLS with 127.0.0.1:", "no TLS version, cipher, curve or protocol in common")
    assert bearerd.get("/x").status == 200


@BOTH
def test_who_means_another_protocol_gets_nowhere(start, tls, version):
    """ALPN (RFC 7301 3.2): a session meant for a mail server is not led here."""
    bearerd = start()
    for offered, taken in ((["smtp", "http/1.0"], "http/1.0"), ([], None), (["h2"], False)):
        context = only(tls.client_context(), version)
        if offered:
            context.set_alpn_protocols(offered)
        if taken is False:
            with pytest.raises(ssl.SSLError):
                bearerd.client(tls=context)
            continue
        with bearerd.client(tls=context) as client:
            assert client.sock.selected_alpn_protocol() == taken
            assert client.get("/x").status == 200


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
