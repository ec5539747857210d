"""The API's answer comes through as it is: status, fields, body and framing."""

import threading
import urllib.parse

import pytest
from actors import Upstream, replying, section


@pytest.fixture
def ask(run, provider, upstream):
    """Lets the upstream answer these bytes; returns what the client gets."""
    def ask(data, method="GET", target="/p/x", fields=(), close=False, **route):
        def script(peer):
            while peer.read_request() is not None:
                peer.send(data)
                if close:
                    return peer.cut()
        api = upstream(script)
        settings = {"path": "/p", "provider": "idp", "upstream": api.origin + "/v1", **route}
        bearerd = run(provider() + section("route p", settings))
        ask.api, ask.bearerd = api, bearerd
        with bearerd.client() as client:
            answer = client.request(method, target, fields)
            if answer.fields.get("Connection") != "close":  # it is still in step
                assert client.request(method, target, fields).status == answer.status
        return answer
    return ask


OURS = {"X-Request-Id", "Connection", "Date", "Keep-Alive", "Via"}


def theirs(answer):
    return [(name, value) for name, value in answer.fields if name not in OURS]


@pytest.mark.parametrize("status", [200, 201, 202, 206, 226, 299, 300, 400, 402, 403, 404, 409, 410,
                                    418, 422, 429, 451, 500, 501, 502, 503, 504, 507, 599])
def test_any_final_status_passes_unchanged(ask, status):
    answer = ask(b"HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\nContent-Length: 8\r\n"
                 b"\r\n{\"a\": 1}" % status)
    assert (answer.status, answer.body) == (status, b'{"a": 1}')
    assert answer.fields.get("Content-Type") == "application/json"
    assert "Proxy-Status" not in answer.fields


def test_order_case_and_duplicates(ask):
    lines = [b"Server: api/1", b"set-cookie: a=1; Path=/", b"X-A: 1", b"Set-Cookie: b=2",
             b"x-a: 2", b"SET-COOKIE: c=3, d", b"Content-Type: text/plain; charset=x",
             b"WWW-Authenticate: Basic realm=\"x\", Bearer", b"ETag: W/\"x\"", b"X-Latin: caf\xe9",
             b"Cache-Control: no-store", b"Content-Length: 2", b"X-Last: 1"]
    answer = ask(b"\r\n".join([b"HTTP/1.1 200 OK"] + lines) + b"\r\n\r\nok")
    expected = [tuple(line.decode("latin-1").split(": ", 1)) for line in lines]

    def without_length(pairs):
        return [(n, v) for n, v in pairs if n.lower() != "content-length"]
    assert without_length(theirs(answer)) == without_length(expected)
    assert answer.fields.all("Content-Length") == ["2"]


def test_the_apis_date_is_the_only_one(ask):
    answer = ask(b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                 b"Content-Length: 0\r\n\r\n")
    assert answer.fields.all("Date") == ["Sun, 06 Nov 1994 08:49:37 GMT"]


def test_hop_by_hop_fields_stay_here(ask):
    answer = ask(b"HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\n"
                 b"Keep-Alive: timeout=1\r\nProxy-Connection: keep-alive\r\nTrailer: X-T\r\n"
                 b"Upgrade: h2c\r\nX-Stays: 1\r\nContent-Length: 0\r\n\r\n")
    names = {name.lower() for name in answer.fields.names()}
    assert not names & {"x-hop", "proxy-connection", "trailer", "upgrade"}
    assert answer.fields.get("Keep-Alive") != "timeout=1"
    assert answer.fields.get("X-Stays") == "1"


