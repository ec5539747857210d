"""Heads that are odd but allowed, and those that would make an open proxy of us.

RFC 9112 3.2.2 (absolute targets) and 9.3 (HTTP/1.0), RFC 9110 7.6.2 (Max-Forwards).
"""

import pytest
from test_hostile_bodies import head, start  # noqa: F401


# --- odd, but allowed -----------------------------------------------------------------------------


def test_http_1_0_keeps_alive_when_asked(start):  # noqa: F811
    bearerd = start()
    with bearerd.client() as client:
        for _ in range(2):
            answer = client.send(head(b"Connection: keep-alive", method=b"GET",
                                      version=b"1.0")).read()
            assert answer.body == b"ok"
            if (answer.fields.get("Connection") or "").lower() != "keep-alive":
                assert client.is_closed()
                break


@pytest.mark.parametrize("value,status", [
    (b"0", 200), (b"5", 200), (b"-1", 400), (b"x", 400), (b"1, 2", 400), (b"", 400),
    (b"99999999999999999999", 400)])
def test_max_forwards_on_any_method(start, value, status):  # noqa: F811
    bearerd = start()
    assert bearerd.exchange(head(b"Max-Forwards: " + value, method=b"GET")).status == status


def test_two_max_forwards(start):  # noqa: F811
    assert start().exchange(head(b"Max-Forwards: 1", b"Max-Forwards: 2",
                                 method=b"OPTIONS")).status == 400


@pytest.mark.parametrize("method", [b"PROPFIND", b"PURGE", b"X" * 100])
def test_unknown_methods_pass(start, method):  # noqa: F811
    bearerd = start()
    assert bearerd.exchange(head(method=method)).status == 200
    assert bearerd.api.requests[0].method == method.decode()


# --- open-proxy attempts, RFC 9112 3.2.2 ----------------------------------------------------------


@pytest.mark.parametrize("target,status", [
    (b"http://evil.example/x", (421,)), (b"http://127.0.0.1@evil.example/x", (400, 421)),
    (b"http://evil.example\\@127.0.0.1/x", (400,)), (b"http://127.0.0.1:80:80/x", (400,)),
    (b"//evil.example/x", (200,)), (b"http:///x", (400,)), (b"ftp://127.0.0.1/x", (400,)),
    (b"http://[::1/x", (400,)), (b"evil.example:443", (400,)), (b"http://evil.example%2f@h/", (400,)),
    (b"http://127.0.0.1#@evil.example/", (400,)), (b"javascript:alert(1)", (400,))])
def test_no_open_proxy(start, target, status):  # noqa: F811
    """Whatever a client writes, the upstream is the route's."""
    bearerd = start()
    answer = bearerd.exchange(head(method=b"GET", target=target))
    assert answer.status in status, answer
    for request in bearerd.api.requests:
        assert request.fields.get("Host") == bearerd.api.authority
        assert request.target == target.decode()
