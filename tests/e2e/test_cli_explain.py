"""bearerd explain agrees with the proxy: what it says is what the API receives."""

import re

import pytest
from actors import section


@pytest.fixture
def bearerd(run, provider, api, canary):
    secret = canary.secret("api-key")
    return run(provider(header__X_Plain="plain", header_default__X_Default="yes")
               .replace("X_Plain", "X-Plain").replace("X_Default", "X-Default")
               + section("route pay", {"path": "/pay/", "provider": "idp",
                                       "upstream": api.origin + "/v1",
                                       "header.X-Api-Key": "{client_id}", "methods": "GET, POST"})
               + section("route whole", {"path": "/whole", "provider": "idp", "strip_path": "no",
                                         "upstream": api.origin,
                                         "header.X-Api-Key": secret})
               + section("route query", {"path": "/q", "provider": "idp", "inject_in": "query",
                                         "inject_name": "token", "upstream": api.origin}))


def explain(bearerd, method, url):
    return bearerd.run_cli("explain", "-c", bearerd.config_path, method, url)


def received(text):
    """The request line and fields that it says the API receives."""
    lines = text.partition("the API receives\n")[2].strip().splitlines()
    return lines[0].strip(), [tuple(line.strip().split(": ", 1)) for line in lines[1:]]


@pytest.mark.parametrize("method,url", [
    ("GET", "/pay/orders/1?a=%20b&c"), ("POST", "/pay/"), ("GET", "/pay"), ("GET", "/pay?x"),
    ("GET", "/whole/a//b"), ("DELETE", "/whole"),
])
def test_it_agrees_with_the_proxy(bearerd, api, method, url):
    result = explain(bearerd, method, url)
    assert result.status == 0
    line, fields = received(result.stdout)
    with bearerd.client() as client:
        answer = client.request(method, url, [("Accept", "*/*")])
    assert answer.status == 200
    seen = api.requests[-1]
    assert line == f"{seen.method} {seen.target} HTTP/1.1"
    masked = {"Authorization": "Bearer ****", "X-Api-Key": "****",
              "X-Request-Id": "(made by bearerd)"}
    assert fields == [(name, masked.get(name, value)) for name, value in seen.fields]


@pytest.mark.parametrize("url", ["/pay/x?y=1", "http://127.0.0.1:8080/pay/x?y=1",
                                 "http://localhost/pay/x?y=1", "https://localhost/pay/x?y=1"])
def test_forms_of_a_url(bearerd, api, url):
    result = explain(bearerd, "GET", url)
    assert result.status == 0
    assert f"upstream  {api.origin}/v1/x?y=1\n" in result.stdout
    assert "route     pay:" in result.stdout


@pytest.mark.parametrize("method,url", [
    ("GET", "/other"), ("DELETE", "/pay/x"), ("GET", "/pay/../x"), ("GET", "/pay/%2e%2e/x"),
    ("TRACE", "/pay"), ("GET", "http://elsewhere.example/pay"),
])
def test_refusals_agree_with_the_proxy(bearerd, method, url):
    result = explain(bearerd, method, url)
    assert result.status == 1 and result.stdout == ""
    host = "elsewhere.example" if "elsewhere" in url else None
    with bearerd.client() as client:
        answer = client.request(method, url, host=host)
    problem = answer.problem()
    assert f"would get {answer.status} {problem['code']}: {problem['detail']}" in result.stderr


def test_a_token_in_the_query(bearerd, api, idp):
    line, fields = received(explain(bearerd, "GET", "/q/x?token=mine&a=b").stdout)
    assert line == "GET /x?a=b&token=**** HTTP/1.1"
    assert "Authorization" not in dict(fields)
    assert idp.count == 0 and not api.requests


def test_nothing_is_sent_and_nothing_shown(bearerd, api, idp, canary):
    for url in ("/pay/x", "/whole", "/q"):
        assert not canary.leaks(explain(bearerd, "GET", url).output.encode())
    assert idp.count == 0 and not api.requests


def test_what_may_be_sent_twice(bearerd):
    text = explain(bearerd, "POST", "/pay").stdout
    assert re.search(r"^replay +yes.*401.*64 KiB", text, re.MULTILINE)
    assert re.search(r"^repeat +no", text, re.MULTILINE)
    assert re.search(r"^repeat +yes", explain(bearerd, "GET", "/pay").stdout, re.MULTILINE)


# --- what a running instance has ------------------------------------------------------------------


def test_the_live_token(bearerd, idp):
    def line():
        text = explain(bearerd, "GET", "/pay/x").stdout
        return re.search(r"^token +(.*)$", text, re.MULTILINE)[1]
    assert line() == "the running instance has none yet; the first request makes it ask for one"
    assert bearerd.get("/pay/x").status == 200
    assert re.fullmatch(r"the running instance has one, good for (60|59) min of 60 min; "
                        r"it is renewed in \d+ min", line())
    idp.always(idp.answer(401, {"error": "invalid_client"}))
    assert bearerd.admin("/providers/idp/token", "DELETE")[0] == 204
    assert bearerd.get("/pay/x").status == 502
    assert re.fullmatch(r"the running instance has none; the last attempt failed: "
                        r"status 401: invalid_client; the next may begin in \d+ s", line())


def test_without_an_instance(bearerd):
    before = explain(bearerd, "GET", "/pay/x").stdout
    bearerd.stop()
    result = explain(bearerd, "GET", "/pay/x")
    assert result.status == 0 and result.stderr == ""
    assert f"not known: no instance answers on 127.0.0.1:{bearerd.admin_port}\n" in result.stdout
    assert len(before.splitlines()) == len(result.stdout.splitlines())
