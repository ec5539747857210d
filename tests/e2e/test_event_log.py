"""The event log: what changed, one line each, in the form and at the level that was asked for."""

import json
import re

import pytest
from actors import section, wait_until


@pytest.fixture
def start(run, provider, api):
    def start(**server):
        return run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
                   server=server)
    return start


def test_text_lines(start):
    bearerd = start(log_level="info")
    assert bearerd.get("/x").status == 200
    bearerd.stop()
    for line in bearerd.stderr.splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (info|warning|error) \S", line), line


def test_json_lines(start, idp):
    bearerd = start(log_format="json")
    assert bearerd.get('/x"\x5c').status in (200, 400)
    assert bearerd.get("/x").status == 200
    bearerd.stop()
    for line in bearerd.stderr.splitlines() + bearerd.stdout_bytes.decode().splitlines():
        assert isinstance(json.loads(line), dict), line


def test_a_token_fetch_is_one_line(start):
    bearerd = start(log_level="info")
    for _ in range(3):
        assert bearerd.get("/x").status == 200
    assert len([line for line in bearerd.stderr.splitlines() if "provider idp" in line]) == 1


@pytest.mark.parametrize("level,failure,success", [("error", False, False),
                                                   ("warning", True, False), ("info", True, True)])
def test_levels(start, idp, level, failure, success):
    idp.then(idp.answer(500, "down"))
    bearerd = start(log_level=level)
    assert bearerd.get("/x").status == 503
    wait_until(lambda: bearerd.get("/x").status == 200, "recovery", 6)
    bearerd.stop()
    assert bool(bearerd.log_lines("no new token")) == failure
    assert bool(bearerd.log_lines("new token by")) == success
    assert "debug" not in bearerd.stderr


def test_a_hostile_provider_cannot_forge_a_line(start, idp):
    idp.then(idp.answer(400, {"error": "x\n2026-01-01T00:00:00.000Z info forged \x1b[31m\x00"}))
    bearerd = start()
    assert bearerd.get("/x").status == 502
    bearerd.wait_log("no new token")
    assert not any(line.startswith("2026-01-01T00:00:00.000Z") for line in
                   bearerd.stderr.splitlines())
    assert b"\x1b" not in bearerd.stderr_bytes and b"\0" not in bearerd.stderr_bytes


def test_a_hostile_request_cannot_forge_a_line(start):
    bearerd = start()
    bearerd.get("/x", [("X-Request-Id", "a b=\"c\" \xe9 status=200")])
    bearerd.get("/%0a%0dforged")
    lines = bearerd.access_log(2)
    assert len(lines) == 2
    assert all(line.get("status") == "200" for line in lines)
