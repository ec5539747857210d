"""What a request loses when Redis is lost: nothing while there is a token, else 50 ms, once.

Beside an instance with a store runs one without: what the machine does to a request, it does to
both. A rule that is broken is broken each time Redis is lost: one time without a delay will do.
"""

import statistics
import threading
import time

import pytest
from actors import AWAY, BACK, Between, Fleet, section, store_key, wait_until

LIMIT = 50  # ms
ROUNDS = 5
RENEWALS = 3  # in a round


@pytest.fixture
def between(stage, redis):
    return stage.add(Between(redis.port))


@pytest.fixture
def fleet_of(run, provider, api, between, canary):
    """Makes a fleet with the patience that is set when nothing is said."""
    def make(size=1, sources=1):
        config = "".join(provider(f"p{n}", scope=f"s{n}") + section(f"route r{n}", {
            "path": f"/{n}/", "provider": f"p{n}", "upstream": api.origin})
            for n in range(sources))
        return Fleet(run, config, size, redis=between.url, key=store_key(canary), patience=None)
    return make


@pytest.fixture
def lone(run, provider, api):
    """The same without a store."""
    def make(sources=1):
        return run("".join(provider(f"p{n}", scope=f"alone{n}") + section(f"route r{n}", {
            "path": f"/{n}/", "provider": f"p{n}", "upstream": api.origin})
            for n in range(sources)))
    return make


def took(client, target):
    began = time.monotonic()
    assert client.get(target).status == 200
    return (time.monotonic() - began) * 1000


def count_late(times, before, after):
    """How many took longer by more than the limit than what was asked before and after them."""
    return sum(one > max(*others) + LIMIT for one, *others in zip(times, before, after))


def renewed(daemon):
    """How many tokens it has got."""
    return len(daemon.log_lines("provider p0: new token"))


def losses(redis, between):
    def slow(seconds):
        between.delay = seconds
    return {
        "frozen": (redis.freeze, redis.thaw),
        "partitioned": (between.cut, between.heal),
        "slow": (lambda: slow(0.2), lambda: slow(0)),
        "very-slow": (lambda: slow(5), lambda: slow(0)),
    }


@pytest.mark.parametrize("loss", ["frozen", "partitioned", "slow", "very-slow"])
def test_a_request_with_a_token_waits_for_nothing(fleet_of, lone, redis, between, idp, loss):
    lose, give_back = losses(redis, between)[loss]
    idp.expires_in = 2
    fleet, other = fleet_of(), lone()
    instance, pause = fleet[0], threading.Event()
    with instance.client() as client, other.client() as reference:
        for _ in range(ROUNDS):
            took(client, "/0/"), took(reference, "/0/")
            lose()
            renewals, times, references = renewed(instance), [], [took(reference, "/0/")]
            while renewed(instance) < renewals + RENEWALS:
                for _ in range(20):
                    times.append(took(client, "/0/"))
                    references.append(took(reference, "/0/"))
                    pause.wait(0.002)
            give_back()
            late = count_late(times, references, references[1:])
            print(f"{loss}: {len(times)} requests, median {statistics.median(times):.2f} ms, most "
                  f"{max(times):.1f}, late {late}; without a store most {max(references):.1f}")
            if late == 0:
                break
            wait_until(lambda: fleet.said(AWAY) == fleet.said(BACK), "Redis in use again")
        else:
            raise AssertionError(f"requests were late, {ROUNDS} times")
    waits = [float(one["token_ms"]) for one in instance.access_log()[1:]]
    assert sum(one > LIMIT for one in waits) < ROUNDS, max(waits)


def reaches_the_provider_after(daemon, idp, target):
    """Milliseconds from a cold request to the token request that it causes."""
    came = []
    answer = idp.ok()

    def note(stream, request):
        came.append(time.monotonic())
        return answer(stream, request)
    idp.then(note)
    with daemon.client() as client:
        began = time.monotonic()
        assert client.get(target).status == 200
    return (came[0] - began) * 1000


def test_a_cold_request_waits_for_a_moment(fleet_of, lone, redis, idp):
    count = 4
    fleet, other = fleet_of(1, count), lone(count)
    lost = []
    for n in range(count):
        redis.freeze()
        alone = reaches_the_provider_after(other, idp, f"/{n}/")
        lost.append(reaches_the_provider_after(fleet[0], idp, f"/{n}/") - alone)
        fleet.wait_away(n + 1)
        redis.thaw()
        fleet.wait_back(n + 1)
    print("a cold request lost", [round(one, 1) for one in lost], "ms")
    assert min(lost) < LIMIT + 10
