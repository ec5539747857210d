"""Three instances share tokens through a real Redis: one token request does for all."""

import pytest
from actors import AWAY, Fleet, Load, in_parallel, section, store_key, wait_until


@pytest.fixture
def fleet_of(run, provider, api, redis, canary):
    """Makes a fleet; keywords are keys of its provider."""
    key, secret = store_key(canary), "literal:" + canary.secret("client-secret")

    def make(size=3, key=key, **keys):
        config = provider(client_secret=secret, **keys) + section(
            "route all", {"provider": "idp", "upstream": api.origin})
        return Fleet(run, config, size, redis=redis.url, key=key)
    return make


@pytest.fixture
def fleet(fleet_of):
    return fleet_of()


def test_300_cold_requests_cost_one_token_request(fleet, idp):
    idp.hold()
    clients = [one.client() for one in fleet for _ in range(100)]
    for number, client in enumerate(clients):
        client.send(client.head("GET", f"/{number}"))
    idp.wait_requests(1)
    idp.release()
    for client in clients:
        assert client.read().status == 200
        client.close()
    assert idp.count == 1


def test_a_restart_costs_no_token_request(fleet, idp):
    assert fleet[0].get("/").status == 200
    for one in fleet:
        one.stop()
        one.start()
        assert one.get("/").status == 200
    assert idp.count == 1


def test_an_instance_that_comes_later_has_the_token(fleet_of, idp):
    assert fleet_of(1)[0].get("/").status == 200
    assert fleet_of(1)[0].get("/").status == 200
    assert idp.count == 1


def test_ten_rotations_cost_about_ten(fleet, idp, canary):
    """Each alone would renew by itself, which makes thirty."""
    idp.expires_in = 3
    with Load(fleet, threads_each=1) as load:
        idp.wait_requests(11, timeout=40)
        issued = idp.count
        renewals = [one.metric("bearerd_token_requests_total") for one in fleet]
    assert not load.errors
    assert issued <= 13
    assert sum(renewals) <= 13


def test_the_operators_refresh_reaches_all(fleet, idp):
    assert [answer.status for answer in fleet.ask_all()] == [200] * 3
    assert fleet[1].admin("/providers/idp/refresh", "POST")[0] == 200
    assert idp.count == 2

    def all_have_it():
        return all(["Authorization", f"Bearer {idp.token}"] in answer.json()["fields"]
                   for answer in fleet.ask_all())
    wait_until(all_have_it, "the newest token everywhere")
    assert idp.count == 2


def test_a_revoked_token_is_replaced_once_for_all(fleet, idp):
    assert [answer.status for answer in fleet.ask_all()] == [200] * 3
    idp.revoke_all()
    statuses = in_parallel(60, lambda number: fleet[number % 3].get("/").status)
    assert statuses == [200] * 60
    assert idp.count == 2


def test_refused_credentials_are_tried_once_for_all(fleet, idp):
    idp.always(idp.answer(401, {"error": "invalid_client"}))
    assert fleet[0].get("/").status == 502
    wait_until(lambda: [answer.status for answer in fleet.ask_all()] == [502] * 3, "all to know")
    assert idp.count <= 2


def test_the_quota_is_one_for_all(fleet_of, idp):
    fleet = fleet_of(token_quota="2/10m")
    idp.expires_in = 3600
    assert [answer.status for answer in fleet.ask_all()] == [200] * 3
    idp.revoke_all()
    assert [answer.status for answer in fleet.ask_all()] == [200] * 3
    assert idp.count == 2
    idp.revoke_all()
    statuses = in_parallel(6, lambda number: fleet[number % 3].get("/").status)
    assert 200 not in statuses
    assert idp.count == 2


def test_no_refresh_token_is_used_twice(fleet, idp):
    """Providers that rotate take a second use for theft and revoke the whole family."""
    idp.expires_in, idp.refresh_tokens = 3, True
    with Load(fleet, threads_each=1) as load:
        idp.wait_requests(8, timeout=40)
        fleet[2].kill()
        fleet[2].start()
        idp.wait_requests(10, timeout=20)
    used = [dict(one.form).get("refresh_token") for one in idp.requests]
    used = [token for token in used if token]
    assert len(used) == len(set(used)) and len(used) >= 5
    assert not [error for error in load.errors if isinstance(error, int)]


def test_nothing_in_redis_can_be_read(fleet, idp, redis, canary):
    """Searched: keys, values, the append-only file, the snapshot, every command and publication."""
    named = canary.also("the-client", idp.url, idp.authority, "access_token",
                        "refresh_token", "client_credentials")
    idp.expires_in, idp.refresh_tokens = 3, True
    with redis.overheard() as commands, Load(fleet, threads_each=1):
        idp.wait_requests(3, timeout=20)
    redis.config("rdbcompression", "no")
    assert redis.command("SAVE") == "OK"
    found = redis.everything()
    assert b"bearerd:{tokens}:" in found and b"EVAL" not in found
    assert b'"EVAL"' in commands.bytes and b'"PUBLISH"' in commands.bytes
    for bytes_ in (found, commands.bytes):
        assert not canary.leaks(bytes_) and not named.leaks(bytes_)
    assert all(key.startswith("bearerd:{tokens}:") for key in redis.keys())
    assert all(redis.command("PTTL", key) > 0 for key in redis.keys())
    redis.command("SET", "x", f"xx{idp.token}")
    redis.command("SAVE")
    assert len(canary.leaks(redis.everything())) == 1  # it would have been found


def test_another_key_shares_nothing(fleet_of, canary, idp):
    assert fleet_of(1)[0].get("/").status == 200
    stranger = fleet_of(1, key=store_key(canary))[0]
    assert stranger.get("/").status == 200
    assert idp.count == 2
    assert not stranger.log_lines(AWAY)
