"""What a token request looks like, for every way that providers want it."""

import urllib.parse

import pytest
from actors import MISSING, section, wait_until

ODD_ID = "id:x"
ODD_SECRET = "p:w%+d &=/"


@pytest.fixture
def fetch(run, provider, idp, api):
    """Lets bearerd fetch a token by a provider with these keys; returns the token request."""
    def fetch(**keys):
        bearerd = run(provider(**keys) + section("route all", {"provider": "idp",
                                                               "upstream": api.origin}))
        answer = bearerd.get("/x")
        assert answer.status == 200, answer
        return idp.requests[-1]
    return fetch


@pytest.fixture
def odd(canary):
    """An id and a secret full of characters that matter somewhere."""
    return {"client_id": f"literal:{ODD_ID}",
            "client_secret": f"literal:{canary.secret('odd secret', ODD_SECRET)}"}


GRANT = ("grant_type", "client_credentials")


def test_the_plain_case(fetch, idp):
    request = fetch()
    assert (request.method, request.target) == ("POST", "/token")
    assert request.form == [GRANT]
    assert request.basic.startswith("the-client:")
    assert request.fields.get("Host") == idp.authority
    assert request.fields.get("Content-Length") == str(len(request.body))
    assert "application/json" in request.fields.get("Accept")


def test_basic_form_encodes_first(fetch, odd):
    request = fetch(**odd)
    assert request.basic == "id%3Ax:p%3Aw%25%2Bd+%26%3D%2F"
    assert request.form == [GRANT]


def test_basic_raw(fetch, odd):
    assert fetch(**odd, basic_encoding="raw").basic == "id:x:p:w%+d &=/"


def test_post(fetch, odd):
    request = fetch(**odd, client_auth="client_secret_post")
    assert sorted(request.form) == sorted([GRANT, ("client_id", ODD_ID),
                                           ("client_secret", ODD_SECRET)])
    assert b"client_secret=p%3Aw%25%2Bd+%26%3D%2F" in request.body
    assert request.basic is None


def test_query(fetch, odd):
    request = fetch(**odd, client_auth="client_secret_query")
    assert sorted(request.query) == [("client_id", ODD_ID), ("client_secret", ODD_SECRET)]
    assert request.form == [GRANT]
    assert request.basic is None


def test_json(fetch, odd):
    request = fetch(**odd, token_body="json", client_auth="client_secret_post")
    assert request.json == {"grant_type": "client_credentials", "client_id": ODD_ID,
                            "client_secret": ODD_SECRET}


def test_json_escapes(fetch, canary):
    secret = canary.secret("quoted", 'a"b\\c/de–ü')
    assert fetch(client_secret=f"literal:{secret}", token_body="json",
                 client_auth="client_secret_post").json["client_secret"] == secret


def test_get_with_the_grant_in_the_query(fetch, odd):
    """KRA's way: GET, Basic, everything else in the query."""
    request = fetch(**odd, token_method="GET", token_body="none", basic_encoding="raw")
    assert request.method == "GET"
    assert request.query == [GRANT]
    assert request.basic == f"{ODD_ID}:{ODD_SECRET}"
    assert request.body == b""


def test_get_with_everything_in_the_query(fetch, odd):
    request = fetch(**odd, token_method="GET", token_body="none",
                    client_auth="client_secret_query")
    assert sorted(request.query) == sorted([GRANT, ("client_id", ODD_ID),
                                            ("client_secret", ODD_SECRET)])


def test_post_with_no_body(fetch):
    request = fetch(token_body="none")
    assert (request.method, request.query, request.body) == ("POST", [GRANT], b"")


def test_no_grant_and_no_authentication(fetch):
    request = fetch(grant_type="none", client_auth="none", client_id=None, client_secret=None,
                    **{"token_param.key": "k"})
    assert request.form == [("key", "k")]
    assert request.basic is None


def test_a_query_of_the_token_url_stays(fetch, idp):
    request = fetch(token_url=idp.url + "?tenant=a%20b", **{"token_query.v": "1 2"})
    assert request.target.startswith("/token?tenant=a%20b&")
    assert request.query == [("tenant", "a b"), ("v", "1 2")]


def test_scope_audience_resource_and_extras(fetch):
    request = fetch(scope="pay read", audience="https://api/", resource="https://a/, https://b/",
                    **{"token_param.merchant_id": "m&1", "token_query.v": "2",
                       "token_header.X-Tenant": "t1"})
    assert request.form[0] == GRANT
    assert sorted(request.form[1:]) == [
        ("audience", "https://api/"), ("merchant_id", "m&1"), ("resource", "https://a/"),
        ("resource", "https://b/"), ("scope", "pay read")]
    assert request.query == [("v", "2")]
    assert request.fields.get("X-Tenant") == "t1"


def test_another_grant(fetch):
    assert fetch(grant_type="urn:example:special").form == [("grant_type", "urn:example:special")]


def test_the_password_grant(fetch, canary):
    request = fetch(grant_type="password", username="literal:joe",
                    password=f"literal:{canary.secret('password')}")
    form = dict(request.form)
    assert (form["grant_type"], form["username"]) == ("password", "joe")
    assert form["password"].startswith("password-")


def test_templates(fetch, idp):
    request = fetch(token_url=idp.origin + "/{var.tenant}/token", scope="{var.tenant}.read",
                    **{"var.tenant": "acme", "token_header.X-Key": "k-{client_id}",
                       "token_param.now": "{now}", "token_param.id": "{uuid}"})
    assert request.path == "/acme/token"
    form = dict(request.form)
    assert form["scope"] == "acme.read"
    assert request.fields.get("X-Key") == "k-the-client"
    assert form["now"].isdigit() and len(form["now"]) == 10
    assert len(form["id"]) == 36


