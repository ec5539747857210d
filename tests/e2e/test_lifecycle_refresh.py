"""Refresh tokens: the family is never lost, and where it cannot be kept somebody is told."""

import threading
import time

import pytest
from actors import MISSING, RotatingIdp, in_parallel, section, wait_until


@pytest.fixture
def rotating(stage, canary):
    return lambda **options: stage.add(RotatingIdp(canary, **options))


def route(api):
    return section("route all", {"provider": "idp", "upstream": api.origin})


def code(answer):
    return answer.status, answer.problem()["code"]


def ask_until(bearerd, reached, what, timeout=15):
    with bearerd.client() as client:
        def ask():
            assert client.get("/x").status == 200
            return reached()
        wait_until(ask, what, timeout)


def hammer(bearerd, seconds):
    """Eight clients; every answer is a 200."""
    def ask(number):
        deadline = time.monotonic() + seconds
        with bearerd.client() as client:
            while time.monotonic() < deadline:
                assert client.get("/x").status == 200
    in_parallel(8, ask)


def test_rotation_never_sends_an_old_one_again(run, provider, rotating, api):
    idp = api.idp = rotating(expires_in=1)
    bearerd = run(provider(idp=idp) + route(api))
    hammer(bearerd, 4)
    assert idp.kinds[0] == "client_credentials" and set(idp.kinds[1:]) == {"refresh_token"}
    assert len(idp.sent) >= 3
    assert idp.reused == [] and len(set(idp.sent)) == len(idp.sent)
    assert idp.most_concurrent == 1
    assert api.rejected == 0


def test_an_answer_that_is_lost(run, provider, rotating, api):
    """Nobody knows whether it was used up: the grant does without, and it is not sent again."""
    idp = api.idp = rotating(expires_in=1)
    idp.then(idp.by_rotation, idp.lose_the_answer(), idp.ok(refresh_token=MISSING))
    bearerd = run(provider(idp=idp) + route(api))
    ask_until(bearerd, lambda: idp.count >= 5, "the next chain's refresh")
    assert idp.kinds[:5] == ["client_credentials", "refresh_token", "client_credentials",
                             "client_credentials", "refresh_token"]
    assert idp.reused == []
    assert bearerd.log_lines("no new token") == []  # it fell back silently


def test_the_fall_back_is_silent_and_goes_to_the_token_url(run, provider, idp, api):
    idp.refresh_tokens, idp.expires_in = True, 2
    idp.then(idp.ok(), idp.answer(400, {"error": "invalid_grant"}))
    bearerd = run(provider(refresh_url=idp.origin + "/refresh", scope="pay") + route(api))
    ask_until(bearerd, lambda: idp.count >= 4, "the refresh after the fall-back")
    assert [request.path for request in idp.requests[:4]] == [
        "/token", "/refresh", "/token", "/refresh"]
    assert [dict(request.form).get("scope") for request in idp.requests[:3]] == ["pay", None, "pay"]
    assert bearerd.log_lines("no new token") == []


# --- refresh = only -------------------------------------------------------------------------------


@pytest.fixture
def only(provider, api, canary):
    """The configuration of a provider that has nothing but a refresh token."""
    def text(idp, token=None, **keys):
        token = token or canary.secret("configured-refresh-token")
        return provider(idp=idp, refresh="only", refresh_token=f"literal:{token}", **keys) + route(api)
    return text


def test_the_loss_is_loud_and_permanent(run, only, idp, api):
    idp.always(idp.answer(400, {"error": "invalid_grant", "error_description": "it was revoked"}))
    bearerd = run(only(idp))
    began = time.monotonic()
    while time.monotonic() < began + 2:
        assert code(bearerd.get("/x")) == (502, "token_refused")
    assert idp.count == 1
    line, = bearerd.log_lines("no new token")
    assert " error " in line and "the refresh token is lost: status 400: it was revoked" in line
    assert "no more attempts until a reload or POST /providers/idp/refresh" in line
    assert bearerd.admin("/readyz")[0] == 503


