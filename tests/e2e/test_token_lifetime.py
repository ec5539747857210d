"""How long a token is used: refreshed early and in the background, never after its end."""

import time

from actors import MISSING, in_parallel, section, wait_until


def route(api):
    return section("route all", {"provider": "idp", "upstream": api.origin})


def test_the_early_refresh_makes_nobody_wait(proxy, idp):
    """In the early window a refresh runs in the background; requests go on with the old token."""
    idp.expires_in = 6
    with proxy.client() as client:
        assert client.get("/x").status == 200
        first = idp.token
        idp.hold()

        def refresh_began():
            assert client.get("/x").status == 200
            return idp.count == 2
        wait_until(refresh_began, "the early refresh", 6)
        for _ in range(20):  # the endpoint is silent, and nobody notices
            began = time.monotonic()
            answer = client.get("/x")
            assert dict(answer.json()["fields"])["Authorization"] == f"Bearer {first}"
            assert time.monotonic() - began < 0.5
        idp.release()
        wait_until(lambda: dict(client.get("/x").json()["fields"])["Authorization"]
                   != f"Bearer {first}", "the new token", 5)
    assert idp.count == 2


def test_a_token_that_nobody_uses_is_not_refreshed(proxy, idp):
    idp.expires_in = 1
    assert proxy.get("/x").status == 200
    wait_until(lambda: idp.count == 2, "the refresh of the token that was used", 5)
    unused = idp.token
    wait_until(lambda: not idp.accepts(unused), "the end of the token that was not", 5)
    assert idp.count == 2
    assert proxy.get("/x").status == 200
    assert idp.count == 3


def test_tiny_lifetimes(proxy, idp):
    """Shorter than any margin: neither used beyond their end nor fetched per request."""
    idp.expires_in = 1
    requests = 0
    with proxy.client() as client:
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            assert client.get("/x").status == 200
            requests += 1
    assert requests > 40
    assert 3 <= idp.count <= 12


def test_a_lifetime_below_the_margin(run, provider, idp, api):
    """A margin longer than the life must not become a hot loop."""
    idp.expires_in = 2
    bearerd = run(provider(refresh_margin="5m") + route(api))
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        assert bearerd.get("/x").status == 200
    assert idp.count <= 6


def test_default_lifetime(run, provider, idp, api):
    idp.expires_in = MISSING
    bearerd = run(provider(default_lifetime="1s") + route(api))
    wait_until(lambda: bearerd.get("/x").status == 200 and idp.count >= 2, "a second token", 5)


def test_max_lifetime(run, provider, idp, api):
    idp.expires_in = 10 ** 9
    bearerd = run(provider(max_lifetime="1s") + route(api))
    wait_until(lambda: bearerd.get("/x").status == 200 and idp.count >= 2, "a second token", 5)


def test_an_outage_inside_the_early_window(proxy, idp, api):
    """A token that is still valid goes on being used; then comes a quick 503, never an old token."""
    idp.expires_in = 3
    with proxy.client() as client:
        assert client.get("/x").status == 200
        idp.always(idp.answer(503, "down"))
        statuses = []

        def gave_up():
            statuses.append(client.get("/x").status)
            return statuses[-1] == 503
        wait_until(gave_up, "the end of the token", 6)
    assert idp.count >= 2  # it did try while the token was good
    assert set(statuses[:-1]) == {200}
    assert api.rejected == 0
    answered = len(api.requests)
    for _ in range(5):
        answer = proxy.get("/x")
        assert (answer.status, answer.problem()["code"]) == (503, "token_unavailable")
    assert len(api.requests) == answered


def test_recovery_after_an_outage(proxy, idp):
    idp.expires_in = 1
    assert proxy.get("/x").status == 200
    idp.always(idp.answer(500, "down"))
    wait_until(lambda: proxy.get("/x").status == 503, "the outage to show", 5)
    idp.always(None)
    wait_until(lambda: proxy.get("/x").status == 200, "the recovery", 8)


def test_under_load_no_request_fails_while_tokens_change(proxy, idp, api):
    """Eight clients over several lifetimes: no error, no expired token, few fetches."""
    idp.expires_in = 1

    def hammer(number):
        with proxy.client() as client:
            deadline = time.monotonic() + 4
            while time.monotonic() < deadline:
                assert client.get("/x").status == 200
    in_parallel(8, hammer)
    assert api.rejected == 0
    assert 3 <= idp.count <= 12
    assert idp.most_concurrent == 1
