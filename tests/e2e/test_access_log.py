"""One line per exchange: enough to understand it, and never a header value, query or body."""

import pytest
from actors import section


@pytest.fixture(params=["text", "json"])
def proxy(request, run, provider, api):
    return run(provider() + section("route pay", {"path": "/pay", "provider": "idp",
                                                  "upstream": api.origin}),
               server={"log_format": request.param})


def test_a_line_per_exchange(proxy, api):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    proxy.post("/pay/orders?card=4111111111111111", b"body-of-the-request",
               [("X-Secret", "value-of-a-field"), ("X-Request-Id", "req-1"),
                ("traceparent", trace)])
    proxy.get("/nowhere?q=4111")
    lines = {line["path"]: line for line in proxy.access_log(2)}  # two workers, any order
    first, second = lines["/pay/orders"], lines["/nowhere"]
    text = proxy.stdout_bytes.decode()
    for word in ("POST", "/pay/orders", "pay", "idp", "200", "req-1",
                 "0af7651916cd43dd8448eb211c80319c"):
        assert word in str(first), word
    for word in ("GET", "/nowhere", "404", "no_route"):
        assert word in str(second), word
    for hidden in ("4111", "card=", "body-of-the-request", "value-of-a-field"):
        assert hidden not in text


def test_a_path_cannot_forge_a_line(proxy):
    proxy.get('/pay/%0aGET%20/forged"x=1"')
    assert len(proxy.access_log(1)) == 1


def test_it_may_go_to_a_file(run, provider, api, tmp_path):
    path = tmp_path / "access.log"
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
                  server={"access_log": str(path)})
    assert bearerd.get("/x").status == 200
    bearerd.stop()
    assert "/x" in path.read_text()
    assert bearerd.stdout_bytes == b""


def test_it_may_be_off(run, provider, api):
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
                  server={"access_log": "off"})
    assert bearerd.get("/x").status == 200
    bearerd.stop()
    assert bearerd.stdout_bytes == b""


def test_a_client_that_left_has_its_line(proxy, idp):
    idp.hold()
    client = proxy.client()
    client.send(client.head("GET", "/pay/left"))
    idp.wait_requests(1)
    client.reset()
    line, = proxy.access_log(1)
    assert "/pay/left" in str(line)
    idp.release()
