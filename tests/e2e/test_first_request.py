"""The main job: a plain request goes in, the same request with a token comes out."""

from actors import replying, section


def test_the_program_knows_nothing_of_oauth(proxy, idp, api):
    answer = proxy.get("/orders/7?full=1")
    assert answer.status == 200
    assert answer.json()["target"] == "/orders/7?full=1"
    assert ["Authorization", f"Bearer {idp.token}"] in answer.json()["fields"]


def test_a_payment_on_the_wire(run, provider, upstream, idp):
    """The request of DESIGN section 1, before and after, byte for byte."""
    api = upstream(replying(
        b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
        b"Location: /v1/payments/9\r\n\r\n{\"id\": 9}"))
    bearerd = run(provider(**{"header.API-Version": "1"}) + section(
        "route payments", {"path": "/bambora/", "provider": "idp", "upstream": api.origin + "/v1/"}))
    answer = bearerd.exchange(
        b"POST /bambora/payments HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
        b"Content-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"amount\": 100}"
        % bearerd.port, "POST")
    assert (answer.status, answer.body) == (201, b'{"id": 9}')
    request = api.requests[0]
    assert (request.method, request.target) == ("POST", "/v1/payments")
    assert request.body == b'{"amount": 100}'
    assert request.fields.get("Host") == api.authority
    assert request.fields.get("Content-Type") == "application/json"
    assert request.fields.get("Content-Length") == "15"
    assert request.fields.get("API-Version") == "1"
    assert request.fields.all("Authorization") == [f"Bearer {idp.token}"]
    assert request.fields.get("Via") == "1.1 bearerd"


def test_the_token_is_fetched_once_and_kept(proxy, idp):
    for _ in range(5):
        assert proxy.get("/x").status == 200
    assert idp.count == 1


def test_nothing_is_fetched_before_it_is_needed(proxy, idp):
    assert proxy.admin("/readyz")[0] == 200
    assert idp.count == 0


def test_the_first_request_waits_for_the_token(proxy, idp, api):
    idp.hold()
    with proxy.client() as client:
        client.send(client.head("GET", "/x"))
        idp.wait_requests(1)
        assert not api.requests
        idp.release()
        assert client.read().status == 200


def test_two_providers_and_none(run, provider, idp, api, upstream):
    plain = upstream()
    bearerd = run(
        provider("one", scope="one") + provider("two", scope="two")
        + section("route one", {"path": "/one", "provider": "one", "upstream": api.origin})
        + section("route two", {"path": "/two", "provider": "two", "upstream": api.origin})
        + section("route free", {"path": "/free", "provider": "none", "upstream": plain.origin}))
    first, second = bearerd.get("/one/x").json(), bearerd.get("/two/x").json()
    assert dict(first["fields"])["Authorization"] != dict(second["fields"])["Authorization"]
    assert bearerd.get("/free/x").status == 200
    assert "Authorization" not in plain.requests[0].fields
    assert idp.count == 2


def test_every_answer_has_a_request_id(proxy):
    answer = proxy.get("/x")
    assert answer.fields.get("X-Request-Id")
    assert proxy.get("/x", [("X-Request-Id", "mine-1")]).fields.get("X-Request-Id") == "mine-1"
