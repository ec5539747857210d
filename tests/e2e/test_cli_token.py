"""bearerd token: one token, now; shown only on request."""

import pytest
from actors import Idp, section
from actors.ports import HeldPort


@pytest.fixture
def bearerd(configure, provider, api):
    return configure(provider(scope="payments") + section("route all", {"provider": "idp",
                                                                        "upstream": api.origin}))


def token(bearerd, *arguments, **options):
    return bearerd.run_cli("token", "-c", bearerd.config_path, *arguments, **options)


def test_it_is_described(bearerd, idp):
    idp.then(idp.ok(scope="payments offline"))
    result = token(bearerd, "idp")
    assert result.status == 0 and result.stderr == ""
    assert "lifetime  3600 s (1 h 0 min)" in result.stdout
    assert "scope     payments offline" in result.stdout
    assert "first byte" in result.stdout and " ms" in result.stdout
    assert idp.count == 1
    assert idp.requests[0].form == [("grant_type", "client_credentials"), ("scope", "payments")]


def test_it_is_shown_on_request(bearerd, idp):
    result = token(bearerd, "--show", "idp", reveals=True)
    assert result.status == 0
    assert f"token     {idp.token}\n" in result.stdout


@pytest.mark.parametrize("status,content,word", [
    (401, {"error": "invalid_client"}, "invalid_client"),
    (200, {"error_description": "the account is closed"}, "the account is closed"),
    (200, "<html>", "JSON"), (500, "oops", "500"),
])
def test_a_failure_says_why(bearerd, idp, status, content, word):
    idp.always(idp.answer(status, content))
    result = token(bearerd, "idp", "--show")
    assert result.status == 1 and result.stdout == ""
    assert word in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_echoed_secret_is_redacted(bearerd, idp, canary):
    secret = bearerd.config_path.read_text().partition("client_secret = literal:")[2].split("\n")[0]
    idp.always(idp.answer(400, {"error_description": f"no client with secret {secret}"}))
    result = token(bearerd, "idp")
    assert result.status == 1
    assert "no client with secret ***" in result.stderr
    assert not canary.leaks(result.output.encode())


def test_a_refresh_token_is_used_as_the_proxy_would(configure, provider, api, idp, canary):
    first = canary.secret("refresh-token")
    bearerd = configure(provider(refresh_token=f"literal:{first}")
                        + section("route all", {"provider": "idp", "upstream": api.origin}))
    assert token(bearerd, "idp").status == 0
    assert ("refresh_token", first) in idp.requests[0].form


def test_an_unknown_provider(bearerd, idp):
    result = token(bearerd, "ipd")
    assert result.status == 64
    assert "did you mean idp?" in result.stderr
    assert idp.count == 0


def test_it_waits_no_longer_than_token_timeout(configure, provider, api, idp):
    bearerd = configure(provider(token_timeout="500ms")
                        + section("route all", {"provider": "idp", "upstream": api.origin}))
    idp.hold()
    result = token(bearerd, "idp", timeout=10)
    assert result.status == 1
    assert len(result.stderr.splitlines()) == 1
    idp.release()


# --- an endpoint that cannot be talked to ---------------------------------------------------------


def dead(configure, provider, url, **keys):
    bearerd = configure(provider(token_url=url, **keys)
                        + section("route all", {"provider": "idp",
                                                "upstream": "http://127.0.0.1:1"}))
    result = token(bearerd, "idp")
    assert result.status == 1 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def test_a_closed_port(configure, provider):
    port = HeldPort()
    said = dead(configure, provider, f"http://127.0.0.1:{port.port}/token?a=b")
    assert f"idp gave no token: 127.0.0.1:{port.port}: connection refused\n" in said
    port.close()


def test_a_name_that_is_none(configure, provider):
    host = "a" * 70 + ".example"  # no resolver is asked for it
    assert f"{host}:443: name not found\n" in dead(configure, provider, f"https://{host}/token")


def test_a_certificate_that_is_not_trusted(configure, provider, stage, canary, tls):
    idp = stage.add(Idp(canary, tls=tls.server_context("127.0.0.1")))
    where = f"127.0.0.1:{idp.port}: its certificate is not trusted: "
    assert where + "unable to get local issuer" in dead(configure, provider, idp.url)
    other = stage.add(Idp(canary, tls=tls.server_context("elsewhere.example")))
    said = dead(configure, provider, other.url, ca_file=tls.ca_file)
    assert f"127.0.0.1:{other.port}: its certificate is not trusted: it is made out to another" in said


def test_no_tls_where_tls_is_wanted(configure, provider, idp):
    said = dead(configure, provider, idp.url.replace("http://", "https://"))
    assert f"127.0.0.1:{idp.port}: no TLS connection" in said
    idp.failures.clear()  # it saw a handshake in place of a request
