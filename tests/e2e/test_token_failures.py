"""No token: which error, how fast, how often the provider is asked, and what it may say."""

import email.utils
import time

import pytest
from actors import Idp, in_parallel, section, wait_until

REFUSED, UNAVAILABLE = (502, "token_refused"), (503, "token_unavailable")


@pytest.fixture
def start(run, provider, api):
    def start(**keys):
        return run(provider(**keys) + section("route all", {"provider": "idp",
                                                            "upstream": api.origin}))
    return start


def code(answer):
    return answer.status, answer.problem()["code"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_refused(start, idp, api, status):
    idp.always(idp.answer(status, {"error": "invalid_client"}))
    bearerd = start()
    answer = bearerd.get("/x")
    assert code(answer) == REFUSED
    assert answer.fields.get("Proxy-Status").startswith("bearerd; error=")
    assert answer.fields.get("X-Request-Id") == answer.problem()["request_id"]
    assert not api.requests


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 302])
def test_unavailable(start, idp, api, status):
    idp.always(idp.answer(status, "<html>busy</html>", "text/html"))
    answer = start().get("/x")
    assert code(answer) == UNAVAILABLE
    assert int(answer.fields.get("Retry-After")) >= 1
    assert not api.requests


def test_nobody_listens(start, idp, api):
    idp.refuse_connections()
    answer = start().get("/x")
    assert code(answer) == UNAVAILABLE
    assert not api.requests


def test_the_refusal_is_remembered(start, idp):
    """The next ones are told at once, with how long it lasts, and the provider is left alone."""
    idp.always(idp.answer(401, {"error": "invalid_client"}))
    bearerd = start()
    assert code(bearerd.get("/x")) == REFUSED
    for answer in in_parallel(20, lambda number: bearerd.get("/x")):
        assert code(answer) == REFUSED
        assert 1 <= int(answer.fields.get("Retry-After")) <= 36
    assert idp.count == 1


def test_the_outage_is_shared_and_backs_off(start, idp):
    """1 s, then 2 s, doubling: three token requests at most in the first 3 s of constant demand."""
    idp.always(idp.answer(500, "down"))
    bearerd = start()

    def demand(number):
        deadline = time.monotonic() + 3
        with bearerd.client() as client:
            while time.monotonic() < deadline:
                assert client.get("/x").status == 503
    in_parallel(4, demand)
    assert 2 <= idp.count <= 3


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed(start, idp, form):
    value = "30" if form == "seconds" else email.utils.formatdate(time.time() + 30, usegmt=True)
    idp.then(idp.answer(429, {"error": "slow down"}, fields=[("Retry-After", value)]))
    bearerd = start()
    assert code(bearerd.get("/x")) == UNAVAILABLE
    answer = bearerd.get("/x")
    assert code(answer) == UNAVAILABLE
    assert 20 <= int(answer.fields.get("Retry-After")) <= 40
    assert idp.count == 1


def test_the_first_success_clears_everything(start, idp):
    idp.then(idp.answer(500, "down"))
    idp.expires_in = 1
    bearerd = start()
    assert code(bearerd.get("/x")) == UNAVAILABLE
    wait_until(lambda: bearerd.get("/x").status == 200, "the recovery", 5)
    idp.then(idp.answer(500, "down"))
    wait_until(lambda: bearerd.get("/x").status == 200 and idp.count >= 4, "the next one", 8)


def test_the_providers_words_stay_here(start, idp, canary):
    """Own errors only: no provider text, no secret, and the log says the reason."""
    idp.always(idp.answer(400, {"error": "invalid_client",
                                "error_description": "client the-client is locked (case xyz-4711)"}))
    bearerd = start()
    answer = bearerd.get("/x")
    assert b"xyz-4711" not in answer.body and b"locked" not in answer.body
    assert bearerd.wait_log("xyz-4711")


def test_an_echoed_secret_is_redacted(start, idp, canary):
    """Some endpoints repeat what they got; the canary's search at the end is the assertion."""
    secret = canary.secret("echoed-secret")
    idp.always(idp.answer(400, {"error_description": f"bad secret {secret} given"}))
    bearerd = start(client_secret=f"literal:{secret}")
    assert secret.encode() not in bearerd.get("/x").body
    assert bearerd.wait_log("bad secret")


def test_one_line_per_failure(start, idp):
    idp.always(idp.answer(401, {"error": "invalid_client"}))
    bearerd = start()
    for _ in range(10):
        bearerd.get("/x")
    assert len(bearerd.log_lines("invalid_client")) == 1


def test_stop_after_refusals(start, idp):
    """Finicity locks the account: the first refusal is the last until somebody looks at it."""
    idp.always(idp.answer(401, {"error": "invalid_client"},
                          fields=[("Retry-After", "1")]))
    bearerd = start(stop_after_refusals="1")
    assert code(bearerd.get("/x")) == REFUSED
    began = time.monotonic()
    while time.monotonic() - began < 2.5:
        assert code(bearerd.get("/x")) == REFUSED
    assert idp.count == 1


def test_token_quota(start, idp):
    """10/10m and the like: never more token requests than that; then 503."""
    idp.expires_in = 1
    bearerd = start(token_quota="2/10m")
    wait_until(lambda: bearerd.get("/x").status == 503, "the end of the quota", 8)
    answer = bearerd.get("/x")
    assert code(answer) == UNAVAILABLE
    assert answer.fields.get("Retry-After")
    assert idp.count == 2


def test_it_fails_closed(start, idp, api):
    """Without a token nothing goes to the upstream, whatever the method."""
    idp.always(idp.answer(500, "down"))
    bearerd = start()
    for method in ("GET", "POST", "HEAD", "DELETE"):
        with bearerd.client() as client:
            assert client.request(method, "/x").status == 503
    assert not api.requests and api.accepted == 0


def test_a_redirecting_provider_gives_no_credentials_away(start, idp, stage, canary):
    elsewhere = stage.add(Idp(canary))
    idp.always(idp.answer(302, "", fields=[("Location", elsewhere.url)]))
    start().get("/x")
    assert elsewhere.accepted == 0


def test_a_body_in_flight_meets_the_error(start, idp):
    """A POST whose token is refused gets its answer although its body was not wanted."""
    idp.always(idp.answer(401, {"error": "invalid_client"}))
    assert code(start().post("/x", b"x" * 300_000)) == REFUSED