def test_the_end_of_its_own_life_is_loud_too(run, only, idp, api):
    """One reply brought a refresh token that lives a second; the next use comes later."""
    idp.refresh_tokens, idp.expires_in = True, 2
    idp.then(idp.ok(refresh_expires_in=1))
    bearerd = run(only(idp, refresh_margin="500ms"))
    assert bearerd.get("/x").status == 200
    token = idp.token
    wait_until(lambda: not idp.accepts(token), "the end of the token", 5)
    wait_until(lambda: code(bearerd.get("/x")) == (502, "token_refused"), "the loss to show", 5)
    assert idp.count == 1
    assert bearerd.wait_log(" error ", "the refresh token has expired; set refresh_token")


def test_an_outage_is_no_loss(run, only, idp, api):
    """The one that was sent is kept: it is the only one there is."""
    idp.then(idp.answer(503, ""), idp.reset())
    bearerd = run(only(idp))
    assert code(bearerd.get("/x")) == (503, "token_unavailable")
    wait_until(lambda: bearerd.get("/x").status == 200, "the recovery", 10)
    assert len({dict(request.form)["refresh_token"] for request in idp.requests}) == 1


@pytest.mark.parametrize("difference", [{"scope": "b"}, {"audience": "b"}, {"token_param.b": "b"}],
                         ids=lambda difference: next(iter(difference)))
def test_two_providers_with_one_refresh_token_have_one_chain(run, provider, rotating, api, canary,
                                                             difference):
    """What they differ in is not sent with a refresh: one would use up the other's."""
    first = canary.secret("first-refresh-token")
    idp = api.idp = rotating(first=first, expires_in=1)
    keys = {"idp": idp, "refresh": "only", "refresh_token": f"literal:{first}",
            "client_secret": f"literal:{canary.secret('the-client-secret')}"}
    bearerd = run(
        provider("a", **keys) + provider("b", **keys, **difference)
        + section("route a", {"path": "/a", "provider": "a", "upstream": api.origin})
        + section("route b", {"path": "/b", "provider": "b", "upstream": api.origin}))

    def both():
        assert [bearerd.get(path).status for path in ("/a/x", "/b/x")] == [200, 200]
        return len(idp.sent) >= 3
    wait_until(both, "three refreshes", 10)
    assert idp.reused == []


# --- restarts, without a store --------------------------------------------------------------------


def restart(bearerd):
    bearerd.stop()
    bearerd.start()


def test_a_restart_after_a_rotation_begins_with_the_grant(run, provider, rotating, api):
    """Tokens live in memory: the chain ends with the process, and the grant begins another."""
    idp = api.idp = rotating(expires_in=1)
    bearerd = run(provider(idp=idp) + route(api))
    ask_until(bearerd, lambda: len(idp.sent) >= 2, "two refreshes")
    before = idp.count
    restart(bearerd)
    ask_until(bearerd, lambda: idp.count >= before + 2, "a refresh after the restart")
    assert idp.kinds[before:before + 2] == ["client_credentials", "refresh_token"]
    assert idp.reused == []


def test_a_restart_after_a_rotation_without_a_grant_is_a_loud_loss(run, only, rotating, api,
                                                                   canary):
    """Nothing but the configured token is left, which is used up: never a silent failure."""
    first = canary.secret("first-refresh-token")
    idp = api.idp = rotating(first=first, expires_in=1)
    bearerd = run(only(idp, first))
    ask_until(bearerd, lambda: len(idp.sent) >= 2, "two refreshes")
    restart(bearerd)
    assert code(bearerd.get("/x")) == (502, "token_refused")
    assert bearerd.wait_log(" error ", "the refresh token is lost", "no more attempts")
    asked = idp.count
    assert code(bearerd.get("/x")) == (502, "token_refused")
    assert idp.count == asked


def test_a_client_that_leaves_does_not_cost_the_family(run, only, rotating, api, canary):
    """The refresh belongs to no request: its answer is kept though nobody waits for it."""
    first = canary.secret("first-refresh-token")
    idp = api.idp = rotating(first=first, expires_in=2)
    bearerd = run(only(idp, first))
    idp.hold()
    client = bearerd.client()
    client.send(client.head("GET", "/x"))
    idp.wait_requests(1)
    client.reset()
    threading.Timer(0.2, idp.release).start()
    ask_until(bearerd, lambda: len(idp.sent) >= 2, "the next refresh")
    assert idp.reused == []
