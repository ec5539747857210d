"""Which route a request takes, and what of its target reaches the upstream."""

import subprocess

import pytest
from actors import section


@pytest.fixture
def routes(run, provider, api):
    """Starts bearerd with routes given as dicts; `upstream` may be a path on the echo API."""
    def start(*routes, **options):
        text = provider()
        for number, keys in enumerate(routes):
            keys = {"provider": "idp", "upstream": "", **keys}
            if keys["upstream"].startswith("/") or not keys["upstream"]:
                keys["upstream"] = api.origin + keys["upstream"]
            text += section(f"route r{number}", keys)
        return run(text, **options)
    return start


def target(answer):
    assert answer.status == 200, answer
    return answer.json()["target"]


def test_a_prefix_matches_whole_segments(routes, api):
    bearerd = routes({"path": "/p", "upstream": "/a"})
    assert target(bearerd.get("/p/x")) == "/a/x"
    assert target(bearerd.get("/p")) == "/a"
    for stranger in ("/pevil", "/pevil/x", "/p1", "/", "/P/x", "/%70evil"):
        answer = bearerd.get(stranger)
        assert (answer.status, answer.problem()["code"]) == (404, "no_route"), stranger
    assert len(api.requests) == 2


def test_a_slash_at_the_end_of_a_prefix_changes_nothing(routes):
    bearerd = routes({"path": "/p/", "upstream": "/a"})
    assert target(bearerd.get("/p/x")) == "/a/x"
    assert target(bearerd.get("/p")) == "/a"
    assert bearerd.get("/pevil").status == 404


def test_the_longest_prefix_wins(routes):
    bearerd = routes({"path": "/", "upstream": "/whole"}, {"path": "/a/b/c", "upstream": "/abc"},
                     {"path": "/a", "upstream": "/just-a"}, {"path": "/a/b", "upstream": "/ab"})
    assert target(bearerd.get("/a/b/c/x")) == "/abc/x"
    assert target(bearerd.get("/a/b/x")) == "/ab/x"
    assert target(bearerd.get("/a/bc")) == "/just-a/bc"
    assert target(bearerd.get("/z")) == "/whole/z"
    assert target(bearerd.get("/")) == "/whole"


@pytest.mark.parametrize("base,asked,sent", [
    ("", "/p/x", "/x"), ("/", "/p/x", "/x"), ("/v1", "/p/x", "/v1/x"), ("/v1/", "/p/x", "/v1/x"),
    ("", "/p", "/"), ("/", "/p", "/"), ("/v1", "/p", "/v1"), ("/v1/", "/p", "/v1/"),
    ("/v1", "/p/", "/v1"), ("/v1/", "/p/", "/v1/"), ("/v1", "/p?q=1", "/v1?q=1"),
    ("/v1", "/p/?q=1", "/v1?q=1"), ("/v1/", "/p/x/", "/v1/x/"),
])
def test_exactly_one_slash_between(routes, base, asked, sent):
    """And the base as it is where nothing follows: /p/ and /p are the same."""
    assert target(routes({"path": "/p/", "upstream": base}).get(asked)) == sent


def test_the_prefix_may_stay(routes):
    bearerd = routes({"path": "/p", "upstream": "/v1/", "strip_path": "no"})
    assert target(bearerd.get("/p/x?y")) == "/v1/p/x?y"
    assert target(bearerd.get("/p")) == "/v1/p"


def test_path_and_query_byte_for_byte(routes):
    bearerd = routes({"path": "/p", "upstream": "/a"})
    for rest in ("/a%20b;x=1,2:@$!~*'()", "/%41%2d%C3%A4", "/x?a=%zz&&b=%2F&c={}|^`\"<>",
                 "/x?", "/x?/p/../y?z", "/x?http://evil.example/@", "/100%25", "/a+b?a+b"):
        assert target(bearerd.get("/p" + rest)) == "/a" + rest