def test_an_empty_reason(ask):
    assert ask(b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok").body == b"ok"
    assert ask(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok").body == b"ok"


# --- bodies ---------------------------------------------------------------------------------------


def test_an_empty_body(ask):
    answer = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert (answer.body, answer.fields.get("Content-Length")) == (b"", "0")


def test_a_length_stays_a_length(ask):
    answer = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    assert (answer.framing, answer.body) == ("length", b"hello")


def test_a_chunked_body(ask):
    """All at hand at once, its length may be said instead."""
    answer = ask(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"5;ext=\"x\"\r\nhello\r\n1\r\n \r\n005\r\nworld\r\n0\r\nX-Trailer: 1\r\n\r\n")
    assert answer.framing in ("chunked", "length")
    assert answer.body == b"hello world"
    assert "X-Trailer" not in answer.trailers + answer.fields


def in_two_pieces(first, second):
    """A script whose second piece comes only when the client has the first."""
    seen = threading.Event()

    def script(peer):
        while peer.read_request() is not None:
            seen.clear()
            peer.send(first)
            peer.wait(seen)
            peer.send(second)
    return script, seen


CHUNKED = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
           b"6\r\n world\r\n0\r\n\r\n")


def test_chunks_that_come_one_by_one(run, provider, upstream):
    script, seen = in_two_pieces(*CHUNKED)
    api = upstream(script)
    bearerd = run(provider() + section("route p", {"provider": "idp", "upstream": api.origin}))
    with bearerd.client() as client:
        for _ in range(3):
            client.send(client.head("GET", "/x"))
            assert client.read_head().fields.get("Transfer-Encoding") == "chunked"
            assert client.stream.line() + client.stream.line() == b"5\r\nhello\r\n"
            seen.set()
            rest = [client.stream.line() for _ in range(4)]
            assert b"".join(rest) == b"6\r\n world\r\n0\r\n\r\n"


def test_an_empty_chunked_body(ask):
    answer = ask(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert answer.body == b""


def test_a_body_that_ends_with_the_connection(ask):
    answer = ask(b"HTTP/1.1 200 OK\r\n\r\nall of it", close=True)
    assert answer.body == b"all of it"
    assert answer.framing == "chunked"


def test_http_1_0_upstream(ask):
    assert ask(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", close=True).body == b"ok"


def test_http_1_0_client_gets_no_chunks(run, provider, upstream):
    script, seen = in_two_pieces(*CHUNKED)
    api = upstream(script)
    bearerd = run(provider() + section("route p", {"provider": "idp", "upstream": api.origin}))
    with bearerd.client() as client:
        client.send(b"GET /x HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        head = client.read_head()
        assert "Transfer-Encoding" not in head.fields and "Content-Length" not in head.fields
        seen.set()
        assert client.read_rest() == b"hello world"


def test_a_compressed_body_is_not_touched(ask):
    body = bytes(range(256)) * 10
    answer = ask(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2560\r\n\r\n" + body)
    assert answer.body == body
    assert answer.fields.get("Content-Encoding") == "br"


def test_body_in_many_small_pieces(run, provider, upstream):
    def script(peer):
        peer.read_request()
        peer.send_pieces(b"HTTP/1.", b"1 200 ", b"OK\r", b"\nContent-Le", b"ngth: 6\r\n\r", b"\nab",
                         b"c", b"def", pause=0.01)
        peer.stall()
    api = upstream(script)
    bearerd = run(provider() + section("route p", {"provider": "idp", "upstream": api.origin}))
    assert bearerd.get("/x").body == b"abcdef"


# --- no body --------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
                                     b""], ids=["length", "chunked", "none"])
def test_head(ask, framing):
    answer = ask(b"HTTP/1.1 200 OK\r\nX-A: 1\r\n" + framing + b"\r\n", "HEAD")
    assert (answer.status, answer.body, answer.fields.get("X-A")) == (200, b"", "1")
    if b"Length" in framing:
        assert answer.fields.get("Content-Length") == "5"


def test_204(ask):
    answer = ask(b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n", "DELETE")
    assert (answer.status, answer.fields.get("X-A")) == (204, "1")
    assert answer.fields.get("Connection") != "close"


@pytest.mark.parametrize("length", [b"Content-Length: 5\r\n", b""], ids=["length", "none"])
def test_304(ask, length):
    answer = ask(b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n" + length + b"\r\n")
    assert (answer.status, answer.fields.get("ETag")) == (304, '"a"')


# --- interim answers ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 16])
def test_interim_answers_are_swallowed(ask, count):
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    answer = ask(interim * count + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert (answer.status, answer.body) == (200, b"ok")
    assert "Link" not in answer.fields


def test_too_many_interim_answers(run, provider, upstream):
    api = upstream(replying(b"HTTP/1.1 102 Processing\r\n\r\n" * 17
                            + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    bearerd = run(provider() + section("route p", {"provider": "idp", "upstream": api.origin}))
    answer = bearerd.get("/x")
    assert (answer.status, answer.problem()["code"]) == (502, "upstream_protocol")


# --- redirects ------------------------------------------------------------------------------------


def location(answer, bearerd):
    """Where a client would go, as a path on the proxy, or the whole address if elsewhere."""
    base = f"http://127.0.0.1:{bearerd.port}"
    url = urllib.parse.urljoin(base + "/p/x", answer.fields.get("Location"))
    return url.removeprefix(base)


def redirect(place):
    return b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % place.encode()


def test_a_location_inside_the_upstream_points_back(run, provider, upstream):
    places = []

    def script(peer):
        while peer.read_request() is not None:
            peer.send(redirect(places[-1]))
    api = upstream(script)
    bearerd = run(provider() + section("route p", {"path": "/p", "provider": "idp",
                                                   "upstream": api.origin + "/v1"}))
    for place, expected in [
            (api.origin + "/v1/orders/7?x=%zz#y", "/p/orders/7?x=%zz#y"),
            (api.origin + "/v1", "/p"), ("/v1/orders", "/p/orders"),
            (api.origin + "/other", api.origin + "/other"),
            (api.origin + "/v1evil", api.origin + "/v1evil"),
            ("https://elsewhere.example/v1/a", "https://elsewhere.example/v1/a"),
            ("http://127.0.0.1.evil.example/v1/a", "http://127.0.0.1.evil.example/v1/a")]:
        places.append(place)
        answer = bearerd.get("/p/x")
        assert answer.status == 302
        assert location(answer, bearerd).rstrip("/") == expected, place


def test_a_location_may_stay(ask):
    answer = ask(redirect("/v1/orders"), rewrite_location="no")
    assert answer.fields.get("Location") == "/v1/orders"


def test_a_redirect_is_never_followed(ask, stage):
    elsewhere = stage.add(Upstream())
    answer = ask(redirect(elsewhere.origin + "/steal"))
    assert answer.status == 302
    assert elsewhere.accepted == 0
