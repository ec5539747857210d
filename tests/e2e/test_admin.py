"""The admin listener: health, metrics, status and the operator's orders; never a secret."""

import json
import re
import shutil
import socket
import subprocess
import threading

import pytest
from actors import Client, in_parallel, section, wait_until, wire

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def metrics(bearerd):
    """The samples as {'name{labels}': value}."""
    status, fields, text = bearerd.admin("/metrics")
    assert status == 200 and fields["Content-Type"] == PROMETHEUS
    samples = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def state(bearerd):
    status, fields, text = bearerd.admin("/status.json")
    assert status == 200 and fields["Content-Type"] == "application/json"
    return json.loads(text)


def provider_of(bearerd, name="idp"):
    return next(one for one in state(bearerd)["providers"] if one["name"] == name)


def ask(bearerd, method, path, fields=(), host=None):
    """A request to the admin listener with exact fields."""
    with Client(bearerd.admin_port) as client:
        return client.request(method, path, fields, host=host)


# --- health ---------------------------------------------------------------------------------------


def test_it_lives_and_is_ready(proxy, idp):
    assert proxy.admin("/livez")[0] == 200
    assert proxy.admin("/readyz")[0] == 200
    assert idp.count == 0  # a probe costs no token


def test_ready_in_words(proxy):
    status, _, text = proxy.admin("/readyz?verbose")
    assert status == 200
    assert "[+] listening" in text and "[+] provider idp: not asked yet" in text
    assert proxy.get("/x").status == 200
    assert "[+] provider idp: has a token" in proxy.admin("/readyz?verbose")[2]


def test_a_provider_without_token_is_not_ready(proxy, idp):
    idp.always(idp.answer(401, {"error": "invalid_client"}))
    assert proxy.get("/x").status == 502
    status, _, text = proxy.admin("/readyz")
    assert status == 503
    assert "[-] provider idp" in text and "invalid_client" in text
    assert proxy.admin("/livez")[0] == 200


def test_the_probe_brings_it_back(proxy, idp):
    """While it is not ready nobody sends requests: the probe must lead out of it."""
    idp.then(idp.answer(503, "down", "text/plain"))
    assert proxy.get("/x").status == 503
    assert proxy.admin("/readyz")[0] == 503
    wait_until(lambda: proxy.admin("/readyz")[0] == 200, "readiness without a request", 15)
    assert idp.count == 2


def test_not_ready_while_it_stops(upstream, run, provider):
    answered = threading.Event()

    def slow(peer):
        peer.read_request()
        peer.wait(answered)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    api = upstream(slow)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    with bearerd.client() as client:
        client.send(client.head("GET", "/x"))
        wait_until(lambda: metrics(bearerd)["bearerd_requests_in_flight"] == 1, "the request")
        bearerd.signal(15)
        wait_until(lambda: bearerd.admin("/readyz")[0] == 503, "readiness to end")
        assert "stopping" in bearerd.admin("/readyz")[2]
        answered.set()
        assert client.read().status == 200
    assert bearerd.wait_exit() == 0


# --- metrics --------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (package prometheus) is missing")
def test_promtool_is_content(proxy):
    proxy.get("/x")
    text = proxy.admin("/metrics")[2]
    lint = subprocess.run(["promtool", "check", "metrics"], input=text.encode(),
                          capture_output=True)
    assert lint.returncode == 0 and not lint.stdout and not lint.stderr, lint


def test_requests_are_counted(proxy, idp):
    for _ in range(3):
        assert proxy.get("/x").status == 200
    with proxy.client() as client:
        assert client.get("/y").status == 200
        samples = metrics(proxy)
        assert samples['bearerd_requests_total{route="all",code="200"}'] == 4
        assert samples['bearerd_request_duration_seconds_count{route="all"}'] == 4
        assert samples['bearerd_upstream_duration_seconds_count{route="all"}'] == 4
        assert samples["bearerd_client_connections"] == 1
        assert samples["bearerd_requests_in_flight"] == 0
    assert samples['bearerd_token_requests_total{provider="idp",result="success"}'] == 1
    assert samples['bearerd_token_request_duration_seconds_count{provider="idp"}'] == 1
    assert samples["bearerd_config_last_reload_successful"] == 1
    assert sum(value for name, value in samples.items()
               if name.startswith("bearerd_upstream_connections")) >= 1


def test_connections_to_the_upstream_are_gauged(proxy, api):
    def connections():
        return {state: metrics(proxy)[f'bearerd_upstream_connections{{route="all",state="{state}"}}']
                for state in ("idle", "active", "connecting")}
    assert connections() == {"idle": 0, "active": 0, "connecting": 0}
    assert proxy.get("/x").status == 200
    assert connections() == {"idle": 1, "active": 0, "connecting": 0}
    api.stop()
    wait_until(lambda: connections()["idle"] == 0, "the closed connection to be seen")


