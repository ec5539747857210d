"""What a token endpoint's reply means: a token, a refusal, or an outage."""

import gzip
import json

import pytest
from actors import MISSING, Idp, section, wait_until


@pytest.fixture
def start(run, provider, api):
    """Starts bearerd with one provider of these keys."""
    def start(**keys):
        return run(provider(**keys) + section("route all", {"provider": "idp",
                                                            "upstream": api.origin}))
    return start


def code(answer):
    return answer.status, answer.problem()["code"]


REFUSED, UNAVAILABLE = (502, "token_refused"), (503, "token_unavailable")


# --- where the members are ------------------------------------------------------------------------


def test_a_nested_token(start, idp):
    idp.shape = lambda answer: {"data": {"auth": {"jwt": answer["access_token"], "life": 3600}}}
    bearerd = start(token_path="data.auth.jwt", expires_in_path="data.auth.life")
    assert bearerd.get("/x").status == 200
    assert bearerd.get("/x").status == 200
    assert idp.count == 1


def test_the_first_path_that_hits(start, idp):
    idp.shape = lambda answer: {"token": answer["access_token"], "access_token": None}
    assert start(token_path="access_token, nothing.here, token").get("/x").status == 200


def test_milliseconds(start, idp):
    """1,500 ms, not 1,500 s: the second token comes soon."""
    idp.expires_in = 1500
    bearerd = start(expires_in_unit="ms")
    wait_until(lambda: bearerd.get("/x").status == 200 and idp.count >= 2, "a second token", 5)


@pytest.mark.parametrize("expires_in", [
    "3600", "3600.5", 3600.5, 1e300, 10 ** 30, None, -1, 0, "0", "-5", "", "soon", "12 apples", [],
    {}, True, False, [60], "٣", MISSING,
], ids=repr)
def test_odd_lifetimes_cost_no_more_requests(start, idp, expires_in):
    """A lifetime that says nothing means default_lifetime, never zero and never for ever."""
    idp.expires_in = expires_in
    bearerd = start()
    for _ in range(5):
        assert bearerd.get("/x").status == 200
    assert idp.count == 1


@pytest.mark.parametrize("expires_in", ["2", "2.5", 2.5], ids=repr)
def test_a_lifetime_as_text_or_float_counts(start, idp, expires_in):
    idp.expires_in = expires_in
    bearerd = start()
    wait_until(lambda: bearerd.get("/x").status == 200 and idp.count >= 2, "a second token", 6)


@pytest.mark.parametrize("kind", ["bearer", "Bearer", "BEARER", MISSING, None], ids=repr)
def test_bearer_in_any_case_or_nothing(start, idp, kind):
    idp.then(idp.ok(token_type=kind))
    assert start().get("/x").status == 200


def test_another_token_type(start, idp, api):
    idp.then(idp.ok(token_type="mac"))
    assert start().get("/x").status in (502, 503)
    assert not api.requests


def test_any_token_type_and_the_header_is_not_built_from_it(start, idp):
    idp.always(idp.ok(token_type="BearerToken"))
    answer = start(token_type="any").get("/x")
    assert answer.status == 200
    assert dict(answer.json()["fields"])["Authorization"] == f"Bearer {idp.token}"


@pytest.mark.parametrize("status", [200, 201, 202])
def test_every_2xx_is_success(start, idp, status):
    idp.then(idp.ok(status))
    assert start().get("/x").status == 200


# --- no token: refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [
    {"error": "invalid_client"},
    {"error": "invalid_client", "error_description": "no such client", "access_token": ""},
    {"errorMessage": "wrong"}, {"fault": {"faultstring": "no"}}, {"data": {"msg": "no"}},
    {"message": "Unauthorized"},
], ids=json.dumps)
def test_an_error_inside_a_200(start, idp, api, reply):
    idp.then(idp.answer(200, reply))
    assert code(start().get("/x")) == REFUSED
    assert not api.requests


def test_an_error_with_a_500(start, idp):
    """CyberSource: any failure is a 500; with an error inside it is a refusal all the same."""
    idp.then(idp.answer(500, {"error": "invalid_client"}))
    assert code(start().get("/x")) == REFUSED


@pytest.mark.parametrize("status", [300, 400, 500])
def test_a_token_with_another_status_is_none(start, idp, api, status):
    idp.then(idp.ok(status))
    assert start(token_timeout="2s").get("/x").status in (502, 503, 504)
    assert not api.requests


def test_the_providers_own_error_path(start, idp):
    idp.then(idp.answer(200, {"resultMsg": "wrong"}))
    assert code(start(error_path="resultMsg").get("/x")) == REFUSED


@pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error", "slow_down"])
def test_a_passing_error_inside_a_200(start, idp, error):
    idp.then(idp.answer(200, {"error": error}))
    assert code(start().get("/x")) == UNAVAILABLE


# --- no token: not understood ---------------------------------------------------------------------


def nested(depth):
    return "[" * depth + "]" * depth


BROKEN = {
    "empty": b"",
    "html": b"<html><title>Sign in</title>access_token</html>",
    "form": b"access_token=abc&expires_in=3600",
    "half": b'{"access_token": "abc',
    "trailing bytes": b'{"access_token": "abcdefgh", "expires_in": 60} x',
    "two values": b'{"access_token": "abcdefgh"}{"access_token": "abcdefgh"}',
    "null": b"null",
    "a bare text": b'"abcdefgh"',
    "a list": b'["abcdefgh"]',
    "a number": b'{"access_token": 12345678}',
    "an object": b'{"access_token": {"a": 1}}',
    "an empty token": b'{"access_token": ""}',
    "echo": b'{"grant_type": "client_credentials"}',
    "CR LF": b'{"access_token": "abc\\r\\nX-Evil: 1"}',
    "LF": b'{"access_token": "abc\\nX-Evil"}',
    "NUL": b'{"access_token": "abc\\u0000def"}',
    "a space": b'{"access_token": "abc def"}',
    "not ASCII": '{"access_token": "abcäöü"}'.encode(),
    "17 KiB": json.dumps({"access_token": "a" * 17000}).encode(),
    "too deep": ('{"access_token": "abcdefgh", "x": ' + nested(40) + "}").encode(),
    "much too deep": ('{"access_token": "abcdefgh", "x": ' + nested(100000) + "}").encode(),
    "too long": b'{"access_token": "abcdefgh", "x": "' + b"x" * 300000 + b'"}',
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_reply_without_a_usable_token(start, idp, api, name):
    idp.then(idp.answer(200, BROKEN[name]))
    assert code(start().get("/x")) == UNAVAILABLE
    assert not api.requests


def test_gzip_unasked_for(start, idp, api):
    """A compressed bomb costs bounded memory and no token comes of it."""
    bomb = gzip.compress(b'{"access_token": "' + b"a" * 50_000_000 + b'"}')
    idp.then(idp.answer(200, bomb, fields=[("Content-Encoding", "gzip")]))
    bearerd = start()
    before = bearerd.rss_kib()
    assert code(bearerd.get("/x")) == UNAVAILABLE
    assert bearerd.rss_kib() - before < 20_000
    assert not api.requests


def test_a_redirect_is_not_followed(start, idp, api, stage, canary):
    elsewhere = stage.add(Idp(canary))
    idp.then(idp.answer(307, "", fields=[("Location", elsewhere.url)]))
    assert start().get("/x").status in (502, 503)
    assert not elsewhere.requests and not api.requests


def test_an_empty_200_is_recovered_from(start, idp):
    """Envoy never tried again after one."""
    idp.then(idp.answer(200, b""))
    bearerd = start()
    answer = bearerd.get("/x")
    assert code(answer) == UNAVAILABLE
    assert 1 <= int(answer.fields.get("Retry-After")) <= 2
    wait_until(lambda: bearerd.get("/x").status == 200, "the recovery", 5)
    assert idp.count == 2


# --- hostile endings ------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [
    [b"garbage\r\n\r\n"],
    [b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"access_token\":"],
    [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"acc"],
    [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
    [b""],
], ids=["garbage", "cut", "cut chunk", "bad chunk", "nothing"])
def test_a_connection_that_breaks(start, idp, api, pieces):
    idp.then(idp.raw(*pieces))
    assert code(start().get("/x")) == UNAVAILABLE
    assert not api.requests


def test_a_reset(start, idp):
    idp.then(idp.reset())
    assert code(start().get("/x")) == UNAVAILABLE


def test_it_hangs(start, idp, api):
    idp.then(idp.hang())
    assert code(start(token_timeout="1s").get("/x")) == (504, "token_timeout")
    assert not api.requests


def test_it_drips(start, idp, api):
    """A byte now and then keeps no request waiting beyond token_timeout in all."""
    idp.then(idp.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"))
    assert code(start(token_timeout="1s").get("/x")) == (504, "token_timeout")
    assert not api.requests


def test_it_streams_for_ever(start, idp, api):
    idp.then(idp.flood())
    bearerd = start(token_timeout="5s")
    before = bearerd.rss_kib()
    assert code(bearerd.get("/x")) == UNAVAILABLE
    assert bearerd.rss_kib() - before < 20_000
