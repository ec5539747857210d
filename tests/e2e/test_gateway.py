"""A gateway that knows who is asking: [caller NAME] sections, their keys, rights and limits."""

import base64
import json
import os
import subprocess
import time

import pytest
from actors import in_parallel, section, wait_until, wire
from actors.bearerd import unix_connection
from actors.reloading import Load, Reloading

UNKNOWN, FORBIDDEN = (401, "caller_unknown"), (403, "caller_forbidden")


def basic(password, user="program", scheme="Basic"):
    return f"{scheme} {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def code(answer):
    return answer.status, answer.problem()["code"]


def caller(name, **keys):
    return section(f"caller {name}", keys)


class Keys:
    """Two callers' keys, all of them canaries."""

    def __init__(self, canary):
        self.shop, self.till, self.next = (canary.secret(f"key-of-the-{name}")
                                           for name in ("shop", "till", "next-shop"))

    def sections(self, **shop):
        return (caller("shop", api_key=f"literal:{self.shop}", **shop)
                + caller("till", api_key=f"literal:{self.till}"))


@pytest.fixture
def keys(canary):
    return Keys(canary)


@pytest.fixture
def routes(provider, api):
    return (provider() + section("route all", {"provider": "idp", "upstream": api.origin})
            + section("route shut", {"path": "/shut", "provider": "idp", "upstream": api.origin,
                                     "callers": "till"}))


@pytest.fixture
def gateway(run, routes, keys):
    return run(routes + keys.sections())


# --- keys -----------------------------------------------------------------------------------------


def test_a_key_comes_in_three_places(gateway, keys):
    for field in (("X-Api-Key", keys.shop), ("x-api-key", keys.shop),
                  ("Authorization", basic(keys.shop)), ("Proxy-Authorization", basic(keys.shop)),
                  ("Authorization", basic(keys.shop, user="", scheme="bAsIc")),
                  ("Proxy-Authorization", basic(keys.shop, scheme="basic"))):
        assert gateway.get("/x", [field]).status == 200, field
    everywhere = [("X-Api-Key", keys.shop), ("Authorization", basic(keys.shop)),
                  ("Proxy-Authorization", basic(keys.shop))]
    assert gateway.get("/x", everywhere).status == 200


def bad_credentials(keys):
    """Every way to be wrong; all get the same answer."""
    half = keys.shop[:-1]
    return [
        [], [("X-Api-Key", "wrong")], [("X-Api-Key", "")], [("X-Api-Key", half)],
        [("X-Api-Key", keys.shop + "x")], [("X-Api-Key", keys.shop.upper())],
        [("X-Api-Key", f"{keys.shop}, {keys.shop}")],
        [("X-Api-Key", keys.shop), ("X-Api-Key", keys.till)],
        [("X-Api-Key", keys.shop), ("Authorization", basic(keys.till))],
        [("X-Api-Key", keys.shop), ("Authorization", basic("wrong"))],
        [("Authorization", basic(keys.shop)), ("Proxy-Authorization", basic(keys.till))],
        [("X_Api_Key", keys.shop)], [("Authorization", f"Bearer {keys.shop}")],
        [("Authorization", keys.shop)], [("Authorization", "Basic")],
        [("Authorization", basic(""))], [("Authorization", basic("", user=keys.shop))],
        [("Authorization", "Basic " + base64.b64encode(keys.shop.encode()).decode())],
        [("Authorization", "Basic !!!!")], [("Authorization", basic(keys.shop)[:-1] + "!")],
        [("Authorization", basic(keys.shop) + "=")], [("Authorization", basic("k" * 4000))],
        [("X-Api-Key", "k" * 9000)], [("Authorization", basic("a\0" + keys.shop))],
    ]


def test_what_is_wrong_is_not_told(gateway, keys, api):
    details = set()
    for fields in bad_credentials(keys):
        answer = gateway.get("/x", fields)
        assert code(answer) == UNKNOWN, fields
        assert answer.fields.get("WWW-Authenticate") == 'Basic realm="bearerd"'
        assert "Proxy-Authenticate" not in answer.fields.names()
        details.add((answer.problem()["detail"], tuple(answer.fields.names())))
    assert len(details) == 1
    assert not api.requests


