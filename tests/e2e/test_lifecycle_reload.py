"""Reloads between and during token requests: chains of refresh tokens go on, and losses end."""

import signal

import pytest
from actors import wait_until
from test_lifecycle_refresh import ask_until, code, only, rotating, route  # noqa: F401


def reload(bearerd, config):
    bearerd.write_config(config)
    bearerd.signal(signal.SIGHUP)


def test_rotation_over_reloads(run, provider, rotating, api, canary):  # noqa: F811
    """Each reload changes the provider in the middle of its chain: the chain goes on."""
    first = canary.secret("first-refresh-token")
    idp = api.idp = rotating(first=first, expires_in=1)
    secret = canary.secret("client-secret")

    def config(number):
        return provider(idp=idp, refresh="only", refresh_token=f"literal:{first}",
                        client_secret=f"literal:{secret}",
                        **{"token_header.X-Number": str(number)}) + route(api)
    bearerd = run(config(0))
    for number in range(1, 5):
        ask_until(bearerd, lambda: len(idp.sent) > number, f"refresh {number}")
        reload(bearerd, config(number))
        ask_until(bearerd, lambda: idp.requests[-1].fields.get("X-Number") == str(number),
                  "the new configuration's request")
    assert idp.reused == [] and len(set(idp.sent)) == len(idp.sent)
    assert idp.sent[0] == first


def test_a_reload_during_a_rotation(run, provider, rotating, api, canary):  # noqa: F811
    """The answer comes after the reload, to a source that is no longer the provider's."""
    first = canary.secret("first-refresh-token")
    idp = api.idp = rotating(first=first, expires_in=2)
    secret = canary.secret("client-secret")

    def config(number):
        return provider(idp=idp, refresh="only", refresh_token=f"literal:{first}",
                        client_secret=f"literal:{secret}",
                        **{"token_header.X-Number": str(number)}) + route(api)
    bearerd = run(config(0))
    assert bearerd.get("/x").status == 200
    idp.hold()
    ask_until(bearerd, lambda: idp.count == 2, "the refresh under way")
    reload(bearerd, config(1))
    # The new source has no token of its own, and must not use what may be used up already.
    wait_until(lambda: bearerd.get("/x").status == 503, "the new configuration", 5)
    idp.release()
    wait_until(lambda: bearerd.get("/x").status == 200, "the chain's next token", 10)
    assert idp.reused == [] and len(set(idp.sent)) == len(idp.sent)


def test_a_reload_with_a_new_token_ends_a_loss(run, only, idp, canary):  # noqa: F811
    idp.always(idp.answer(400, {"error": "invalid_grant"}))
    bearerd = run(only(idp))
    assert code(bearerd.get("/x")) == (502, "token_refused")
    assert bearerd.admin("/readyz")[0] == 503
    idp.always(None)
    another = canary.secret("another-refresh-token")
    reload(bearerd, only(idp, another))
    wait_until(lambda: bearerd.get("/x").status == 200, "the token by the new one", 5)
    assert bearerd.admin("/readyz")[0] == 200
    assert dict(idp.requests[-1].form)["refresh_token"] == another


@pytest.mark.parametrize("changed", [{"refresh_margin": "7s"}, {"token_timeout": "3s"}],
                         ids=lambda changed: next(iter(changed)))
def test_another_rule_keeps_the_token(run, provider, idp, api, canary, changed):
    secret = f"literal:{canary.secret('client-secret')}"
    bearerd = run(provider(client_secret=secret) + route(api))
    assert bearerd.get("/x").status == 200
    reload(bearerd, provider(client_secret=secret, **changed) + route(api)
           + "[route probe]\npath = /probe\nprovider = none\nupstream = " + api.origin + "\n")
    api.idp = None
    wait_until(lambda: "Authorization" not in dict(bearerd.get("/probe/x").json()["fields"]),
               "the new configuration", 5)
    assert bearerd.get("/x").status == 200
    assert idp.count == 1


def test_a_reload_ends_a_stop(run, provider, idp, api, canary):
    secret = f"literal:{canary.secret('client-secret')}"
    config = provider(client_secret=secret, stop_after_refusals="1") + route(api)
    idp.then(idp.answer(401, {"error": "invalid_client"}))
    bearerd = run(config)
    assert code(bearerd.get("/x")) == (502, "token_refused")
    assert bearerd.wait_log("no more attempts until a reload")
    reload(bearerd, config)
    wait_until(lambda: bearerd.get("/x").status == 200, "the end of the stop", 5)
    assert idp.count == 2
