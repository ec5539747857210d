"""Redis goes away in every way: no request fails for it, each says so once, and all come back."""

import pytest
from actors import AWAY, BACK, Fleet, Load, milliseconds, section, store_key, wait_until

MOMENT = 1000  # ms: the limit is 50, the rest is the machine and the sanitizers


@pytest.fixture
def fleet_of(run, provider, api, redis, canary):
    """Makes a fleet; keywords are keys of [store]."""
    config = provider() + section("route all", {"provider": "idp", "upstream": api.origin})

    def make(size=3, **store):
        return Fleet(run, config, size, **{"redis": redis.url, "key": store_key(canary), **store})
    return make


@pytest.fixture
def fleet(fleet_of):
    return fleet_of()


def serve_through(fleet, redis, idp, lose, give_back):
    """Load, a loss, a return; while it lasts tokens are renewed."""
    idp.expires_in = 4
    with Load(fleet, threads_each=1) as load:
        load.served()
        lose()
        fleet.wait_away()
        load.served()
        before = idp.count
        idp.wait_requests(before + 3, timeout=20)
        give_back()
        fleet.wait_back()
        load.served()
    assert load.errors == []
    assert fleet.said(AWAY) == [1] * 3
    assert fleet.said(BACK) == [1] * 3
    wait_until(lambda: any("proof" not in key for key in redis.keys()) or not fleet.ask_all(),
               "a token in Redis again")


def test_killed_and_started_again_under_load(fleet, redis, idp):
    serve_through(fleet, redis, idp, redis.kill, redis.start)


def test_frozen_under_load(fleet, redis, idp):
    serve_through(fleet, redis, idp, redis.freeze, redis.thaw)


def test_full_under_load(fleet, redis, idp):
    serve_through(fleet, redis, idp, lambda: redis.config("maxmemory", "1"),
                  lambda: redis.config("maxmemory", "0"))


def test_read_only_under_load(fleet, redis, idp):
    serve_through(fleet, redis, idp, lambda: redis.command("REPLICAOF", "127.0.0.1", "1"),
                  lambda: redis.command("REPLICAOF", "NO", "ONE"))


def test_flushed_under_load(fleet, redis, idp):
    idp.expires_in = 4
    with Load(fleet, threads_each=1) as load:
        for _ in range(5):
            load.served(30)
            redis.command("FLUSHALL")
    assert load.errors == []
    assert fleet.said(AWAY) == [0] * 3


def test_connections_cut_under_load(fleet, redis, idp):
    idp.expires_in = 4
    with Load(fleet, threads_each=1) as load:
        for _ in range(5):
            load.served(30)
            redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            redis.command("CLIENT", "KILL", "TYPE", "pubsub")
    assert load.errors == []


def test_a_frozen_redis_delays_a_cold_request_for_a_moment(fleet_of, redis, idp):
    fleet = fleet_of(patience=None)  # what it is without a word
    redis.freeze()
    for one in fleet:
        assert milliseconds(lambda: one.get("/")) < MOMENT
    assert idp.count == 3
    fleet.wait_away()
    redis.thaw()
    fleet.wait_back()


def test_without_redis_from_the_start(fleet_of, redis, idp):
    redis.kill()
    fleet = fleet_of()
    assert [answer.status for answer in fleet.ask_all()] == [200] * 3
    assert idp.count == 3
    fleet.wait_away()
    redis.start()
    fleet.wait_back()
    assert fleet.said(AWAY) == [1] * 3


def test_what_was_got_alone_is_shared_afterwards(fleet_of, redis, idp):
    redis.kill()
    first = fleet_of(1)
    assert first[0].get("/").status == 200
    redis.start()
    first.wait_back()
    wait_until(lambda: any("proof" not in key for key in redis.keys()), "the token in Redis")


def test_a_wrong_password(fleet_of, redis, canary):
    redis.config("requirepass", "right")
    wrong = canary.secret("wrong-password")
    fleet = fleet_of(redis_password=f"literal:{wrong}")
    assert [answer.status for answer in fleet.ask_all()] == [200] * 3
    fleet.wait_away()
    assert all("redis_password" in one.log_lines(AWAY)[0] for one in fleet)
    redis.config("requirepass", wrong)
    fleet.wait_back()


def test_no_password(fleet_of, redis):
    redis.config("requirepass", "right")
    fleet = fleet_of(1)
    assert fleet[0].get("/").status == 200
    fleet.wait_away()
    assert "redis_password" in fleet[0].log_lines(AWAY)[0]


def test_somebody_else_answers(fleet_of, upstream):
    """An HTTP server where Redis should be."""
    stranger = upstream(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    fleet = fleet_of(1, redis=f"redis://{stranger.authority}")
    assert fleet[0].get("/").status == 200
    fleet.wait_away()


def test_a_name_that_does_not_exist(fleet_of):
    fleet = fleet_of(1, redis="redis://redis.invalid:6379")
    assert milliseconds(lambda: fleet[0].get("/")) < MOMENT
    assert fleet[0].get("/").status == 200
    fleet.wait_away()


def test_stopping_while_redis_hangs(fleet, redis):
    assert [answer.status for answer in fleet.ask_all()] == [200] * 3
    redis.freeze()
    for one in fleet:
        assert milliseconds(one.stop) < 20 * MOMENT
    redis.thaw()