def test_a_host_beats_no_host(routes):
    bearerd = routes({"path": "/deep/path", "upstream": "/any"},
                     {"host": "api.example.com", "upstream": "/named"},
                     {"host": "*.example.org", "upstream": "/wild"},
                     {"host": "www.example.org", "upstream": "/exact"})
    assert target(bearerd.get("/deep/path/x", host="api.example.com")) == "/named/deep/path/x"
    assert target(bearerd.get("/x", host="API.Example.COM:8080")) == "/named/x"
    assert target(bearerd.get("/x", host="shop.example.org")) == "/wild/x"
    assert target(bearerd.get("/x", host="www.example.org")) == "/exact/x"
    assert target(bearerd.get("/deep/path/x")) == "/any/x"
    assert bearerd.get("/x").status == 404


def test_a_wildcard_stands_for_at_least_one_label(routes):
    bearerd = routes({"host": "*.example.org", "upstream": "/wild"}, server={"accept_hosts": "*"})
    for stranger in ("example.org", "evilexample.org", "example.org.evil.test"):
        assert bearerd.get("/x", host=stranger).status == 404, stranger


def test_other_methods_get_405(routes, api):
    bearerd = routes({"path": "/p", "methods": "GET, POST"})
    assert bearerd.get("/p/x").status == 200
    with bearerd.client() as client:
        answer = client.request("DELETE", "/p/x")
        assert (answer.status, answer.problem()["code"]) == (405, "method_not_allowed")
        assert [one.strip() for one in answer.fields.get("Allow").split(",")] == ["GET", "POST"]
        assert client.get("/p/x").status == 200
    assert len(api.requests) == 2


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
def test_any_method_passes(routes, method):
    with routes({}).client() as client:
        assert client.request(method, "/x").json()["method"] == method


def test_no_route_says_what_to_do(routes, api, idp):
    problem = routes({"path": "/p"}).get("/q").problem()
    assert problem["code"] == "no_route"
    assert "route" in problem["detail"]
    assert not api.requests and not idp.requests


def test_an_absolute_target(routes):
    bearerd = routes({"host": "api.example.com", "upstream": "/v1"})
    for scheme in ("http", "https", "HTTP"):
        answer = bearerd.get(f"{scheme}://api.example.com/x?y=1", host="api.example.com")
        assert target(answer) == "/v1/x?y=1"
    assert target(bearerd.get("http://api.example.com:80/x", host="api.example.com:80")) == "/v1/x"
    assert target(bearerd.get("http://API.example.com", host="API.example.com")) in ("/v1", "/v1/")
    assert target(bearerd.get("http://api.example.com?q", host="api.example.com")) in (
        "/v1?q", "/v1/?q")


def test_an_absolute_target_beats_the_host_field(routes):
    bearerd = routes({"host": "api.example.com", "upstream": "/named"},
                     {"host": "other.example.com", "upstream": "/other"})
    answer = bearerd.get("http://api.example.com/x", host="other.example.com")
    assert answer.status in (200, 400), answer
    if answer.status == 200:
        assert target(answer) == "/named/x"


def test_an_absolute_target_without_a_route(routes, api, idp):
    bearerd = routes({"host": "api.example.com"})
    for stranger in ("http://evil.example/x", "http://api.example.com@evil.example/x",
                     "http://api.example.com.evil.example/x", "http://evil@api.example.com/x",
                     "ftp://api.example.com/x", "http:///x", "http://"):
        answer = bearerd.get(stranger, host="api.example.com")
        assert answer.status in (400, 404, 421), (stranger, answer)
    assert not api.requests and not idp.requests


def test_a_program_with_http_proxy(routes):
    """What DEVELOPERS do: point http_proxy here and keep the API's own name."""
    bearerd = routes({"host": "api.example.com", "upstream": "/v1"})
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "http://api.example.com/x?y=1"],
                          env={"http_proxy": f"http://127.0.0.1:{bearerd.port}", "PATH": "/usr/bin"},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"target": "/v1/x?y=1"' in done.stdout
