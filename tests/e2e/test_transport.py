"""How bearerd reaches others, and how it is reached: proxies, client certificates, addresses."""

import socket

import pytest
from actors import Client, EchoApi, Idp, Tls, section
from actors.tunnel import Tunnel


def route(api, **keys):
    return section("route all", {"provider": "idp", "upstream": api.origin, **keys})


def test_everything_through_a_proxy(run, provider, stage, canary, tls):
    """The provider's proxy is its routes' default, and TLS goes through it unopened."""
    idp = stage.add(Idp(canary, tls=tls.server_context("127.0.0.1")))
    api = stage.add(EchoApi(idp, tls=tls.server_context("127.0.0.1")))
    tunnel = stage.add(Tunnel())
    bearerd = run(provider(idp=idp, ca_file=tls.ca_file, proxy=tunnel.origin) + route(api))
    assert bearerd.get("/x").status == 200
    assert sorted(tunnel.targets) == sorted([f"CONNECT {idp.authority}",
                                             f"CONNECT {api.authority}"])


def test_a_route_may_do_without_the_proxy(run, provider, stage, idp, api):
    tunnel = stage.add(Tunnel())
    bearerd = run(provider(proxy=tunnel.origin) + route(api, proxy="none"))
    assert bearerd.get("/x").status == 200
    assert tunnel.targets and all(api.authority not in target for target in tunnel.targets)


def test_a_proxy_for_the_route_only(run, provider, stage, idp, tls):
    api = stage.add(EchoApi(idp, tls=tls.server_context("127.0.0.1")))
    tunnel = stage.add(Tunnel())
    bearerd = run(provider() + route(api, ca_file=tls.ca_file, proxy=tunnel.origin))
    assert bearerd.get("/x").status == 200
    assert tunnel.targets == [f"CONNECT {api.authority}"]


def test_a_proxy_that_refuses(run, provider, stage, idp, tls):
    api = stage.add(EchoApi(idp, tls=tls.server_context("127.0.0.1")))
    tunnel = stage.add(Tunnel(refuse_with=403))
    bearerd = run(provider() + route(api, ca_file=tls.ca_file, proxy=tunnel.origin))
    answer = bearerd.get("/x")
    assert (answer.status, answer.problem()["code"]) == (502, "upstream_unreachable")
    assert not api.accepted


def test_a_client_certificate_for_the_token_endpoint(run, provider, stage, canary, tls, tmp_path):
    """tls_client_auth: the certificate proves who it is, the form says so."""
    theirs = Tls(tmp_path)
    pem = tmp_path / "client.pem"
    theirs.authority.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(
        str(pem))
    pem.chmod(0o600)
    idp = stage.add(Idp(canary, tls=tls.server_context("127.0.0.1", client_ca=theirs)))
    api = stage.add(EchoApi(idp))
    bearerd = run(provider(idp=idp, client_auth="tls_client_auth", client_secret=None,
                           ca_file=tls.ca_file, client_cert=pem, client_key=pem) + route(api))
    assert bearerd.get("/x").status == 200
    assert ("client_id", "the-client") in idp.requests[0].form
    assert idp.requests[0].basic is None


def test_ipv6(provider, stage, api):
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no ::1")
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port = probe.getsockname()[1]
    bearerd = stage.bearerd()
    bearerd.write_config(provider() + route(api), {
        "listen": f"127.0.0.1:{bearerd.port}, [::1]:{port}"})
    bearerd.start().wait_log(f"[::1]:{port}")
    with Client(port, host="::1") as client:
        assert client.get("/x", host=f"[::1]:{port}").status == 200
        assert client.get("/x", host=f"localhost:{port}").status == 200


def test_an_ipv6_upstream(run, provider, stage, idp):
    try:
        api = stage.add(EchoApi(idp, address="::1"))
    except OSError:
        pytest.skip("this machine has no ::1")
    bearerd = run(provider() + section("route all", {"provider": "idp",
                                                     "upstream": api.origin + "/v1"}))
    answer = bearerd.get("/x")
    assert answer.json()["target"] == "/v1/x"
    assert dict(answer.json()["fields"])["Host"] == f"[::1]:{api.port}"
