"""Where the token goes, and what else is set on the request for the API."""

import pytest
from actors import replying, section

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def send(run, provider, upstream):
    """Sends a GET through a provider and a route of these keys; returns what the API received."""
    def send(fields=(), target="/x", route=None, method="GET", **keys):
        api = upstream(replying(OK))
        bearerd = run(provider(**keys) + section(
            "route all", {"provider": "idp", "upstream": api.origin, **(route or {})}))
        with bearerd.client() as client:
            assert client.request(method, target, fields).status == 200
        return api.requests[0]
    return send


def test_another_field_and_no_scheme(send, idp):
    request = send(inject_name="X-Auth-Token", inject_scheme="none")
    assert request.fields.all("X-Auth-Token") == [idp.token]
    assert "Authorization" not in request.fields


def test_another_scheme(send, idp):
    assert send(inject_scheme="Token").fields.get("Authorization") == f"Token {idp.token}"


def test_the_route_overrides_the_provider(send, idp):
    request = send(route={"inject_name": "X-T", "inject_scheme": "none"}, inject_scheme="Token")
    assert request.fields.get("X-T") == idp.token


@pytest.mark.parametrize("name", ["X-Auth-Token", "x-auth-token", "X_Auth_Token", "x-auth_token"])
def test_lookalikes_of_the_injected_field_are_dropped(send, idp, name):
    request = send([(name, "evil"), ("X-Auth-Tokens", "kept")], inject_name="X-Auth-Token",
                   inject_scheme="none")
    assert [(n, v) for n, v in request.fields if n.lower().startswith("x")] == [
        ("X-Auth-Tokens", "kept"), ("X-Auth-Token", idp.token)] or \
        sorted(v for n, v in request.fields if n.lower().startswith("x-a")
               or n.lower().startswith("x_a")) == sorted(["kept", idp.token])


@pytest.mark.parametrize("scheme", ["none", "Bearer"])
def test_the_clients_authorization_never_passes(send, scheme):
    """Not even where the token goes into another field."""
    request = send([("Authorization", "Basic abc"), ("authorization", "Bearer evil"),
                    ("Proxy-Authorization", "Basic abc"), ("PROXY-AUTHORIZATION", "x")],
                   inject_name="X-Token", inject_scheme=scheme)
    assert "Authorization" not in request.fields
    assert "Proxy-Authorization" not in request.fields


def test_the_injected_one_is_the_only_one(send, idp):
    request = send([("Authorization", "Bearer evil"), ("AUTHORIZATION", "Bearer evil2")])
    assert request.fields.all("Authorization") == [f"Bearer {idp.token}"]


@pytest.mark.parametrize("named", ["Authorization", "authorization, close", "host, content-type"])
def test_connection_cannot_strip_what_is_injected(send, idp, named):
    request = send([("Connection", named)], **{"header.API-Version": "1"})
    assert request.fields.all("Authorization") == [f"Bearer {idp.token}"]
    assert request.fields.get("API-Version") == "1"
    assert len(request.fields.all("Host")) == 1


def test_connection_cannot_strip_a_configured_field(send):
    request = send([("Connection", "api-version"), ("API-Version", "0")],
                   **{"header.API-Version": "1"})
    assert request.fields.all("API-Version") == ["1"]


@pytest.mark.parametrize("asked,sent", [
    ("/x", "/x?token={}"), ("/x?", "/x?token={}"), ("/x?a=1", "/x?a=1&token={}"),
    ("/x?token=evil", "/x?token={}"), ("/x?a=1&token=evil&b=2", "/x?a=1&b=2&token={}"),
    ("/x?tokens=1&atoken=2", "/x?tokens=1&atoken=2&token={}"),
    ("/x?%74oken=evil&a=%zz", "/x?a=%zz&token={}"), ("/x?token", "/x?token={}"),
    ("/x?token=1&token=2", "/x?token={}"),
])
def test_into_the_query(send, idp, asked, sent):
    request = send(target=asked, inject_in="query", inject_name="token")
    assert request.target in (sent.format(idp.token), sent.replace("?token", "?&token")
                              .format(idp.token))
    assert "Authorization" not in request.fields


def test_into_nothing(send, idp):
    request = send(inject_in="none")
    assert "Authorization" not in request.fields
    assert not any(idp_token in request.head.decode() for idp_token in idp.issued)


def test_set_fields(send):
    request = send([("X-Set", "client"), ("X-Default", "client"), ("X-Gone", "client")],
                   route={"header_remove": "X-Gone, x-also"},
                   **{"header.X-Set": "ours", "header_default.X-Default": "ours",
                      "header_default.X-Absent": "ours"})
    assert request.fields.all("X-Set") == ["ours"]
    assert request.fields.all("X-Default") == ["client"]
    assert request.fields.all("X-Absent") == ["ours"]
    assert "X-Gone" not in request.fields


def test_a_route_overrides_the_providers_fields(send):
    request = send(route={"header.X-A": "route", "header.X-B": "route"},
                   **{"header.X-A": "provider", "header.X-C": "provider"})
    assert request.fields.all("X-A") == ["route"]
    assert request.fields.all("X-B") == ["route"]
    assert request.fields.all("X-C") == ["provider"]


def test_templates(send):
    request = send(**{"var.branch": "00", "header.X-Branch": "b{var.branch}",
                      "header.X-Optional": "b{var.none?}", "header.X-Client": "{client_id}",
                      "header.X-Uuid": "{uuid}", "header.X-Uuid2": "{uuid}", "header.X-Now": "{now}",
                      "header.X-Now-Ms": "{now_ms}"})
    fields = request.fields
    assert fields.get("X-Branch") == "b00"
    assert "X-Optional" not in fields
    assert fields.get("X-Client") == "the-client"
    assert len(fields.get("X-Uuid")) == 36 and fields.get("X-Uuid") == fields.get("X-Uuid2")
    assert len(fields.get("X-Now")) == 10 and len(fields.get("X-Now-Ms")) == 13


def test_each_exchange_has_its_own_uuid(run, provider, upstream):
    api = upstream(replying(OK))
    bearerd = run(provider(**{"header.X-Uuid": "{uuid}"}) + section(
        "route all", {"provider": "idp", "upstream": api.origin}))
    for _ in range(3):
        bearerd.get("/x")
    assert len({request.fields.get("X-Uuid") for request in api.requests}) == 3