def test_an_unknown_caller_learns_nothing_of_routes(gateway):
    for target in ("/x", "/shut/x", "/shut"):
        for method in ("GET", "POST", "OPTIONS", "DELETE"):
            with gateway.client() as client:
                assert code(client.request(method, target, body=b"")) == UNKNOWN
    assert code(gateway.exchange(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")) == UNKNOWN


def test_a_key_with_a_nul_or_a_line_break(gateway, keys, api):
    for value in (b"\0", keys.shop.encode() + b"\0", keys.shop.encode()[:4] + b"\0xyz",
                  keys.shop.encode()[:8] + b"\r " + keys.shop.encode()[8:],
                  keys.shop.encode()[:8] + b"\r\n " + keys.shop.encode()[8:]):
        answer = gateway.exchange(b"GET /x HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: " + value
                                  + b"\r\n\r\n")
        assert answer.status in (400, 401)
    assert not api.requests


@pytest.mark.parametrize("memory, statuses", [("16k", (431,)), ("256k", (401,))])
def test_a_key_of_64_kib(run, routes, keys, memory, statuses):
    gateway = run(routes + keys.sections(), server={"connection_memory": memory})
    for field in (("X-Api-Key", "k" * 65536), ("Authorization", basic("k" * 65536))):
        with gateway.client() as client:
            try:
                assert client.get("/x", [field]).status in statuses
            except ConnectionError:
                assert 431 in statuses  # the library closes while the head is still on its way
    assert gateway.get("/x", [("X-Api-Key", keys.shop)]).status == 200


def test_a_forward_proxy_client_gets_407(run, provider, api, keys):
    gateway = run(provider() + section("route all", {
        "host": "api.example.com", "provider": "idp", "upstream": api.origin}) + keys.sections())
    answer = gateway.get("http://api.example.com/x", host="api.example.com")
    assert code(answer) == (407, "caller_unknown")
    assert answer.fields.get("Proxy-Authenticate") == 'Basic realm="bearerd"'
    assert "WWW-Authenticate" not in answer.fields.names()
    for field in (("Proxy-Authorization", basic(keys.shop)), ("X-Api-Key", keys.shop)):
        assert gateway.get("http://api.example.com/x", [field],
                           host="api.example.com").status == 200


def test_curl_shows_the_key_as_the_proxys_password(run, provider, api, keys):
    gateway = run(provider() + section("route all", {
        "host": "api.example.com", "provider": "idp", "upstream": api.origin}) + keys.sections())
    command = ["curl", "--silent", "--max-time", "20", "--output", "/dev/null",
               "--write-out", "%{http_code}", "--proxy", f"http://127.0.0.1:{gateway.port}",
               "http://api.example.com/x"]
    for options, status in (([], "407"), (["--proxy-user", f"shop:{keys.shop}"], "200"),
                            (["--proxy-user", f"shop:{keys.shop}x"], "407"),
                            (["--proxy-user", f"shop:{keys.shop}", "--proxy-anyauth"], "200")):
        done = subprocess.run(command + options, capture_output=True, text=True, check=True)
        assert done.stdout == status, options
    assert len(api.requests) == 2


def test_what_identified_the_caller_never_travels(gateway, keys, api):
    fields = [("X-Api-Key", keys.shop), ("Authorization", basic(keys.shop)),
              ("Proxy-Authorization", basic(keys.shop)), ("X_Api_Key", keys.shop),
              ("x-api_key", "y"), ("Proxy_Authorization", basic(keys.shop)), ("X-Other", "kept")]
    assert gateway.get("/x", fields).status == 200
    request = api.requests[-1]
    assert keys.shop not in request.head.decode("latin-1")
    names = {name.lower().replace("_", "-") for name in request.fields.names()}
    assert "x-other" in names
    assert not names & {"x-api-key", "proxy-authorization"}
    assert request.fields.get("Authorization").startswith("Bearer ")


def test_where_nobody_has_a_key_the_field_is_the_apis(run, routes, api):
    bearerd = run(routes.replace("callers = till\n", ""))
    assert bearerd.get("/x", [("X-Api-Key", "of-the-api")]).status == 200
    assert api.requests[-1].fields.get("X-Api-Key") == "of-the-api"


def test_200_clients_at_once(gateway, keys):
    def ask(number):
        kind = number % 4
        fields = ([], [("X-Api-Key", keys.shop)], [("Authorization", basic(keys.till))],
                  [("X-Api-Key", "wrong")])[kind]
        return kind, gateway.get("/shut/x" if kind < 3 else "/x", fields).status
    for kind, status in in_parallel(200, ask):
        assert status == (401, 403, 200, 401)[kind]


# --- rights ---------------------------------------------------------------------------------------


def test_a_caller_without_a_right_to_the_route(gateway, keys, api):
    answer = gateway.get("/shut/x", [("X-Api-Key", keys.shop)])
    assert code(answer) == FORBIDDEN
    assert "callers" in answer.problem()["detail"]
    assert not api.requests
    assert gateway.get("/shut/x", [("X-Api-Key", keys.till)]).status == 200
    assert gateway.get("/x", [("X-Api-Key", keys.till)]).status == 200


def test_rights_count_before_limits_of_the_body(run, routes, keys):
    gateway = run(routes.replace("callers = till", "callers = till\nmax_body = 1") + keys.sections())
    assert code(gateway.post("/shut/x", b"long", [("X-Api-Key", keys.shop)])) == FORBIDDEN
    assert gateway.post("/shut/x", b"long", [("X-Api-Key", keys.till)]).status == 413


def test_a_web_page_is_refused_whatever_key_it_has(gateway, keys):
    answer = gateway.get("/x", [("X-Api-Key", keys.shop), ("Origin", "https://evil.example")])
    assert code(answer) == (403, "origin_forbidden")


# --- who it was -----------------------------------------------------------------------------------


def test_logs_and_counters_name_the_caller(gateway, keys):
    gateway.get("/x", [("X-Api-Key", keys.shop)])
    gateway.get("/shut/y", [("X-Api-Key", keys.shop)])
    gateway.get("/z", [("X-Api-Key", "wrong")])
    lines = {line["path"]: line for line in gateway.access_log(3)}
    assert [lines[path]["caller"] for path in ("/x", "/shut/y", "/z")] == ["shop", "shop", "-"]
    assert lines["/x"]["peer"].startswith("127.0.0.1:")
    assert (lines["/z"]["status"], lines["/z"]["error"]) == ("401", "caller_unknown")
    shop, till = json.loads(gateway.admin("/status.json")[2])["callers"]
    assert shop == {"name": "shop", "requests": 2, "by_status": {"200": 1, "403": 1}}
    assert till == {"name": "till", "requests": 0, "by_status": {}}
    metrics = gateway.admin("/metrics")[2].splitlines()
    for line in ('bearerd_caller_requests_total{caller="shop",code="200"} 1',
                 'bearerd_caller_requests_total{caller="shop",code="403"} 1',
                 'bearerd_errors_total{error="caller_unknown"} 1'):
        assert line in metrics
    assert not [line for line in metrics if 'caller="-"' in line or 'code="401"' in line]


# --- unix sockets ---------------------------------------------------------------------------------


def ask_over(path, fields=()):
    with unix_connection(path) as sock:
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        sock.sendall(f"GET /x HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        return wire.read_response(wire.Stream(sock))


@pytest.mark.parametrize("mine, who", [
    ({"unix_uid": os.getuid()}, 200), ({"unix_gid": os.getgid()}, 200),
    ({"unix_uid": os.getuid(), "unix_gid": os.getgid()}, 200),
    ({"unix_uid": os.getuid() + 1}, 401), ({"unix_gid": os.getgid() + 1}, 401),
    ({"unix_uid": os.getuid(), "unix_gid": os.getgid() + 1}, 401),
], ids=str)
def test_the_kernel_tells_who_is_at_the_socket(run, routes, keys, tmp_path, mine, who):
    path = tmp_path / "bearerd.sock"
    gateway = run(routes + keys.sections() + caller("local", **mine),
                  server={"listen": f"unix:{path}"}, wait_for=path)
    assert ask_over(path).status == who
    assert ask_over(path, [("X-Api-Key", keys.shop)]).status == 200
    assert ask_over(path, [("X-Api-Key", "wrong")]).status == 401
    names = [line["caller"] for line in gateway.access_log(3)]
    assert sorted(names) == sorted(["local" if who == 200 else "-", "shop", "-"])


# --- limits ---------------------------------------------------------------------------------------


def test_a_caller_over_its_rate(run, routes, keys):
    gateway = run(routes + keys.sections(rate="2/m", burst="3"))
    shop, till = [("X-Api-Key", keys.shop)], [("X-Api-Key", keys.till)]
    assert [gateway.get("/x", shop).status for _ in range(3)] == [200] * 3
    answer = gateway.get("/x", shop)
    assert code(answer) == (429, "rate_limited")
    assert 1 <= int(answer.fields.get("Retry-After")) <= 30
    assert answer.fields.get("RateLimit-Policy") == '"caller";q=2;w=60'
    assert answer.fields.get("RateLimit") == f'"caller";r=0;t={answer.fields.get("Retry-After")}'
    assert "rate" in answer.problem()["detail"]
    assert gateway.get("/x", till).status == 200
    line = next(line for line in gateway.access_log(5) if line["status"] == "429")
    assert (line["caller"], line["error"]) == ("shop", "rate_limited")
    assert 'caller="shop",code="429"} 1' in gateway.admin("/metrics")[2]


def test_a_rate_is_one_over_all_workers(run, routes, keys):
    """Whatever comes at once and over whichever worker, one burst passes and what time adds."""
    gateway = run(routes + keys.sections(rate="10/m", burst="20"), server={"workers": "4"})
    began = time.monotonic()
    passed = in_parallel(60, lambda _: gateway.get("/x", [("X-Api-Key", keys.shop)]).status)
    assert 20 <= passed.count(200) <= 21 + (time.monotonic() - began) / 6
    assert passed.count(200) + passed.count(429) == 60


def test_a_rate_is_kept_over_a_reload(run, routes, keys):
    gateway = run(routes + keys.sections(rate="1/h", burst="2"))
    shop = [("X-Api-Key", keys.shop)]
    assert gateway.get("/x", shop).status == 200
    reload = Reloading(gateway)
    reload(routes.replace("[route all]", "[route all]\nmax_body = 1m")
           + keys.sections(rate="1/h", burst="2"))
    assert [gateway.get("/x", shop).status for _ in range(2)] == [200, 429]
    reload(routes + keys.sections(rate="1/h", burst="2", api_key_next=f"literal:{keys.next}"))
    assert gateway.get("/x", [("X-Api-Key", keys.next)]).status == 429
    reload(routes + keys.sections(rate="1/h", burst="5"))
    assert gateway.get("/x", shop).status == 200  # another limit begins anew


# --- rotation -------------------------------------------------------------------------------------


def test_a_key_is_rotated_without_a_failed_request(run, routes, keys, tmp_path):
    """As the guide says: the next key, the programs one by one, then the old key goes."""
    now, following = tmp_path / "now", tmp_path / "following"

    def write(path, key):
        path.write_text(key)
        path.chmod(0o600)
    write(now, keys.shop)
    one = caller("shop", api_key=f"file:{now}")
    both = caller("shop", api_key=f"file:{now}", api_key_next=f"file:{following}")
    gateway = run(routes.replace("callers = till", "callers = shop") + one)
    routes = routes.replace("callers = till", "callers = shop")
    reload = Reloading(gateway)
    sent = {number: keys.shop for number in range(4)}
    with Load(gateway, 4, lambda number: [("X-Api-Key", sent[number])]) as load:
        def some_answers():
            before = list(load.answers)
            wait_until(lambda: all(now > then + 2 for now, then in zip(load.answers, before)),
                       "answers to go on", 20)
        some_answers()
        write(following, keys.next)
        reload(routes + both)
        some_answers()
        for number in sent:
            sent[number] = keys.next
            some_answers()
        write(now, keys.next)
        reload(routes + one)
        some_answers()
    assert code(gateway.get("/x", [("X-Api-Key", keys.shop)])) == UNKNOWN


def test_callers_come_and_go(run, routes, keys):
    open_to_all = routes.replace("callers = till\n", "")
    gateway = run(open_to_all)
    reload = Reloading(gateway)
    assert gateway.get("/x").status == 200
    reload(routes + keys.sections())
    assert gateway.get("/x").status == 401
    with gateway.client() as client:
        assert client.get("/x", [("X-Api-Key", keys.shop)]).status == 200
        reload(routes + caller("till", api_key=f"literal:{keys.till}"))
        assert client.get("/x", [("X-Api-Key", keys.shop)]).status == 401
    reload(open_to_all)
    assert gateway.get("/x").status == 200


# --- the configuration ----------------------------------------------------------------------------


def test_mistakes_are_told_without_a_key(configure, routes, keys):
    """A key that two have, one that is short, a caller and a route that lead nowhere."""
    bearerd = configure(routes + caller("shop", api_key=f"literal:{keys.shop}")
                        + caller("copy", api_key=f"literal:{keys.shop}") + caller("none", rate="1/s")
                        + caller("short", api_key="literal:0123456789abcde")
                        + section("route r", {"path": "/r", "provider": "none", "callers": "",
                                              "upstream": "https://a.example"}))
    result = bearerd.check()
    assert result.status == 78
    for words in ("[caller copy] api_key: it is the same as api_key of [caller shop]",
                  "[caller short] api_key: the key is shorter than 16 characters",
                  "[caller none]: nothing tells who this caller is", "there is no [caller till]",
                  "[route r] callers: nobody may use this route"):
        assert words in result.output, words


def test_an_open_listener_is_told_aloud(configure, routes, keys):
    public = {"listen": "0.0.0.0:8080", "admin_listen": "off"}
    alone = configure(routes.replace("callers = till\n", ""), server=public)
    assert "0.0.0.0:8080 is not loopback" in alone.check().output
    asked = configure(routes + keys.sections(), server=public)
    assert "not loopback" not in asked.check().output


def test_the_dump_masks_keys(configure, routes, keys):
    bearerd = configure(routes + keys.sections(api_key_next=f"literal:{keys.next}", rate="10/s"))
    result = bearerd.run_cli("dump", "-c", bearerd.config_path)
    assert "[caller shop]\napi_key = ********\napi_key_next = ********\n" in result.stdout
    assert "rate = 10/s\n" in result.stdout
