"""One token request at a time per source, whoever waits; and sources never cross."""

import threading
import time

import pytest
from actors import Client, EchoApi, Idp, Upstream, in_parallel, section, wait_until


def test_200_cold_requests_cost_one_token_request(proxy, idp, api):
    idp.hold()
    clients = [proxy.client() for _ in range(200)]
    for number, client in enumerate(clients):
        client.send(client.head("GET", f"/{number}"))
    idp.wait_requests(1)
    assert not api.requests
    idp.release()
    for number, client in enumerate(clients):
        answer = client.read()
        assert answer.status == 200
        assert answer.json()["target"] == f"/{number}"
        client.close()
    assert idp.count == 1


def test_a_slow_token_endpoint_and_100_at_once(proxy, idp):
    """Tyk's waiters gave up after a second."""
    idp.hold()
    threading.Timer(3, idp.release).start()
    statuses = in_parallel(100, lambda number: proxy.get("/x").status)
    assert statuses == [200] * 100
    assert idp.count == 1


def test_waiting_is_bounded_for_all(run, provider, idp, api):
    idp.always(idp.hang())
    bearerd = run(provider(token_timeout="1s") + section(
        "route all", {"provider": "idp", "upstream": api.origin}))
    began = time.monotonic()
    answers = in_parallel(50, lambda number: bearerd.get("/x"))
    assert time.monotonic() - began < 5
    codes = {(answer.status, answer.problem()["code"]) for answer in answers}
    # Who came a little later sees the fetch fail before its own time is over.
    assert codes <= {(504, "token_timeout"), (503, "token_unavailable")}
    assert idp.count <= 2


def test_a_client_that_leaves_cancels_nothing(proxy, idp):
    idp.hold()
    first, second = proxy.client(), proxy.client()
    first.send(first.head("GET", "/first"))
    idp.wait_requests(1)
    second.send(second.head("GET", "/second"))
    first.reset()
    idp.release()
    assert second.read().status == 200
    assert idp.count == 1


def test_the_only_client_leaves_and_the_token_stays(proxy, idp, api):
    idp.hold()
    client = proxy.client()
    client.send(client.head("POST", "/x", body=b"{}") + b"{}")
    idp.wait_requests(1)
    client.close()
    wait_until(lambda: proxy.admin("/readyz")[0] in (200, 503), "the daemon to answer")
    idp.release()
    assert proxy.get("/later").status == 200
    assert idp.count == 1
    assert [request.target for request in api.requests] == ["/later"]


SAME = {"client_id": "literal:same", "username": "literal:same", "password": "literal:same-same"}


def two_sources(provider, api, difference):
    """Providers a and b with a route each; b differs from a in this alone."""
    return (provider("a", **SAME) + provider("b", **{**SAME, **difference})
            + section("route a", {"path": "/a", "provider": "a", "upstream": api.origin + "/a"})
            + section("route b", {"path": "/b", "provider": "b", "upstream": api.origin + "/b"}))


@pytest.fixture
def same_secret(provider, canary):
    """The provider fixture makes up a secret each time; here all have one."""
    secret = f"literal:{canary.secret('same-secret')}"
    return lambda name, **keys: provider(name, **{"client_secret": secret, **keys})


@pytest.mark.parametrize("difference", [
    {"scope": "b"}, {"audience": "b"}, {"client_id": "literal:b"}, {"username": "literal:b"},
    {"client_secret": "literal:bbbbbbbbbb"}, {"password": "literal:bbbbbbbbbb"},
    {"token_param.tenant": "b"}, {"token_query.tenant": "b"}, {"token_header.X-Tenant": "b"},
    {"client_auth": "client_secret_post"}, {"resource": "b"}, {"grant_type": "password"},
    {"basic_encoding": "raw"}, {"token_body": "json"}, {"token_url": "another"},
    {"token_method": "GET", "token_body": "none"},
], ids=lambda difference: next(iter(difference)))
def test_two_sources_that_differ_in_one_parameter(run, same_secret, idp, api, difference):
    """Each route sees one token only, and never the other's, under parallel load."""
    if "token_url" in difference:
        difference = {"token_url": idp.url + "/b"}
    bearerd = run(two_sources(same_secret, api, difference))
    statuses = in_parallel(30, lambda n: bearerd.get("/a" if n % 2 else "/b").status)
    assert statuses == [200] * 30
    tokens = {"a": set(), "b": set()}
    for request in api.requests:
        tokens[request.target[1]].add(request.fields.get("Authorization"))
    assert len(tokens["a"]) == len(tokens["b"]) == 1
    assert tokens["a"] != tokens["b"]
    assert idp.count == 2


def test_two_providers_that_differ_in_nothing_share_a_token(run, same_secret, idp, api):
    """Otherwise the test above could not fail."""
    bearerd = run(two_sources(same_secret, api, {}))
    assert bearerd.get("/a").status == bearerd.get("/b").status == 200
    assert idp.count == 1


def test_slow_things_stay_apart(run, provider, idp, api, stage, canary):
    """A hanging token endpoint and a hanging upstream slow nobody else."""
    hanging = stage.add(Idp(canary))
    hanging.hold()
    late = stage.add(EchoApi(hanging))
    stuck = stage.add(Upstream(lambda peer: (peer.read_request(), peer.stall())))
    bearerd = run(
        provider("idp") + provider("hanging", idp=hanging)
        + section("route good", {"path": "/good", "provider": "idp", "upstream": api.origin})
        + section("route late", {"path": "/late", "provider": "hanging", "upstream": late.origin})
        + section("route stuck", {"path": "/stuck", "provider": "idp", "upstream": stuck.origin}),
        server={"workers": "1"})
    waiting = [bearerd.client() for _ in range(20)]
    for number, client in enumerate(waiting):
        client.send(client.head("GET", "/late/x" if number % 2 else "/stuck/x"))
    hanging.wait_requests(1)
    stuck.wait_requests(10)
    began = time.monotonic()
    assert [bearerd.get("/good/x").status for _ in range(20)] == [200] * 20
    assert time.monotonic() - began < 5
    hanging.release()
    for client in waiting[1::2]:
        assert client.read().status == 200
    for client in waiting:
        client.close()


def test_an_echo_api_rejects_strangers(stage, idp):
    """The actor itself: a test that cannot fail is a defect."""
    api = stage.add(EchoApi(idp))
    assert Client(api.port).get("/x", [("Authorization", "Bearer nonsense")]).status == 401