def test_an_optional_template_leaves_the_field_out(fetch):
    request = fetch(**{"token_param.branch": "b-{var.branch?}"})
    assert request.form == [GRANT]


def test_secrets_by_reference(run, provider, idp, api, canary, tmp_path):
    secret = canary.secret("in-a-file")
    (tmp_path / "secret").write_text(secret + "\n")
    (tmp_path / "secret").chmod(0o600)
    bearerd = run(provider(client_id="env:THE_ID", client_secret=f"file:{tmp_path}/secret")
                  + section("route all", {"provider": "idp", "upstream": api.origin}),
                  env={"THE_ID": "from-env"})
    assert bearerd.get("/x").status == 200
    assert idp.requests[0].basic == f"from-env:{secret}"


# --- refresh tokens -------------------------------------------------------------------------------


def test_a_refresh_token_starts_the_chain(fetch, idp, canary):
    token = canary.secret("first-refresh-token")
    request = fetch(grant_type="refresh_token", refresh_token=f"literal:{token}",
                    refresh_url=idp.origin + "/refresh", scope="not sent", audience="not sent",
                    **{"token_param.not_sent": "x", "refresh_param.lang": "en"})
    assert request.path == "/refresh"
    assert request.form == [("grant_type", "refresh_token"), ("refresh_token", token),
                            ("lang", "en")]
    assert request.basic.startswith("the-client:")


def refreshing(idp, lifetime=2):
    idp.refresh_tokens = True
    idp.expires_in = lifetime


def until(bearerd, idp, count):
    """Sends requests until so many token requests have come."""
    with bearerd.client() as client:
        def reached():
            assert client.get("/x").status == 200
            return idp.count >= count
        wait_until(reached, f"{count} token requests", 15)


def test_a_refresh_token_that_came_is_used(proxy, idp):
    refreshing(idp)
    until(proxy, idp, 3)
    forms = [dict(request.form) for request in idp.requests]
    assert [form["grant_type"] for form in forms[:3]] == [
        "client_credentials", "refresh_token", "refresh_token"]
    assert forms[1]["refresh_token"] == idp.refresh_issued[0]
    assert forms[2]["refresh_token"] == idp.refresh_issued[1]


def test_a_refresh_token_elsewhere_in_the_reply(run, provider, idp, api):
    refreshing(idp)
    idp.shape = lambda answer: {"data": {"again": answer.pop("refresh_token"), "for": "3600"},
                                **answer}
    bearerd = run(provider(refresh_token_path="data.again", refresh_expires_in_path="data.for")
                  + section("route all", {"provider": "idp", "upstream": api.origin}))
    until(bearerd, idp, 2)
    assert dict(idp.requests[1].form)["refresh_token"] == idp.refresh_issued[0]


def test_an_expired_refresh_token_is_not_used(run, provider, idp, api):
    """Its own lifetime is over before the access token's is: the grant is used at once."""
    refreshing(idp, 4)
    idp.shape = lambda answer: {**answer, "refresh_expires_in": 1}
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    until(bearerd, idp, 2)
    assert idp.requests[1].form == [GRANT]


@pytest.mark.parametrize("lifetime", [0, None, "0", MISSING], ids=repr)
def test_a_refresh_expiry_of_0_or_none_means_unknown(proxy, idp, lifetime):
    """Keycloak says 0 for a refresh token without a stated limit."""
    refreshing(idp)
    idp.then(idp.ok(refresh_expires_in=lifetime))
    until(proxy, idp, 2)
    assert dict(idp.requests[1].form)["grant_type"] == "refresh_token"


def test_a_reply_without_a_new_one_keeps_the_old(proxy, idp):
    refreshing(idp)
    idp.then(idp.ok(), idp.ok(refresh_token=MISSING))
    until(proxy, idp, 3)
    forms = [dict(request.form) for request in idp.requests]
    assert forms[1]["refresh_token"] == forms[2]["refresh_token"] == idp.refresh_issued[0]


def test_a_failed_refresh_falls_back_to_the_grant(proxy, idp):
    refreshing(idp)
    idp.then(idp.ok(), idp.answer(400, {"error": "invalid_grant"}))
    until(proxy, idp, 3)
    assert [dict(request.form)["grant_type"] for request in idp.requests[:3]] == [
        "client_credentials", "refresh_token", "client_credentials"]


def test_refresh_never(run, provider, idp, api):
    refreshing(idp)
    bearerd = run(provider(refresh="never") + section("route all", {"provider": "idp",
                                                                    "upstream": api.origin}))
    until(bearerd, idp, 2)
    assert idp.requests[1].form == [GRANT]


def test_refresh_only_never_falls_back(run, provider, idp, api, canary):
    refreshing(idp, 1)
    idp.then(idp.ok(), idp.answer(400, {"error": "invalid_grant"}))
    token = f"literal:{canary.secret('first-refresh-token')}"
    bearerd = run(provider(refresh="only", refresh_token=token) + section("route all", {"provider": "idp",
                                                                   "upstream": api.origin}))
    wait_until(lambda: bearerd.get("/x").status == 502, "the loss to show", 15)
    assert {dict(request.form)["grant_type"] for request in idp.requests} == {"refresh_token"}


def test_the_way_of_asking_is_the_same_for_a_refresh(fetch, canary):
    """WeTix: JSON for both, the credentials inside."""
    request = fetch(grant_type="refresh_token", refresh_token=f"literal:{canary.secret('refresh')}",
                    token_body="json", client_auth="client_secret_post")
    assert set(request.json) == {"grant_type", "refresh_token", "client_id", "client_secret"}
    assert urllib.parse.urlsplit(request.target).query == ""
