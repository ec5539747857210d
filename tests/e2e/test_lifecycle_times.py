"""Short lives, slow endpoints and many who wait: tokens are never late and never used too long."""

import threading
import time

import pytest
from actors import in_parallel, section, wait_until


def route(api):
    return section("route all", {"provider": "idp", "upstream": api.origin})


def hammer(bearerd, seconds, clients=8):
    """So many clients ask without a pause; every answer is a 200. Returns how many there were."""
    def ask(number):
        count, deadline = 0, time.monotonic() + seconds
        with bearerd.client() as client:
            while time.monotonic() < deadline:
                assert client.get("/x").status == 200
                count += 1
        return count
    return sum(in_parallel(clients, ask))


@pytest.mark.parametrize("life", [1, 2])
def test_tiny_lives_under_load(proxy, idp, api, life):
    """Two seconds are no "for ever", and no request sees a token that has expired."""
    idp.expires_in = life
    assert hammer(proxy, 2.5 * life) > 40
    assert 3 <= idp.count <= 8  # renewed at about half of its life
    assert api.rejected == 0
    assert idp.most_concurrent == 1


@pytest.mark.parametrize("margin", ["10s", "1h"])
def test_a_life_shorter_than_the_margin_under_load(run, provider, idp, api, margin):
    """The margin is cut to half of the life: neither a hot loop nor an expired token."""
    idp.expires_in = 2
    bearerd = run(provider(refresh_margin=margin) + route(api))
    hammer(bearerd, 4)
    assert 2 <= idp.count <= 6
    assert api.rejected == 0


def test_a_slow_endpoint_is_not_noticed(proxy, idp, api):
    """Tokens of 6 s, 500 ms to get one: after the first, no request waits for the endpoint."""
    idp.expires_in = 6  # it is renewed 3 s before its end, which leaves a busy machine its time
    slow = threading.Event()

    def slowly(stream, request):
        slow.wait(0.5)
        idp.ok()(stream, request)
    assert proxy.get("/x").status == 200
    idp.always(slowly)
    answers = []

    def ask(number):
        deadline = time.monotonic() + 20
        with proxy.client() as client:
            while idp.count < 3 and time.monotonic() < deadline:
                answers.append(client.get("/x").status)
    in_parallel(2, ask)
    wait_until(lambda: idp.concurrent == 0, "the endpoint to be idle")
    assert set(answers) == {200}
    assert idp.count >= 3 and api.rejected == 0
    waited = [float(line["token_ms"]) for line in proxy.access_log(len(answers) + 1)[1:]]
    assert max(waited) == 0


def test_waiters_of_a_failed_fetch_are_told_at_once(proxy, idp):
    """100 wait, the fetch fails: all hear of it, and nothing blocks the next one."""
    idp.hold()
    idp.then(idp.reset())
    clients = [proxy.client() for _ in range(100)]
    for client in clients:
        client.send(client.head("GET", "/x"))
    idp.wait_requests(1)
    wait_until(lambda: "bearerd_token_waiters{provider=\"idp\"} 100" in proxy.admin("/metrics")[2],
               "100 waiters")
    began = time.monotonic()
    idp.release()
    codes = {client.read().problem()["code"] for client in clients}
    assert codes == {"token_unavailable"}
    assert time.monotonic() - began < 5  # not token_timeout, which is 10 s
    for client in clients:
        client.close()
    wait_until(lambda: proxy.get("/x").status == 200, "the next fetch", 5)
    assert idp.count == 2


def test_no_more_fetches_than_the_back_off_allows(proxy, idp):
    """One token after the other fails while many ask: 1, 2 and 4 s between, all in all."""
    idp.always(idp.reset())
    deadline = time.monotonic() + 5

    def demand(number):
        while time.monotonic() < deadline:
            assert proxy.get("/x").status == 503
    in_parallel(4, demand)
    assert 2 <= idp.count <= 3  # at 0, 0.8 to 1.2, 2.4 to 3.6, 5.6 to 8.4 s


def test_a_retry_inside_the_early_window(proxy, idp, api):
    """The refresh fails once, and the next attempt comes in time: nobody ever waits or fails."""
    idp.expires_in = 6
    idp.then(idp.ok(), idp.answer(503, ""))
    asked = 0
    with proxy.client() as client:
        def renewed():
            nonlocal asked
            asked += 1
            assert client.get("/x").status == 200
            return idp.count == 3
        wait_until(renewed, "the retry", 8)
    waited = [float(line["token_ms"]) for line in proxy.access_log(asked)[1:]]
    assert max(waited) == 0  # not even in the last moments of the first token
    assert len(proxy.log_lines("no new token")) == 1
    assert api.rejected == 0


@pytest.mark.parametrize("how", ["refused", "stopped", "quota", "timeout", "forgotten"])
def test_without_a_token_nothing_goes_out(run, provider, idp, api, how):
    """Whatever the reason, and whatever the client sends itself."""
    keys = {"stopped": {"stop_after_refusals": "1"}, "quota": {"token_quota": "1/10m"},
            "timeout": {"token_timeout": "300ms"}}.get(how, {})
    refusal = idp.answer(401, {"error": "invalid_client"})
    if how in ("forgotten", "quota"):
        idp.then(idp.ok())
    idp.always(idp.hang() if how == "timeout" else refusal)
    bearerd = run(provider(**keys) + route(api))
    if how in ("forgotten", "quota"):
        assert bearerd.get("/x").status == 200
        assert bearerd.admin("/providers/idp/token", "DELETE")[0] == 204
    served = len(api.requests)
    for method in ("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH"):
        with bearerd.client() as client:
            answer = client.request(method, "/x?token=mine", [("Authorization", "Bearer mine")])
            assert answer.status in (502, 503, 504)
            assert "bearerd; error=" in answer.fields.get("Proxy-Status")
    assert len(api.requests) == served
    assert idp.count <= (4 if how == "timeout" else 2)


@pytest.mark.parametrize("renewed", [True, False], ids=["renewed meanwhile", "not renewed yet"])
def test_a_token_that_expires_in_line(run, provider, idp, upstream, renewed):
    """A request that has its token still waits for a connection: it is not sent with an old one."""
    gate = threading.Event()
    accepted = []

    def script(peer):
        while (request := peer.read_request()) is not None:
            token = request.fields.get("Authorization").removeprefix("Bearer ")
            accepted.append((request.target, idp.accepts(token)))
            if request.target == "/first":
                peer.wait(gate)
            peer.send(peer.upstream.OK)
    api = upstream(script)
    idp.expires_in = 2
    bearerd = run(provider() + section("route all", {
        "provider": "idp", "upstream": api.origin, "upstream_connections": "1"}),
        server={"workers": "1"})
    first, second = bearerd.client(), bearerd.client()
    first.send(first.head("GET", "/first"))
    api.wait_requests(1)
    if not renewed:
        idp.hold()
    second.send(second.head("GET", "/second"))
    wait_until(lambda: len(bearerd.log_lines("-> awaiting_connection")) == 2, "the line")
    wait_until(lambda: not idp.accepts(idp.issued[0]), "the end of the first token", 5)
    gate.set()
    assert first.read().status == 200
    idp.release()
    assert second.read().status == 200
    assert accepted == [("/first", True), ("/second", True)]
    first.close()
    second.close()
