"""Redis is there and answers something else: with an error, as another program, with what is none of ours."""

import pytest
from actors import AWAY, BACK, Load, wait_until


@pytest.mark.parametrize("answer, words", [
    ("LOADING Redis is loading the dataset in memory", "loading"),
    ("MOVED 8000 127.0.0.1:1", "cluster"),
    ("ASK 8000 127.0.0.1:1", "cluster"),
    ("CLUSTERDOWN The cluster is down", "cluster is down"),
    ("MASTERDOWN Link with MASTER is down", "lost its master"),
    ("MISCONF Redis is configured to save RDB snapshots", "disk"),
    ("NOREPLICAS Not enough good replicas to write.", "replicas"),
    ("BUSY Redis is busy running a script.", "script"),
    ("ERR something new", "an error"),
])
def test_it_answers_with_an_error(fleet_of, between, idp, answer, words):
    fleet = fleet_of(2, redis=between.url)
    assert [one.status for one in fleet.ask_all()] == [200] * 2
    with Load(fleet, threads_each=1) as load:
        between.answer = f"-{answer}\r\n".encode()
        idp.revoke_all()
        fleet.wait_away()
        load.served(20)
        between.answer = None
        fleet.wait_back()
        load.served(20)
    assert load.errors == []
    assert fleet.said(AWAY) == fleet.said(BACK) == [1] * 2
    assert all(words in one.log_lines(AWAY)[0] for one in fleet), fleet[0].log_lines(AWAY)


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
    assert fleet[0].get("/").status == 200
    fleet.wait_away()


def held_by_nobody(redis, entry):
    redis.command("SET", f"{entry}:lock", "nobody")


def above_all(redis, entry):
    redis.command("HSET", entry, "g", "9" * 19, "v", "x", "t", "0")


def of_no_number(redis, entry):
    redis.command("HSET", entry, "g", "x", "v", "x", "t", "x")


def of_another_type(redis, entry):
    redis.command("SET", entry, "x")


@pytest.mark.parametrize("scribble", [held_by_nobody, above_all, of_no_number, of_another_type])
def test_somebody_scribbles_in_redis(fleet_of, redis, idp, scribble):
    """It costs a token request at most; the next entry is a good one."""
    fleet = fleet_of(2)
    assert [one.status for one in fleet.ask_all()] == [200] * 2
    entry = wait_until(lambda: [key for key in redis.keys()
                                if "proof" not in key and not key.endswith(":lock")], "an entry")[0]
    redis.command("DEL", entry)
    scribble(redis, entry)
    idp.revoke_all()
    assert [one.status for one in fleet.ask_all()] == [200] * 2
    assert idp.count <= 3
    wait_until(lambda: redis.command("TYPE", entry) == "hash"
               and len(redis.command("HGET", entry, "v") or b"") > 1, "a good entry")
    assert fleet.said(AWAY) == [0] * 2
