"""Where Redis may be: sockets, users, sentinels, clusters; and what is told of a wrong place."""

import tempfile
import pathlib

import pytest
from actors import Fleet, Load, Redis, Sentinel, section, store_key, wait_until


@pytest.fixture
def fleet_at(run, provider, api, canary):
    """Makes a fleet whose Redis is at that URL."""
    config = provider() + section("route all", {"provider": "idp", "upstream": api.origin})
    key = store_key(canary)
    return lambda url, size=2, **store: Fleet(run, config, size, redis=url, key=key, **store)


def shares(fleet, idp):
    assert [answer.status for answer in fleet.ask_all()] == [200] * len(fleet)
    assert idp.count == 1


def test_a_socket(fleet_at, stage, redis, idp):
    with tempfile.TemporaryDirectory() as folder:  # a socket's path has 107 bytes at most
        path = pathlib.Path(folder) / "redis.sock"
        stage.add(Redis(stage.folder / "other", unixsocket=path).start())
        shares(fleet_at(f"unix://{path}?db=2"), idp)


def test_a_database_and_a_name(fleet_at, redis, idp):
    shares(fleet_at(f"redis://localhost:{redis.port}/3"), idp)
    assert "db3" in redis.command("INFO", "keyspace").decode()


def test_a_user_with_the_rights_of_the_guide(fleet_at, redis, idp, canary):
    guide = pathlib.Path(__file__).parents[2] / "config" / "README.md"
    text = guide.read_text().partition("`ACL SETUSER bearerd on >PASSWORD ")[2].partition("`")[0]
    password = canary.secret("redis-password")
    redis.command("ACL", "SETUSER", "fleet", "on", f">{password}", *text.split())
    shares(fleet_at(redis.url, redis_user="fleet", redis_password=f"literal:{password}"), idp)


def test_the_next_server_of_the_list(fleet_at, redis, idp):
    shares(fleet_at(f"redis://127.0.0.1:1,{redis.authority}"), idp)


def test_sentinels_and_a_failover(fleet_at, stage, redis, idp):
    replica = stage.add(Redis(stage.folder / "replica", replicaof=f"127.0.0.1 {redis.port}",
                              repl_diskless_sync_delay="0"))
    replica.start()
    wait_until(lambda: "master_link_status:up" in replica.command("INFO", "replication").decode(),
               "the replica to follow", 20)
    sentinel = stage.add(Sentinel(stage.folder / "sentinel", redis)).start()
    wait_until(lambda: sentinel.command("SENTINEL", "replicas", "the-master"),
               "the sentinel to know the replica", 20)
    fleet = fleet_at(f"redis+sentinel://{sentinel.authority}/the-master")
    shares(fleet, idp)
    with Load(fleet, threads_each=1) as load:
        redis.kill()
        fleet.wait_away()
        fleet.wait_back(timeout=30)
    assert load.errors == []
    idp.revoke_all()
    assert [answer.status for answer in fleet.ask_all()] == [200] * 2
    assert idp.count == 2
    assert any("proof" not in key for key in replica.keys())


def test_a_cluster_whose_other_node_has_the_keys(fleet_at, stage, redis, idp):
    nodes = [stage.add(Redis(stage.folder / f"node{number}", cluster_enabled="yes")).start()
             for number in range(2)]
    slot = nodes[0].command("CLUSTER", "KEYSLOT", "bearerd:{tokens}:x")
    for node, (first, last) in zip(nodes, ((0, slot - 1), (slot, 16383))):
        node.command("CLUSTER", "ADDSLOTSRANGE", first, last)
    nodes[0].command("CLUSTER", "SET-CONFIG-EPOCH", 1)
    nodes[1].command("CLUSTER", "SET-CONFIG-EPOCH", 2)
    nodes[0].command("CLUSTER", "MEET", "127.0.0.1", nodes[1].port, nodes[1].bus.port)
    wait_until(lambda: all("cluster_state:ok" in node.command("CLUSTER", "INFO").decode()
                           for node in nodes), "the cluster to be whole", 30)
    shares(fleet_at(f"redis://{nodes[0].authority}"), idp)
    assert nodes[1].keys() and not nodes[0].keys()


@pytest.mark.parametrize("store, words", [
    ({"redis": "rediss://cache:6380"}, "stunnel"),
    ({"redis": "redis://user:word@cache"}, "redis_password"),
    ({"redis": "cache:6379"}, "redis://HOST"),
    ({"redis": "redis://cache", "file": "/tmp/tokens"}, "exclude each other"),
    ({"redis": "redis://cache", "redis_user": "bob"}, "needs a redis_password"),
    ({"file": "/tmp/tokens", "redis_user": "bob"}, "without redis"),
    ({"file": "/tmp/tokens", "redis_password": "literal:some-word"}, "without redis"),
    ({}, "file or redis is missing"),
])
def test_mistakes(configure, provider, api, canary, store, words):
    config = provider() + section("route all", {"provider": "idp", "upstream": api.origin})
    result = configure(config + section("store", {"key": store_key(canary), **store})).check()
    assert result.status == 78
    assert words in result.output
    assert "user:word" not in result.output
