"""An upstream's name that moves is followed, and nobody who is being served notices.

The names are the system resolver's own: in a network namespace of the test's, where a name server
answers at the address that /etc/resolv.conf has. The time passes by libfaketime.
"""

import os

import pytest
from actors import EchoApi, section
from actors.clock import LIBRARY, Clock
from actors.names import Names, enter_network, libc, resolvers_address, set_up_loopback

NAME = "api.moving.example"
LIFETIME = 30


@pytest.fixture
def names():
    """A name server in a network of its own; before all actors, which then live there too."""
    address = resolvers_address()
    if not address:
        pytest.skip("/etc/resolv.conf has no name server of IPv4")
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if not enter_network():
        pytest.skip("this user may make no network namespace")
    set_up_loopback(address)
    server = Names(address)
    yield server
    server.close()
    libc.setns(home, 0)  # from a new user namespace there is no way back, and no need of one
    os.close(home)


@pytest.fixture
def clock(tmp_path):
    if not LIBRARY:
        pytest.skip("libfaketime is not installed")
    return Clock(tmp_path)


@pytest.fixture
def places(names, stage):
    """Two APIs at one port of two addresses; each says which it is."""
    old = stage.add(EchoApi(address="127.0.0.2"))
    new = stage.add(EchoApi(address="127.0.0.3", port=old.port))
    for api, place in ((old, "old"), (new, "new")):
        api.extra_fields = [("X-Place", place), ("Connection", "close")]
    names.addresses[NAME] = old.address
    return old, new


@pytest.fixture
def bearerd(names, clock, places, run):
    keys = {"provider": "none", "upstream": f"http://{NAME}:{places[0].port}",
            "upstream_insecure": "yes", "read_timeout": "10m"}
    return run(section("route all", keys), server={"workers": "1"}, env=clock.environment)


def place(bearerd):
    answer = bearerd.get("/x")
    assert answer.status == 200, answer
    return answer.fields.get("X-Place")


def test_the_new_place_is_taken_within_the_lifetime(names, clock, places, bearerd):
    assert [place(bearerd) for _ in range(3)] == ["old"] * 3
    names.addresses[NAME] = places[1].address
    clock.advance(LIFETIME - 5)
    assert place(bearerd) == "old" and len(names.lookups) == 1
    clock.advance(10)  # the record itself would be good for a day
    assert [place(bearerd) for _ in range(3)] == ["new"] * 3
    assert len(names.lookups) == 2


def next_event(client):
    size = int(client.stream.line(), 16)
    text = b"".join(client.stream.pieces(size))
    assert client.stream.line() == b"\r\n"
    return text


def test_what_runs_stays_where_it_is(names, clock, places, bearerd):
    old, new = places
    with bearerd.client() as client:
        client.send(client.head("GET", "/events"))
        assert client.read_head().status == 200
        old.push_event("before")
        assert next_event(client) == b"data: before\n\n"
        names.addresses[NAME] = new.address
        clock.advance(LIFETIME + 5)
        assert place(bearerd) == "new"
        old.push_event("after")
        old.push_event(None)
        assert next_event(client) == b"data: after\n\n"
        assert next_event(client) == b""
    assert (old.accepted, new.accepted) == (1, 1)


def test_a_place_that_cannot_be_found_any_more(names, clock, places, bearerd):
    assert place(bearerd) == "old"
    del names.addresses[NAME]
    assert place(bearerd) == "old"
    clock.advance(LIFETIME + 5)
    answer = bearerd.get("/x")
    assert (answer.status, answer.problem()["code"]) == (502, "upstream_unreachable")
    names.addresses[NAME] = places[1].address  # a failure is not kept
    assert place(bearerd) == "new"
