"""TLS to upstreams and token endpoints: verified always, or a clean error."""

import ssl

import pytest
from actors import EchoApi, Idp, Tls, Truncated, Upstream, in_parallel, section


@pytest.fixture
def start(run, provider, stage):
    """bearerd in front of an https echo API with this server context."""
    def start(api, origin=None, keys=None, **route):
        return run(provider(**(keys or {})) + section("route all", {
            "provider": "idp", "upstream": origin or api.origin, **route}))
    return start


@pytest.fixture
def tls_api(stage, idp, tls):
    return stage.add(EchoApi(idp, tls=tls.server_context("127.0.0.1", "localhost")))


def code(answer):
    return answer.status, answer.problem()["code"]


def test_a_verified_upstream(start, tls_api, tls):
    bearerd = start(tls_api, ca_file=tls.ca_file)
    for _ in range(5):
        assert bearerd.get("/x").status == 200
    assert bearerd.post("/x", b"a" * 200_000).json()["length"] == 200_000
    assert tls_api.accepted <= 2


def test_by_name(start, tls_api, tls):
    bearerd = start(tls_api, f"https://localhost:{tls_api.port}", ca_file=tls.ca_file)
    answer = bearerd.get("/x")
    assert answer.status == 200
    assert dict(answer.json()["fields"])["Host"] == f"localhost:{tls_api.port}"


def test_the_provider_lends_its_authority(start, tls_api, tls):
    assert start(tls_api, keys={"ca_file": tls.ca_file}).get("/x").status == 200


def test_an_unknown_authority(start, tls_api, idp):
    bearerd = start(tls_api)
    answer = bearerd.get("/x")
    assert code(answer) == (502, "upstream_tls")
    assert "ca_file" in answer.problem()["detail"]
    assert not tls_api.requests


def test_another_authority(start, tls_api, tmp_path):
    stranger = Tls(tmp_path)
    assert code(start(tls_api, ca_file=stranger.ca_file).get("/x")) == (502, "upstream_tls")
    assert not tls_api.requests


def test_a_wrong_name(start, stage, idp, tls):
    api = stage.add(EchoApi(idp, tls=tls.server_context("other.example")))
    assert code(start(api, ca_file=tls.ca_file).get("/x")) == (502, "upstream_tls")
    assert not api.requests


def test_no_tls_there(start, upstream, tls):
    def plain(peer):
        peer.stream.fill()
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    api = upstream(plain)
    answer = start(api, f"https://{api.authority}", ca_file=tls.ca_file).get("/x")
    assert code(answer) == (502, "upstream_tls")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused(stage, provider, idp, tls, tmp_path):
    """By bearerd itself: here the system's own policy allows them."""
    lax = tmp_path / "openssl.cnf"
    lax.write_text("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n"
                   "[c]\nMinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n")
    context = tls.server_context("127.0.0.1")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    api = stage.add(EchoApi(idp, tls=context))
    bearerd = stage.bearerd(provider() + section("route all", {
        "provider": "idp", "upstream": api.origin, "ca_file": tls.ca_file}),
        env={"OPENSSL_CONF": str(lax)}).start()
    assert code(bearerd.get("/x")) == (502, "upstream_tls")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_current_versions(start, stage, idp, tls, version):
    context = tls.server_context("127.0.0.1")
    context.minimum_version = context.maximum_version = version
    api = stage.add(EchoApi(idp, tls=context))
    bearerd = start(api, ca_file=tls.ca_file)
    for _ in range(3):
        assert bearerd.get("/x").status == 200


def test_a_handshake_that_hangs(start, upstream, tls):
    silent = upstream(lambda peer: peer.stall())
    answer = start(silent, f"https://{silent.authority}", ca_file=tls.ca_file,
                   connect_timeout="1s").get("/x")
    assert code(answer) == (504, "upstream_timeout")


def test_large_bodies_over_tls(start, tls_api, tls):
    bearerd = start(tls_api, ca_file=tls.ca_file)
    with bearerd.client() as client:
        client.send(client.head("GET", "/stream/20000000?chunked"))
        assert client.read().length == 20_000_000
        assert client.post("/sink", b"x" * 5_000_000).json()["length"] == 5_000_000


def test_parallel_requests_over_tls(start, tls_api, tls):
    bearerd = start(tls_api, ca_file=tls.ca_file)
    assert in_parallel(20, lambda n: bearerd.get(f"/{n}").status) == [200] * 20


def test_truncation_without_close_notify(start, stage, tls):
    """An end of the connection that TLS did not announce is no end of a body."""
    def script(peer):
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
        peer.stream.sock.shutdown(2)
    api = stage.add(Upstream(script, tls=tls.server_context("127.0.0.1")))
    bearerd = start(api, ca_file=tls.ca_file)
    with bearerd.client() as client:
        client.send(client.head("GET", "/x"))
        with pytest.raises(Truncated):
            client.read()


def test_a_client_certificate(start, stage, idp, tls, tmp_path):
    theirs = Tls(tmp_path)
    certificate = theirs.authority.issue_cert("client.example")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    (tmp_path / "client.pem").chmod(0o600)
    api = stage.add(EchoApi(idp, tls=tls.server_context("127.0.0.1", client_ca=theirs)))
    with_it = start(api, ca_file=tls.ca_file, client_cert=tmp_path / "client.pem",
                    client_key=tmp_path / "client.pem")
    assert with_it.get("/x").status == 200
    assert start(api, ca_file=tls.ca_file).get("/x").status == 502


# --- token endpoints ------------------------------------------------------------------------------


def test_a_token_endpoint_over_tls(run, provider, stage, canary, tls):
    idp = stage.add(Idp(canary, tls=tls.server_context("127.0.0.1")))
    api = stage.add(EchoApi(idp))
    bearerd = run(provider(idp=idp, ca_file=tls.ca_file) + section(
        "route all", {"provider": "idp", "upstream": api.origin}))
    assert bearerd.get("/x").status == 200


@pytest.mark.parametrize("names", [["127.0.0.1"], ["other.example"]], ids=["authority", "name"])
def test_a_token_endpoint_that_cannot_be_verified(run, provider, stage, canary, tls, api, names,
                                                  tmp_path):
    idp = stage.add(Idp(canary, tls=tls.server_context(*names)))
    trusted = tls if names == ["other.example"] else Tls(tmp_path)
    bearerd = run(provider(idp=idp, ca_file=trusted.ca_file) + section(
        "route all", {"provider": "idp", "upstream": api.origin}))
    assert code(bearerd.get("/x")) == (503, "token_unavailable")
    assert not idp.requests and not api.requests
    assert bearerd.wait_log("certificate")


def test_environment_proxies_are_ignored(run, provider, api, upstream):
    trap = upstream()
    environment = {name: trap.origin for name in ("http_proxy", "https_proxy", "all_proxy",
                                                  "HTTPS_PROXY", "ALL_PROXY")}
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
                  env=environment)
    assert bearerd.get("/x").status == 200
    assert trap.accepted == 0


def test_netrc_is_ignored(run, provider, api, idp, tmp_path, canary):
    secret = canary.secret("netrc-password")
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login x password {secret}\n")
    bearerd = run(provider(client_auth="none", client_secret=None, client_id=None) + section(
        "route all", {"provider": "idp", "upstream": api.origin}), env={"HOME": str(tmp_path)})
    assert bearerd.get("/x").status == 200
    assert idp.requests[0].basic is None
