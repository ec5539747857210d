"""RFC 9110 7.6.3: a request that goes in circles ends, and says so (RFC 9209 2.3.16)."""

import pytest
from actors import replying, section

HOPS = 8
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_a_route_that_leads_back_here(configure):
    bearerd = configure()
    bearerd.write_config(section("route all", {"provider": "none", "strip_path": "no",
                                               "upstream": f"http://127.0.0.1:{bearerd.port}"}))
    bearerd.start()
    for method in ("GET", "POST"):
        with bearerd.client() as client:
            answer = client.request(method, "/x", body=b"{}")
        assert (answer.status, answer.problem()["code"]) == (508, "loop_detected")
        assert answer.fields.all("Proxy-Status") == ["bearerd; error=proxy_loop_detected"]
        assert "upstream" in answer.problem()["detail"]
    assert len(bearerd.access_log(2 * (HOPS + 1))) == 2 * (HOPS + 1)


def test_two_that_lead_to_each_other(configure):
    one, other = configure(), configure()
    for here, there in ((one, other), (other, one)):
        here.write_config(section("route all", {"provider": "none",
                                                "upstream": f"http://127.0.0.1:{there.port}"}))
        here.start()
    assert one.get("/x").status == 508


@pytest.mark.parametrize("via,status", [
    (["1.1 bearerd"] * (HOPS - 1), 200), (["1.1 bearerd"] * HOPS, 508),
    ([", ".join(["1.0 bearerd", "1.1 other"] * HOPS)], 508),
    (["HTTP/1.1 BEARERD (comment)"] * HOPS, 508), (["1.1  bearerd "] * HOPS, 508),
    (["1.1 bearerd.example, 1.1 notbearerd, bearerd, 1.1 x (bearerd)"] * HOPS, 200),
])
def test_what_counts_as_a_hop(run, upstream, via, status):
    api = upstream(replying(OK))
    bearerd = run(section("route all", {"provider": "none", "upstream": api.origin}))
    assert bearerd.get("/x", [("Via", value) for value in via]).status == status
    assert len(api.requests) == (status == 200)
