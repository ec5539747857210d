"""The API refuses a token: one new token, one replay, and never a storm."""

import gzip
import threading

import pytest
from actors import in_parallel, refusing_the_first_token, replying, section

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
UNAUTHORIZED = (b"HTTP/1.1 401 Nope\r\nContent-Length: 7\r\nX-Api: yes\r\n"
                b"WWW-Authenticate: Bearer error=\"invalid_token\"\r\n\r\nexpired")


@pytest.fixture
def start(run, provider):
    """Starts bearerd with one worker in front of a raw upstream."""
    def start(api, route=None, **keys):
        return run(provider(**keys) + section(
            "route all", {"provider": "idp", "upstream": api.origin, **(route or {})}),
            server={"workers": "1"})
    return start


def test_a_revoked_token_is_replaced_and_nobody_notices(proxy, idp, api):
    assert proxy.get("/x").status == 200
    idp.revoke_all()
    answer = proxy.post("/pay", b'{"amount": 1}', [("Idempotency-Key", "k-1")])
    assert answer.status == 200
    assert idp.count == 2 and api.rejected == 1
    refused, replayed = api.requests[-2:]
    assert refused.body == replayed.body == b'{"amount": 1}'
    assert replayed.fields.all("Idempotency-Key") == ["k-1"]
    assert refused.fields.get("Authorization") != replayed.fields.get("Authorization")
    assert replayed.fields.get("Authorization") == f"Bearer {idp.token}"


