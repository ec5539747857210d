"""bearerd gets its tokens from glewlwyd, and an API that verifies them accepts its requests."""

import pytest
from actors import section, wait_until
from glewlwyd import Glewlwyd
from jwt_api import JwtApi

CLIENT = "shop"


@pytest.fixture
def secret(canary):
    return canary.secret("shop-secret")


@pytest.fixture
def server(stage, tmp_path, canary, secret):
    """glewlwyd with one confidential client and one user."""
    folder = tmp_path / "glewlwyd"
    folder.mkdir()
    server = stage.add(Glewlwyd(folder, canary))
    server.add_client(CLIENT, secret, "client_credentials", "password", "refresh_token",
                      methods=("client_secret_basic", "client_secret_post"))
    server.add_user("joe", canary.secret("user-password", "the password of joe"))
    return server


@pytest.fixture
def api(stage, server, canary):
    return stage.add(JwtApi(server.public_keys(), server.issuer, canary))


@pytest.fixture
def start(run, server, api, secret):
    """Starts bearerd for the client; keywords add keys to the provider."""
    def start(**keys):
        settings = {"token_url": server.token_url, "client_id": CLIENT,
                    "client_secret": f"literal:{secret}", "scope": "payments", **keys}
        route = {"path": "/pay/", "provider": "glewlwyd", "upstream": api.origin + "/v1"}
        return run(section("provider glewlwyd", settings) + section("route pay", route))
    return start


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_right_credential_gets_through(start, server, api, method):
    bearerd = start(client_auth=method)
    for _ in range(3):
        answer = bearerd.post("/pay/orders?x=1", b'{"amount":100}')
        assert answer.status == 200, answer
        assert answer.json()["target"] == "/v1/orders?x=1"
    assert api.claims[0]["client_id"] == CLIENT
    assert len({claims["jti"] for claims in api.claims}) == 1
    assert server.token_requests() == 1


def test_a_secret_of_awkward_characters_raw(start, server, canary):
    """glewlwyd does not decode what RFC 6749 2.3.1 form-encodes: it needs basic_encoding = raw."""
    odd = canary.secret("odd-secret", "p:w%+d &=/")
    server.set_client_secret(CLIENT, odd)
    assert start(client_secret=f"literal:{odd}", basic_encoding="raw").get("/pay/x").status == 200


def test_a_secret_of_awkward_characters_in_the_form(start, server, canary):
    odd = canary.secret("odd-secret", "p:w%+d &=/")
    server.set_client_secret(CLIENT, odd)
    bearerd = start(client_secret=f"literal:{odd}", client_auth="client_secret_post")
    assert bearerd.get("/pay/x").status == 200


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_wrong_secret_is_refused(start, server, api, canary, method):
    wrong = canary.secret("wrong-secret")
    bearerd = start(client_auth=method, client_secret=f"literal:{wrong}")
    answer = bearerd.get("/pay/x")
    assert answer.status == 502
    assert answer.problem()["code"] == "token_refused"
    assert not api.requests and server.token_requests() == 0


def test_an_unknown_scope_is_refused(start, api):
    answer = start(scope="no-such-scope").get("/pay/x")
    assert (answer.status, answer.problem()["code"]) == (502, "token_refused")
    assert not api.requests


def test_an_expired_token_is_fetched_anew(stage, tmp_path, run, canary, secret):
    """Real lifetimes: tokens of 2 s, requests all the time, and the API never sees an old one."""
    folder = tmp_path / "short"
    folder.mkdir()
    server = stage.add(Glewlwyd(folder, canary, lifetime=2))
    server.add_client(CLIENT, secret, "client_credentials")
    api = stage.add(JwtApi(server.public_keys(), server.issuer, canary))
    bearerd = run(
        section("provider glewlwyd", {"token_url": server.token_url, "client_id": CLIENT,
                                      "client_secret": f"literal:{secret}", "scope": "payments"})
        + section("route pay", {"provider": "glewlwyd", "upstream": api.origin}))
    with bearerd.client() as client:
        def third_token_came():
            assert client.get("/x").status == 200
            return len({claims["jti"] for claims in api.claims}) >= 3
        wait_until(third_token_came, "a third token", 15)
    assert api.rejected == 0
    assert server.token_requests() <= 5


def test_a_refresh_token_starts_the_chain(start, server, api, secret):
    tokens = server.password_grant(CLIENT, secret, "joe", "the password of joe")
    bearerd = start(grant_type="refresh_token", refresh_token=f"literal:{tokens['refresh_token']}",
                    client_auth="client_secret_post", scope=None)
    assert bearerd.get("/pay/x").status == 200
    assert api.claims[0]["client_id"] == CLIENT
    assert api.claims[0]["sub"] != CLIENT  # the user's token, not the client's


def test_a_wrong_refresh_token_is_refused(start, api, canary):
    wrong = canary.secret("wrong-refresh-token")
    bearerd = start(grant_type="refresh_token", refresh_token=f"literal:{wrong}",
                    client_auth="client_secret_post", scope=None)
    answer = bearerd.get("/pay/x")
    assert (answer.status, answer.problem()["code"]) == (502, "token_refused")
    assert not api.requests


def test_the_outage_of_the_server_is_not_ours(start, server, api):
    """Once a token is there, glewlwyd may go away."""
    bearerd = start()
    assert bearerd.get("/pay/x").status == 200
    server.stop()
    assert bearerd.get("/pay/x").status == 200


def test_without_a_token_the_outage_is_said(start, server, api):
    server.stop()
    answer = start().get("/pay/x")
    assert (answer.status, answer.problem()["code"]) == (503, "token_unavailable")
    assert int(answer.fields.get("Retry-After")) >= 1
    assert not api.requests
