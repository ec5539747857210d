"""The right to fetch a token: held for as long as it takes, never for longer, and never trusted.

A Redis that a busy machine keeps from answering for a second is away: that is one more token request.
"""

import signal
import subprocess
import threading
import time

import pytest
from actors import AWAY, Load, in_parallel, wait_until

LOCK_MS = 5000
A_DAY_AHEAD = ["unshare", "--time", "--monotonic", "86400", "--boottime", "86400"]


class Held:
    """The answer to one token request, which comes when it is let go."""

    def __init__(self, idp):
        self.gate, self.idp = threading.Event(), idp
        idp.then(self.behave)

    def behave(self, stream, request):
        while not self.gate.wait(0.2):
            if self.idp.stopping.is_set():
                return False
        return self.idp.ok()(stream, request)

    def let_go(self):
        self.gate.set()


class Asking(threading.Thread):
    """One request in the background; `answer` is there after join."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.instance, self.answer = daemon, None
        self.start()

    def run(self):
        try:
            self.answer = self.instance.get("/")
        except (OSError, AssertionError):
            pass  # it was killed

    def status(self):
        self.join(30)
        return self.answer.status if self.answer else None


def lock_key(redis):
    keys = wait_until(lambda: [key for key in redis.keys()
                               if key.endswith(":lock") and "proof" not in key], "a lock")
    return keys[0]


def entry_key(redis):
    return next(key for key in redis.keys() if not key.endswith(":lock") and "proof" not in key)


def scripts(redis):
    """How many it has run so far."""
    line = redis.command("INFO", "commandstats").decode().partition("cmdstat_eval:calls=")[2]
    return int(line.partition(",")[0] or 0)


def bearer(answer):
    return dict(answer.json()["fields"])["Authorization"].removeprefix("Bearer ")


def test_it_is_extended_while_the_fetch_runs(fleet_of, redis, idp):
    fleet, held = fleet_of(2), Held(idp)
    asking = [Asking(one) for one in fleet]
    key = lock_key(redis)
    owner = redis.command("GET", key)
    wait_until(lambda: redis.command("PTTL", key) < LOCK_MS * 4 / 5, "a part of its time to pass")
    wait_until(lambda: redis.command("PTTL", key) > LOCK_MS * 4 / 5, "it to be extended")
    assert redis.command("GET", key) == owner
    held.let_go()
    assert [one.status() for one in asking] == [200] * 2
    assert idp.count <= 1 + sum(fleet.said(AWAY))
    wait_until(lambda: key not in redis.keys(), "it to be given back")


def test_nobody_gives_back_what_is_anothers(fleet_of, redis, idp):
    fleet, held = fleet_of(1), Held(idp)
    asking = Asking(fleet[0])
    key = lock_key(redis)
    redis.command("SET", key, "another", "PX", 30000)
    before = scripts(redis)
    held.let_go()
    assert asking.status() == 200
    wait_until(lambda: scripts(redis) >= before + 2, "the save and the giving back")
    assert redis.command("GET", key) == b"another"
    assert redis.command("PTTL", key) > LOCK_MS


def test_a_late_writer_overwrites_nothing(fleet_of, redis, idp):
    """It stands still in the middle of its fetch; when it goes on, another has a newer token."""
    fleet, held = fleet_of(3), Held(idp)
    asking = Asking(fleet[0])
    idp.wait_requests(1)
    key = lock_key(redis)
    fleet[0].signal(signal.SIGSTOP)
    redis.command("PEXPIRE", key, 1)  # as it does by itself
    newer = bearer(fleet[1].get("/"))
    wait_until(lambda: not any(key.endswith(":lock") for key in redis.keys()), "the lock's end")
    entry = entry_key(redis)
    stored, before = redis.command("HGETALL", entry), scripts(redis)
    held.let_go()
    fleet[0].signal(signal.SIGCONT)
    assert asking.status() == 200
    wait_until(lambda: scripts(redis) >= before + 2, "its save, and its look at what is there")
    assert redis.command("HGETALL", entry) == stored
    wait_until(lambda: [bearer(one) for one in fleet.ask_all()] == [newer] * 3,
               "the newer token everywhere")
    assert idp.count <= 2 + sum(fleet.said(AWAY))


def test_who_dies_with_it_holds_the_others_up_for_seconds(fleet_of, redis, idp):
    """Their requests wait meanwhile and succeed."""
    fleet, held = fleet_of(3), Held(idp)
    Asking(fleet[0])
    idp.wait_requests(1)
    fleet[0].kill()
    began = time.monotonic()
    others = [Asking(one) for one in fleet[1:]]
    idp.wait_requests(2, timeout=20)
    print(f"another fetched after {time.monotonic() - began:.1f} s")
    assert [one.status() for one in others] == [200] * 2
    assert idp.count <= 2 + sum(fleet.said(AWAY))
    held.let_go()


def test_without_news_they_look(fleet_of, between, redis, idp):
    between.drops_news = True
    fleet, held = fleet_of(3, redis=between.url), Held(idp)
    asking = [Asking(one) for one in fleet]
    idp.wait_requests(1)
    wait_until(lambda: all(one.metric("bearerd_store_questions_total", 'kind="lock"') >= 1
                           for one in fleet), "all to have asked for the right to fetch")
    held.let_go()
    began = time.monotonic()
    assert [one.status() for one in asking] == [200] * 3
    print(f"adopted {1000 * (time.monotonic() - began):.0f} ms after the token was there")
    assert idp.count <= 1 + sum(fleet.said(AWAY))
    assert fleet[1].admin("/providers/idp/refresh", "POST")[0] == 200
    idp.revoke(idp.issued[0])
    assert in_parallel(30, lambda number: fleet[number % 3].get("/").status) == [200] * 30
    assert idp.count <= 2 + sum(fleet.said(AWAY))


@pytest.fixture
def a_day_ahead(stage, tmp_path):
    """Makes an instance whose clock, the one that tokens live by, is a day ahead."""
    if subprocess.run([*A_DAY_AHEAD, "true"], capture_output=True).returncode:
        pytest.skip("no time namespace here")
    program = tmp_path / "a-day-ahead"
    program.write_text(f'#!/bin/sh\nexec {" ".join(A_DAY_AHEAD)} {stage.binary} "$@"\n')
    program.chmod(0o755)

    def make(config):
        daemon = stage.bearerd(config)
        daemon.binary = program
        return daemon.start()
    return make


def test_the_hosts_clocks_need_not_agree(fleet_of, a_day_ahead, idp):
    """Entries carry ages, and Redis' clock measures them; the API refuses what has expired."""
    fleet = fleet_of(2)
    text = fleet[0].config_path.read_text()
    fleet.append(a_day_ahead(text[text.index("[provider"):]))
    with open(f"/proc/{fleet[2].process.pid}/timens_offsets") as offsets:
        assert "86400" in offsets.read()
    idp.expires_in = 3
    assert [answer.status for answer in fleet.ask_all()] == [200] * 3
    assert fleet[2].log_lines("token from the store")
    with Load(fleet, threads_each=1) as load:
        idp.wait_requests(4, timeout=20)
        renewals = [one.metric("bearerd_token_requests_total") for one in fleet]
    assert load.errors == []
    assert max(idp.count, sum(renewals)) <= 6 + sum(fleet.said(AWAY))