def test_waiters_are_gauged(proxy, idp):
    idp.hold()
    done = threading.Thread(target=in_parallel, args=(5, lambda _: proxy.get("/x")))
    done.start()
    wait_until(lambda: metrics(proxy)['bearerd_token_waiters{provider="idp"}'] == 5, "5 waiters")
    assert provider_of(proxy)["waiters"] == 5
    assert provider_of(proxy)["state"] == "fetching"
    idp.release()
    done.join(20)
    assert metrics(proxy)['bearerd_token_waiters{provider="idp"}'] == 0


def test_errors_rejections_and_replays_are_counted(proxy, idp):
    assert proxy.get("/x").status == 200
    idp.revoke_all()
    assert proxy.get("/x").status == 200
    assert proxy.exchange(b"GET /x HTTP/1.1\r\nHost: evil.example\r\n\r\n").status == 421
    samples = metrics(proxy)
    assert samples['bearerd_token_rejections_total{provider="idp"}'] == 1
    assert samples['bearerd_replays_total{route="all"}'] == 1
    assert samples['bearerd_errors_total{error="host_not_accepted"}'] == 1
    assert samples['bearerd_errors_total{error="no_route"}'] == 0


def test_the_expiry_is_a_moment(proxy, idp):
    name = 'bearerd_token_expiry_timestamp_seconds{provider="idp"}'
    assert name not in metrics(proxy)
    proxy.get("/x")
    samples = metrics(proxy)
    assert 3500 < samples[name] - samples["process_start_time_seconds"] < 3700


def test_the_process_is_measured(proxy):
    samples = metrics(proxy)
    assert samples["process_resident_memory_bytes"] > 1 << 20
    assert samples["process_open_fds"] > 5
    assert samples["process_max_fds"] >= samples["process_open_fds"]
    assert samples["process_cpu_seconds_total"] >= 0
    assert any(re.match(r'bearerd_build_info\{version="\d+\.\d+', name) for name in samples)


# --- status ---------------------------------------------------------------------------------------


def test_status_before_and_after_a_request(proxy, idp, api):
    before = state(proxy)
    assert before["ready"] is True and before["draining"] is False
    assert before["providers"][0]["state"] == "empty"
    assert before["providers"][0]["token"] is None
    proxy.get("/x")
    after = state(proxy)
    token = after["providers"][0]["token"]
    assert after["providers"][0]["state"] == "ready"
    assert 0 <= token["age"] < 30
    assert token["lifetime"] == pytest.approx(3600, abs=1)
    assert token["expires_in"] == pytest.approx(3600 - token["age"], abs=1)
    assert 0 < token["refresh_in"] < token["expires_in"]
    assert after["providers"][0]["history"][0]["result"] == "success"
    route = after["routes"][0]
    assert route["name"] == "all" and route["provider"] == "idp" and route["upstream"] == api.origin
    assert route["requests"] == 1 and route["errors"] == 0 and route["by_status"] == {"200": 1}
    assert 0 < route["latency"]["p50"] <= route["latency"]["p99"] < 10
    assert after["uptime"] > before["uptime"]


def test_status_tells_the_last_error_in_words(proxy, idp):
    idp.always(idp.answer(400, {"error": "invalid_client",
                                "error_description": "client unknown"}))
    proxy.get("/x")
    failure = provider_of(proxy)["failure"]
    assert failure["kind"] == "refused"
    assert "client unknown" in failure["reason"]
    assert 0 < failure["retry_in"] <= 36


def test_no_page_shows_a_token_or_secret(proxy, idp, canary):
    proxy.get("/x")
    idp.always(idp.answer(400, {"error": f"bad {idp.token}"}))
    pages = [proxy.admin("/providers/idp/refresh", "POST")]
    pages += [proxy.admin(path) for path in ("/metrics", "/status.json", "/readyz?verbose",
                                             "/livez", "/nothing")]
    for status, fields, text in pages:
        assert not canary.leaks((str(fields) + text).encode()), text


# --- orders ---------------------------------------------------------------------------------------


def test_a_refresh_gets_a_new_token(proxy, idp, api):
    proxy.get("/x")
    first = idp.token
    status, _, text = proxy.admin("/providers/idp/refresh", "POST")
    assert status == 200
    answer = json.loads(text)
    assert answer["name"] == "idp" and answer["state"] == "ready"
    assert idp.count == 2 and idp.token != first
    assert proxy.get("/x").status == 200
    assert api.requests[-1].fields.get("Authorization") == f"Bearer {idp.token}"