def test_only_the_token_differs_in_the_replay(start, upstream):
    api = upstream(replying(UNAUTHORIZED, OK))
    bearerd = start(api, **{"header.X-Once": "{uuid}"})
    answer = bearerd.exchange(b"PUT /a%20b?c=%zz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-One: 1\r\n"
                              b"x-two:  2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert (answer.status, answer.body) == (200, b"ok")
    first, second = api.requests
    assert first.target == second.target == "/a%20b?c=%zz"
    assert first.body == second.body == b"abc"

    def rest(request):
        return [(name, value) for name, value in request.fields
                if name not in ("Authorization", "Content-Length", "Transfer-Encoding")]
    assert rest(first) == rest(second)
    assert first.fields.get("X-Once")


def test_a_second_refusal_goes_to_the_client_untouched(start, upstream, idp):
    api = upstream(replying(UNAUTHORIZED))
    answer = start(api).get("/x")
    assert (answer.status, answer.body) == (401, b"expired")
    assert answer.fields.get("WWW-Authenticate") == 'Bearer error="invalid_token"'
    assert answer.fields.get("X-Api") == "yes"
    assert "Proxy-Status" not in answer.fields
    assert len(api.requests) == 2 and idp.count == 2


def test_one_replay_even_if_a_newer_token_is_there(start, upstream, idp):
    """The replay is refused while a third token has come meanwhile: still no second replay."""
    refreshed = threading.Event()

    def script(peer):
        peer.read_request()
        peer.send(UNAUTHORIZED)
        peer.read_request()
        peer.wait(refreshed)
        peer.send(UNAUTHORIZED)
        replying(OK)(peer)
    api = upstream(script)
    bearerd = start(api)
    with bearerd.client() as client:
        client.send(client.head("POST", "/pay", body=b"{}") + b"{}")
        api.wait_requests(2)
        assert bearerd.admin("/providers/idp/refresh", "POST")[0] == 200
        assert idp.count == 3
        refreshed.set()
        assert client.read().status == 401
    assert len(api.requests) == 2


def test_a_lasting_401_is_no_storm(start, upstream, idp):
    """No forced fetch within 5 s of the last: the refusals go through as they are."""
    api = upstream(replying(UNAUTHORIZED))
    bearerd = start(api)
    for _ in range(20):
        assert bearerd.get("/x").status == 401
    assert idp.count == 2
    assert len(api.requests) == 21


def test_50_parallel_refusals_cost_one_fetch(proxy, idp, api):
    """Late 401s for the old token must not drop the new one."""
    assert proxy.get("/x").status == 200
    idp.revoke_all()
    statuses = in_parallel(50, lambda number: proxy.get("/x").status)
    assert statuses == [200] * 50
    assert idp.count == 2


def test_a_late_401_for_the_old_token(start, upstream, idp):
    """It is replayed with the token that is there already."""
    late = threading.Event()

    def slow(peer):
        peer.read_request()
        peer.wait(late)
        peer.send(UNAUTHORIZED)
        replying(OK)(peer)
    api = upstream(slow, refusing_the_first_token(idp, UNAUTHORIZED))
    bearerd = start(api)
    first = bearerd.client()
    first.send(first.head("GET", "/first"))
    api.wait_requests(1)
    assert bearerd.get("/second").status == 200
    assert idp.count == 2
    late.set()
    assert first.read().status == 200
    first.close()
    assert idp.count == 2
    assert api.requests[-1].fields.get("Authorization") == f"Bearer {idp.token}"


def test_a_large_body_is_not_replayed(start, upstream, idp):
    """What is no longer at hand cannot be sent again; the next request has the new token."""
    api = upstream(replying(UNAUTHORIZED, OK))
    bearerd = start(api, {"replay_buffer": "1k"})
    assert bearerd.post("/x", b"x" * 100_000).status == 401
    assert len(api.requests) == 1
    assert bearerd.get("/y").status == 200
    assert api.requests[1].fields.get("Authorization") == f"Bearer {idp.token}"
    assert idp.count == 2


def test_a_body_that_just_fits_is_replayed(start, upstream):
    api = upstream(replying(UNAUTHORIZED, OK))
    assert start(api, {"replay_buffer": "1k"}).post("/x", b"x" * 1024).status == 200
    assert [len(request.body) for request in api.requests] == [1024, 1024]


def test_insufficient_scope_is_no_reason(start, upstream, idp):
    api = upstream(replying(UNAUTHORIZED.replace(b"invalid_token", b"insufficient_scope")))
    assert start(api).get("/x").status == 401
    assert len(api.requests) == 1 and idp.count == 1


def test_403_is_none_by_default(start, upstream, idp):
    api = upstream(replying(UNAUTHORIZED.replace(b"401", b"403")))
    assert start(api).get("/x").status == 403
    assert idp.count == 1


def test_another_status(start, upstream, idp):
    api = upstream(replying(UNAUTHORIZED.replace(b"401", b"403"), OK))
    assert start(api, reject_status="401, 403").get("/x").status == 200
    assert idp.count == 2


@pytest.mark.parametrize("status,match,replayed", [
    (400, "400:token EXPIRED", True), (200, "*:token expired", True),
    (200, "500:x, 200:token expired", True), (400, "200:token expired", False),
    (400, "400:other words", False),
])
def test_a_refusal_in_the_body(start, upstream, idp, status, match, replayed):
    body = b'{"status": "The Token Expired", "x": "' + b"y" * 500 + b'"}'
    refusal = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
    api = upstream(replying(refusal, OK))
    answer = start(api, reject_match=match).get("/x")
    assert len(api.requests) == idp.count == (2 if replayed else 1)
    assert answer.body == (b"ok" if replayed else body)
    assert answer.status == (200 if replayed else status)


def test_a_match_is_looked_for_in_the_first_4_kib_only(start, upstream, idp):
    body = b"x" * 5000 + b"token expired"
    api = upstream(replying(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)))
    answer = start(api, reject_match="200:token expired").get("/x")
    assert answer.body == body and idp.count == 1


def test_an_encoded_body_never_matches(start, upstream, idp):
    body = b"token expired" + gzip.compress(b"token expired")
    api = upstream(replying(b"HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
                            % (len(body), body)))
    answer = start(api, reject_match="*:token expired").get("/x")
    assert answer.body == body and idp.count == 1


def test_a_provider_that_refuses_meanwhile(start, upstream, idp, provider):
    """The token is refused and no new one is to be had: the API's own answer goes on."""
    api = upstream(replying(UNAUTHORIZED))
    idp.then(idp.ok(), idp.answer(401, {"error": "invalid_client"}))
    answer = start(api).get("/x")
    assert answer.status in (401, 502)
    assert len(api.requests) == 1


def test_a_token_in_the_query_is_replaced_too(start, upstream, idp):
    api = upstream(replying(UNAUTHORIZED, OK))
    assert start(api, inject_in="query", inject_name="token").get("/x?a=1").status == 200
    assert [request.target for request in api.requests] == [
        f"/x?a=1&token={token}" for token in idp.issued]
