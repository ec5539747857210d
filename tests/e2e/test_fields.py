"""What of a client's head reaches the upstream: everything that is not ours to change."""

import pytest
from actors import replying, section

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def send(run, provider, upstream):
    """Sends exact bytes; returns what the API received."""
    def send(data, server=None, method="GET"):
        api = upstream(replying(OK))
        bearerd = run(provider() + section("route all", {"provider": "idp",
                                                         "upstream": api.origin}), server=server)
        answer = bearerd.exchange(data.replace(b"HOST", b"127.0.0.1:%d" % bearerd.port), method)
        assert answer.status == 200, answer
        return api.requests[0]
    return send


def get(*lines):
    return b"\r\n".join((b"GET /x HTTP/1.1", b"Host: HOST") + lines + (b"", b""))


OURS = {"Host", "Authorization", "Via", "X-Request-Id"}


def theirs(request):
    return [(name, value) for name, value in request.fields if name not in OURS]


def test_nothing_is_added_but_ours(send):
    """No User-Agent, Accept or Accept-Encoding of our own."""
    assert set(send(get()).fields.names()) <= OURS
    assert theirs(send(get())) == []


def test_order_case_and_bytes(send):
    lines = [b"accept: */*", b"ACCEPT-Encoding: gzip;q=0.5, br", b"X-Multi: 1", b"x-multi: 2",
             b"X-Multi: 1", b"Cookie: a=b; c=\"d e\"", b"X-Odd!#$%&'*+-.^_`|~: ok",
             b"X-Latin: caf\xe9 \xff", b"X-Punct: ()<>@,;:\\\"/[]?={}", b"X-Tab: a\tb",
             b"User-Agent: legacy/1.0 (x; y)", b"Range: bytes=0-1", b"If-None-Match: \"a\", W/\"b\"",
             b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
             b"X-Very-Long: " + b"v" * 4000]
    request = send(get(*lines))
    expected = [tuple(line.decode("latin-1").split(": ", 1)) for line in lines]
    assert theirs(request) == expected


def test_white_space_around_a_value(send):
    assert send(get(b"X-A: \t b c \t ")).fields.get("X-A") == "b c"
    assert send(get(b"X-A:b")).fields.get("X-A") == "b"


def test_an_empty_value_passes(send):
    assert send(get(b"X-Empty:", b"X-After: 1")).fields.get("X-Empty") == ""


def test_hop_by_hop_fields_stay_here(send):
    request = send(get(b"Connection: keep-alive, X-Hop, x-hop2", b"Keep-Alive: timeout=5",
                       b"Proxy-Connection: keep-alive", b"TE: trailers", b"Trailer: X-T",
                       b"Upgrade: websocket", b"X-Hop: 1", b"X-HOP2: 2", b"X-Stays: 3",
                       b"Proxy-Authenticate: Basic"))
    assert theirs(request) == [("X-Stays", "3")]


def test_several_connection_fields(send):
    request = send(get(b"Connection: X-A", b"X-A: 1", b"connection: X-B", b"X-B: 2", b"X-C: 3"))
    assert theirs(request) == [("X-C", "3")]


def test_the_hosts_name_is_the_upstreams(send):
    request = send(get(b"X-Forwarded-Host: kept.example"))
    assert request.fields.get("Host").startswith("127.0.0.1:")
    assert request.fields.get("X-Forwarded-Host") == "kept.example"


def test_via_is_appended(send):
    values = send(get(b"Via: 1.0 fred, 1.1 p.example.net")).fields.all("Via")
    assert ", ".join(values) == "1.0 fred, 1.1 p.example.net, 1.1 bearerd"


def test_via_off(send):
    assert "Via" not in send(get(), server={"via": "off"}).fields


def test_http_1_0(send):
    request = send(b"GET /x HTTP/1.0\r\nHost: HOST\r\nX-A: 1\r\n\r\n")
    assert request.version == "1.1"
    assert request.fields.get("X-A") == "1"
    assert request.fields.get("Via") == "1.0 bearerd"


def test_http_1_0_without_a_host(run, provider, upstream):
    """Only HTTP/1.1 must name one."""
    api = upstream(replying(OK))
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    assert bearerd.exchange(b"GET /x HTTP/1.0\r\n\r\n").status in (200, 421)


def test_a_request_id_passes(send):
    assert send(get(b"X-Request-Id: abc-1")).fields.get("X-Request-Id") == "abc-1"


@pytest.mark.parametrize("line", [b"X-Request-Id: a b", b"X-Request-Id: a\"b", b"X-Request-Id: caf\xe9",
                                  b"X-Request-Id:", b"X-Request-Id: " + b"a" * 3000])
def test_a_request_id_that_is_not_fit_is_made_anew(run, provider, upstream, line):
    """One only, in logs, at the API and in the answer."""
    api = upstream(replying(OK))
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    answer = bearerd.exchange(get(line).replace(b"HOST", b"127.0.0.1"))
    sent, = api.requests[0].fields.all("X-Request-Id")
    assert sent == answer.fields.get("X-Request-Id")
    assert sent.isalnum() and sent.encode() not in line
    assert bearerd.access_log(1)[0]["request_id"] == sent


def test_max_forwards_is_counted_down(send):
    request = send(b"OPTIONS /x HTTP/1.1\r\nHost: HOST\r\nMax-Forwards: 7\r\n\r\n")
    assert request.fields.get("Max-Forwards") == "6"


def test_request_trailers_are_dropped(send):
    request = send(b"POST /x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n"
                   b"Trailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\nAuthorization: evil\r\n\r\n")
    assert request.body == b"abc"
    assert not request.trailers
    assert "X-T" not in request.fields


def test_empty_lines_before_the_request(send):
    assert send(b"\r\n\r\n" + get()).target == "/x"
