"""Who may use the proxy: not a web page in the user's browser, and nobody by another name."""

import http.client

import pytest
from actors import section, wait_until


@pytest.fixture
def start(run, provider, api):
    def start(route=None, **server):
        return run(provider() + section("route all", {
            "provider": "idp", "upstream": api.origin, **(route or {})}), server=server)
    return start


def code(answer):
    return answer.status, answer.problem()["code"]


def test_loopback_names_are_accepted(start):
    bearerd = start()
    for host in ("127.0.0.1", "localhost", "LOCALHOST:1234", "[::1]", "[::1]:8080", "127.0.0.1:1",
                 f"127.0.0.1:{bearerd.port}"):
        assert bearerd.get("/x", host=host).status == 200, host


def test_other_names_get_421(start, api):
    """DNS rebinding: a name that the attacker owns and that points here."""
    bearerd = start()
    for host in ("evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil",
                 "192.168.1.1", "bearerd", "0x7f.1"):
        answer = bearerd.get("/x", host=host)
        assert code(answer) == (421, "host_not_accepted"), host
        assert answer.problem()["detail"] == f"Host {host} is not accepted; add it to accept_hosts"
    assert not api.requests


def test_accept_hosts(start):
    bearerd = start(accept_hosts="bearerd, proxy.example.com, one.example.com:8080")
    assert bearerd.get("/x", host="bearerd:8080").status == 200
    assert bearerd.get("/x", host="Proxy.Example.com").status == 200
    assert bearerd.get("/x", host="other.example.com").status == 421
    assert bearerd.get("/x", host="One.example.com:8080").status == 200
    assert bearerd.get("/x", host="one.example.com").status == 421


def test_accept_any_host(start):
    assert start(accept_hosts="*").get("/x", host="whatever.example").status == 200


def test_hosts_of_routes_are_accepted(start):
    bearerd = start({"host": "api.example.com"})
    assert bearerd.get("/x", host="api.example.com").status == 200
    assert bearerd.get("/x", host="evil.example").status == 421


def test_an_absolute_target_is_held_to_the_same_list(start, api):
    bearerd = start()
    assert bearerd.get("http://evil.example/x", host="127.0.0.1").status in (400, 421)
    assert not api.requests


@pytest.mark.parametrize("fields", [
    [("Origin", "https://evil.example")], [("Origin", "null")], [("Origin", "http://127.0.0.1")],
    [("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")],
], ids=repr)
def test_a_web_page_gets_403(start, api, fields):
    bearerd = start()
    for method in ("GET", "POST", "OPTIONS"):
        with bearerd.client() as client:
            answer = client.request(method, "/x", fields)
            assert code(answer) == (403, "origin_forbidden")
            assert not [name for name in answer.fields.names()
                        if name.lower().startswith("access-control")]
    assert not api.requests


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_request_that_no_page_made(start, site):
    assert start().get("/x", [("Sec-Fetch-Site", site)]).status == 200


def test_accept_origins(start):
    bearerd = start(accept_origins="https://shop.example, http://localhost:3000")
    assert bearerd.get("/x", [("Origin", "https://shop.example")]).status == 200
    assert bearerd.get("/x", [("Origin", "http://localhost:3000"),
                              ("Sec-Fetch-Site", "cross-site")]).status == 200
    for stranger in ("https://evil.example", "http://shop.example", "https://shop.example:444",
                     "https://shop.example.evil", "null"):
        assert bearerd.get("/x", [("Origin", stranger)]).status == 403, stranger


def test_require_header(start, api):
    bearerd = start(require_header="X-Bearerd: yes please")
    answer = bearerd.get("/x")
    assert (answer.status, answer.problem()["code"]) in ((403, "caller_forbidden"),
                                                         (401, "caller_unknown"))
    assert bearerd.get("/x", [("X-Bearerd", "no")]).status == answer.status
    assert not api.requests
    assert bearerd.get("/x", [("x-bearerd", "yes please")]).status == 200


def test_no_cors_fields_of_our_own(start):
    answer = start().get("/x")
    assert not [name for name in answer.fields.names()
                if name.lower().startswith("access-control")]


def test_the_admin_listener_is_held_to_the_same_rules(start):
    bearerd = start()
    for fields, status in (({"Host": "evil.example"}, 421), ({"Origin": "https://evil"}, 403),
                           ({"Sec-Fetch-Site": "cross-site"}, 403), ({}, 200)):
        connection = http.client.HTTPConnection("127.0.0.1", bearerd.admin_port, timeout=10)
        connection.request("GET", "/livez", headers=fields)
        assert connection.getresponse().status == status, fields
        connection.close()


def test_max_in_flight(start, idp):
    """However they fall to the workers."""
    bearerd = start(max_in_flight="5", workers="2")
    idp.hold()
    waiting = [bearerd.client() for _ in range(5)]
    for i, client in enumerate(waiting):
        client.send(client.head("GET", "/x"))
        wait_until(lambda: bearerd.metric("bearerd_requests_in_flight") == i + 1, "one more")

    answer = bearerd.get("/y")
    assert code(answer) == (503, "overloaded")
    assert int(answer.fields.get("Retry-After")) >= 1
    [line] = bearerd.access_log()
    assert (line["path"], line["error"]) == ("/y", "overloaded")
    assert line["request_id"] == answer.fields.get("X-Request-Id")
    idp.release()
    for client in waiting:
        assert client.read().status == 200
        client.close()
    wait_until(lambda: bearerd.get("/x").status == 200, "room again")