def test_a_refresh_that_fails(proxy, idp):
    idp.always(idp.answer(401, {"error": "invalid_client"}))
    answer = ask(proxy, "POST", "/providers/idp/refresh")
    assert answer.status == 502
    assert "invalid_client" in answer.problem()["detail"]


def test_a_refresh_ends_the_back_off(proxy, idp):
    idp.then(idp.answer(401, {"error": "invalid_client"}))
    assert proxy.get("/x").status == 502
    assert proxy.admin("/providers/idp/refresh", "POST")[0] == 200
    assert proxy.get("/x").status == 200
    assert idp.count == 2


def test_a_slow_refresh_stops_nobody(proxy, idp):
    proxy.get("/x")
    idp.hold()
    order = threading.Thread(target=proxy.admin, args=("/providers/idp/refresh", "POST"))
    order.start()
    idp.wait_requests(2)
    assert proxy.admin("/livez")[0] == 200
    assert proxy.get("/x").status == 200
    idp.release()
    order.join(20)


def test_a_token_can_be_forgotten(proxy, idp):
    proxy.get("/x")
    status, fields, text = proxy.admin("/providers/idp/token", "DELETE")
    assert status == 204 and text == ""
    assert provider_of(proxy)["token"] is None
    assert idp.count == 1
    assert proxy.get("/x").status == 200
    assert idp.count == 2


@pytest.mark.parametrize("method,path", [("POST", "/providers/nobody/refresh"),
                                         ("DELETE", "/providers/nobody/token"),
                                         ("POST", "/providers/idp/explode"), ("GET", "/"),
                                         ("GET", "/providers/"), ("GET", "/status/"),
                                         ("GET", "/metrics/")])
def test_unknown_is_404(proxy, method, path):
    answer = ask(proxy, method, path)
    assert answer.status == 404
    assert answer.problem()["code"] == "no_route"


@pytest.mark.parametrize("method,path,allow", [("GET", "/providers/idp/refresh", "POST"),
                                               ("POST", "/providers/idp/token", "DELETE"),
                                               ("DELETE", "/metrics", "GET, HEAD")])
def test_the_wrong_method_is_405(proxy, method, path, allow):
    answer = ask(proxy, method, path)
    assert answer.status == 405
    assert answer.fields.get("Allow") == allow


# --- who may ask ----------------------------------------------------------------------------------


def test_other_hosts_are_not_accepted(proxy):
    answer = ask(proxy, "GET", "/status.json", host="rebound.example.com")
    assert answer.status == 421
    assert answer.problem()["code"] == "host_not_accepted"
    for host in ("localhost", f"127.0.0.1:{proxy.admin_port}", "[::1]:8081"):
        assert ask(proxy, "GET", "/livez", host=host).status == 200


@pytest.mark.parametrize("fields", [[("Origin", "http://evil.example")], [("Origin", "null")],
                                    [("Sec-Fetch-Site", "cross-site")]])
def test_pages_of_others_may_not_ask(proxy, fields, idp):
    answer = ask(proxy, "POST", "/providers/idp/refresh", fields)
    assert answer.status == 403
    assert answer.problem()["code"] == "origin_forbidden"
    assert idp.count == 0
    assert not any(name.lower().startswith("access-control") for name, _ in answer.fields)


def test_its_own_page_may_ask(proxy):
    own = f"127.0.0.1:{proxy.admin_port}"
    assert ask(proxy, "POST", "/providers/idp/refresh", [("Origin", f"http://{own}")],
               own).status == 200


def test_two_hosts_are_refused(proxy):
    with Client(proxy.admin_port) as client:
        answer = client.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n"
                             b"Connection: close\r\n\r\n").read()
    assert answer.status == 400


def test_it_can_be_off(run, provider, api):
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
                  server={"admin_listen": "off"})
    assert bearerd.get("/x").status == 200
    with pytest.raises(ConnectionRefusedError):
        bearerd.admin("/livez")


def test_a_unix_socket_serves_it_too(run, provider, api, tmp_path):
    path = tmp_path / "admin.sock"
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
                  server={"admin_listen": f"unix:{path}"})
    bearerd.wait_log("health and metrics")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        stream = wire.Stream(sock)
        for host in (b"localhost", b"any.name"):  # as over the proxy's unix sockets
            sock.sendall(b"GET /livez HTTP/1.1\r\nHost: %s\r\n\r\n" % host)
            assert wire.read_response(stream).status == 200


def test_pages_are_served_beside_slow_askers(proxy):
    slow = [Client(proxy.admin_port).send(b"GET /livez HTTP/1.1\r\nHost") for _ in range(50)]
    assert proxy.admin("/livez")[0] == 200
    for one in slow:
        one.close()
