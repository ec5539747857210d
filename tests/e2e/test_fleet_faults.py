"""Redis goes away in every way: no request fails for it, each says so once, and all come back.

How little a request loses by it is measured in test_fleet_latency.py; what Redis may answer instead of
what it should is in test_fleet_answers.py.
"""

import shutil
import socket

import pytest
from actors import AWAY, BACK, Load, Redis, wait_until


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


def test_partitioned_under_load(fleet_of, between, redis, idp):
    serve_through(fleet_of(redis=between.url), redis, idp, between.cut, between.heal)


def test_started_again_empty_and_as_another_run(fleet, redis, idp):
    def lose():
        redis.kill()
        shutil.rmtree(redis.folder / "appendonlydir")
    serve_through(fleet, redis, idp, lose, redis.start)


def test_no_connection_left_under_load(fleet, redis, idp):
    """The limit counts the test's own connection, too, so that this is the only one."""
    with socket.create_connection(("127.0.0.1", redis.port), 10) as sock:
        stream = sock.makefile("rwb")

        def lose():
            redis.send(stream, "CONFIG", "SET", "maxclients", 1)
            redis.send(stream, "CLIENT", "KILL", "TYPE", "pubsub")
            redis.send(stream, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        serve_through(fleet, redis, idp, lose,
                      lambda: redis.send(stream, "CONFIG", "SET", "maxclients", 1000))
    assert all(one.log_lines("store: redis:", "maxclients") for one in fleet)


def test_a_cluster_without_the_slot_under_load(fleet_of, stage, idp):
    node = stage.add(Redis(stage.folder / "node", cluster_enabled="yes")).start()
    node.command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    wait_until(lambda: "cluster_state:ok" in node.command("CLUSTER", "INFO").decode(),
               "the cluster to be whole", 30)
    slot = node.command("CLUSTER", "KEYSLOT", "bearerd:{tokens}:x")
    fleet = fleet_of(redis=node.url)
    serve_through(fleet, node, idp, lambda: node.command("CLUSTER", "DELSLOTS", slot),
                  lambda: node.command("CLUSTER", "ADDSLOTS", slot))
    assert all("cluster" in one.log_lines(AWAY)[0] for one in fleet)


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


def test_stopping_while_redis_hangs(fleet, redis):
    assert [answer.status for answer in fleet.ask_all()] == [200] * 3
    redis.freeze()
    for one in fleet:
        one.stop()
    redis.thaw()
