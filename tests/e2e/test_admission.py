"""Ambiguous or malformed requests are refused before anything is forwarded: bytes in, 400 out."""


import pytest
from actors import section

HOST = b"Host: 127.0.0.1\r\n"


def get(*lines, target=b"/x", version=b"HTTP/1.1"):
    return b"GET " + target + b" " + version + b"\r\n" + HOST + b"".join(
        line + b"\r\n" for line in lines) + b"\r\n"


def post(*lines, body=b""):
    return b"POST /x HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + (
        b"\r\n" + body)


CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"
SMUGGLED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

AMBIGUOUS = {
    "no Host": b"GET /x HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /x HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "two different Hosts": b"GET /x HTTP/1.1\r\n" + HOST + b"Host: evil\r\n\r\n",
    "two lengths": post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "two different lengths": post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello!"),
    "length and chunked": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=CHUNKED),
    "chunked and length": post(b"Transfer-Encoding: chunked", b"Content-Length: 6", body=SMUGGLED),
    "xchunked": post(b"Transfer-Encoding: xchunked", body=CHUNKED),
    "chunked twice": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked",
                          body=CHUNKED),
    "chunked, chunked": post(b"Transfer-Encoding: chunked, chunked", body=CHUNKED),
    "gzip, chunked": post(b"Transfer-Encoding: gzip, chunked", body=CHUNKED),
    "chunked, identity": post(b"Transfer-Encoding: chunked, identity", body=CHUNKED),
    "identity": post(b"Transfer-Encoding: identity", b"Content-Length: 5", body=b"hello"),
    "an empty coding": post(b"Transfer-Encoding:", body=CHUNKED),
    "a quoted coding": post(b"Transfer-Encoding: \"chunked\"", body=CHUNKED),
    "chunked;x": post(b"Transfer-Encoding: chunked;x=1", body=CHUNKED),
    "a vertical tab": post(b"Transfer-Encoding: \x0bchunked", body=CHUNKED),
    "a coding in HTTP/1.0": b"POST /x HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
                            + CHUNKED,
    "space before the colon": post(b"Transfer-Encoding : chunked", body=CHUNKED),
    "tab before the colon": post(b"Content-Length\t: 5", body=b"hello"),
    "space in a name": get(b"X A: 1"),
    "space before a name": get(b" X-A: 1"),
    "parenthesis in a name": get(b"X(A): 1"),
    "slash in a name": get(b"X/A: 1"),
    "an 8-bit name": get(b"X-\xe9: 1"),
    "NUL in a name": get(b"X\x00A: 1"),
    "an empty name": get(b": 1"),
    "no colon": get(b"X-A"),
    "NUL in a value": get(b"X-A: a\x00b"),
    "bare CR in a value": get(b"X-A: a\rb"),
    "CR at the end of a value": get(b"X-A: a\r"),
    "bare LF after a value": b"GET /x HTTP/1.1\r\n" + HOST + b"X-A: 1\nX-B: 2\r\n\r\n",
    "a folded value": get(b"X-A: 1", b" 2"),
    "a folded value by tab": get(b"X-A: 1", b"\t2"),
    "a folded coding": post(b"Transfer-Encodin: chunked", b" g", body=CHUNKED),
    "a folded length": post(b"Content-Length:", b" 5", body=b"hello"),
    "a fold before all fields": b"GET /x HTTP/1.1\r\n " + HOST + b"\r\n",
    "a NUL in the target": get(target=b"/x\x00y"),
    "a tab in the target": get(target=b"/x\ty"),
    "a control byte in the target": get(target=b"/x\x01y"),
    "DEL in the target": get(target=b"/x\x7fy"),
    "an 8-bit target": get(target=b"/caf\xe9"),
    "a space in the target": get(target=b"/x y"),
    "a backslash": get(target=b"/x\\y"),
    "a relative target": get(target=b"x"),
    "a fragment": get(target=b"/x#y"),
    "a fragment of an absolute target": get(target=b"http://127.0.0.1/x#y"),
    "an encoded NUL": get(target=b"/a%00b"),
    "an empty Host": b"GET /x HTTP/1.1\r\nHost:\r\n\r\n",
    "a Host with a path": b"GET /x HTTP/1.1\r\nHost: 127.0.0.1/x\r\n\r\n",
    "a Host with userinfo": b"GET /x HTTP/1.1\r\nHost: a@127.0.0.1\r\n\r\n",
    "a Host list": b"GET /x HTTP/1.1\r\nHost: 127.0.0.1, evil\r\n\r\n",
}

# libmicrohttpd 0.9.75 refuses these itself, before it asks anybody: with words of its own.
BAD_LENGTHS = {
    "two lengths in one": post(b"Content-Length: 5, 5", body=b"hello"),
    "a signed length": post(b"Content-Length: +5", body=b"hello"),
    "a negative length": post(b"Content-Length: -1"),
    "a hex length": post(b"Content-Length: 0x5", body=b"hello"),
    "an empty length": post(b"Content-Length:"),
    "a length with words": post(b"Content-Length: 5 bytes", body=b"hello"),
    "a length too long": post(b"Content-Length: 99999999999999999999"),
}

CLIMBING = [b"/..", b"/../x", b"/a/..", b"/a/../x", b"/a/../../x", b"/.", b"/./x", b"/a/./b", b"/a/.",
            b"/%2e%2e/x", b"/%2E%2e/x", b"/.%2e/x", b"/%2e./x", b"/a/%2e%2e", b"/a/%2e/b",
            b"/..;/x", b"/..;a=b/x", b"/.;/x", b"/%2e%2e;/x", b"/..%2fx", b"/..%2Fx", b"/a/..%2fx",
            b"/%2e%2e%2fx", b"/..%5cx", b"/..%5Cx", b"/a%2f..%2fb", b"/a%5c..%5cb", b"/..\\x",
            b"/a\\..\\x", b"/%2e%2e\\x", b"/%252e%252e/x", b"/%25252e./x", b"/..%25252fx"]


@pytest.fixture
def bearerd(run, provider, api):
    return run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
               server={"accept_hosts": "*", "workers": "1"})


def refused(bearerd, data, statuses=(400,)):
    """Sends it; None if it was refused as it should be, else what happened."""
    with bearerd.client(timeout=8) as client:
        try:
            client.send(data)
            raw = client.read_rest()
        except ConnectionError as error:
            return f"{error}"
        except TimeoutError:
            return f"the connection stayed open after {bytes(client.stream.buffer)!r}"
    status = raw.split(b" ")[1:2]
    if not status or int(status[0]) not in statuses:
        return f"answered {raw[:200]!r}"
    if raw.count(b"HTTP/1.") != 1:
        return f"answered more than once: {raw!r}"
    if b"\r\nconnection: close" not in raw.lower():
        return f"no Connection: close in {raw[:300]!r}"
    return None


def test_ambiguous_requests(bearerd, api, idp):
    failures = {name: problem for name, data in AMBIGUOUS.items()
                if (problem := refused(bearerd, data))}
    assert not failures, "\n".join(f"{name}: {text}" for name, text in failures.items())
    assert not api.accepted and not idp.requests
    assert bearerd.get("/x").status == 200


@pytest.mark.parametrize("name", BAD_LENGTHS)
def test_lengths_that_are_none(bearerd, api, name):
    """Refused and closed, nothing forwarded, nothing behind it read as a request."""
    with bearerd.client() as client:
        client.send(BAD_LENGTHS[name] + get(target=b"/smuggled"))
        raw = client.read_rest()
    assert raw.split(b" ")[1] in (b"400", b"413")
    assert b"\r\nconnection: close" in raw.lower()
    assert not api.accepted


def test_paths_that_climb(bearerd, api):
    failures = {target: problem for target in CLIMBING
                if (problem := refused(bearerd, get(target=target)))}
    assert not failures, failures
    absolute = [b"http://127.0.0.1" + target for target in CLIMBING]
    failures = {target: problem for target in absolute
                if (problem := refused(bearerd, get(target=target)))}
    assert not failures, failures
    assert not api.accepted


def test_dots_that_do_not_climb(bearerd, api):
    for target in ("/...", "/.a", "/a.", "/..a", "/a..", "/a/.well-known/x", "/x?a=../..", "/a;..",
                   "/a%2fb", "/a.b/c", "/%2ea/x"):
        answer = bearerd.get(target)
        assert answer.status == 200, (target, answer)
        assert answer.json()["target"] == target


def test_the_first_problem_is_explained(bearerd):
    answer = bearerd.exchange(AMBIGUOUS["length and chunked"], "POST")
    problem = answer.problem()
    assert problem["code"] == "bad_request"
    assert problem["type"] and problem["title"] and problem["detail"]
    assert problem["request_id"] == answer.fields.get("X-Request-Id")
    assert answer.fields.get("Proxy-Status").startswith("bearerd; error=")


@pytest.mark.parametrize("data", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500, b"GET\r\n\r\n", b"GET /x\r\n\r\n",
    b"GET /x HTTP/2.0\r\n" + HOST + b"\r\n", b"GET /x HTTP/1.2\r\n\r\n", b"GET /x FTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GE(T /x HTTP/1.1\r\n" + HOST + b"\r\n", b"\0" * 100,
    b"GET  /x HTTP/1.1\r\n" + HOST + b"\r\n", b"GET /x  HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /x HTTP/1.1 \r\n" + HOST + b"\r\n", b"GET\t/x HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /x HTTP/1.1\n" + HOST + b"\r\n", b" GET /x HTTP/1.1\r\n" + HOST + b"\r\n",
    b"get /x http/1.1\r\n" + HOST + b"\r\n", b"GET /x HTTP/01.1\r\n" + HOST + b"\r\n",
    b"GET /x HTTP/1.1\r" + HOST + b"\r\n\r\n", b"GET /x HTTP/1.1\r\n\x00" + HOST + b"\r\n",
], ids=repr)
def test_no_http_at_all(bearerd, api, data):
    """An error or the end of the connection; never anything forwarded, never an open wait."""
    with bearerd.client(timeout=15) as client:
        client.send(data)
        try:
            client.half_close()
            raw = client.read_rest()
        except ConnectionError:
            raw = b""
    assert not raw or raw.split(b" ")[1] in (b"400", b"405", b"501", b"505"), raw
    assert not api.accepted


def test_smuggled_requests_are_not_answered(bearerd, api):
    """Whatever follows a refused head is not read as a request."""
    for name in ("chunked and length", "xchunked", "space before the colon"):
        with bearerd.client() as client:
            client.send(AMBIGUOUS[name] + get(target=b"/smuggled"))
            assert client.read_rest().count(b"HTTP/1.1 ") == 1
    assert not api.accepted


# --- what is too long -----------------------------------------------------------------------------


def test_a_target_that_is_too_long(bearerd, api):
    assert refused(bearerd, get(target=b"/" + b"a" * 40_000), (414,)) is None
    assert not api.accepted


@pytest.mark.parametrize("lines", [[b"X-A: " + b"a" * 40_000],
                                   [b"X-%d: %s" % (n, b"b" * 90) for n in range(400)]])
def test_fields_that_are_too_long(bearerd, api, lines):
    assert refused(bearerd, get(*lines), (431,)) is None
    assert not api.accepted


def test_endless_fields(bearerd, api):
    """Refused as soon as the limit is passed, without waiting for an end."""
    with bearerd.client() as client:
        client.send(b"GET /x HTTP/1.1\r\n" + HOST)
        raw = b""
        try:
            for _ in range(200):
                client.send(b"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 16)
        except OSError:
            pass
        try:
            raw = client.read_rest()
        except OSError:
            pass
    assert not raw or raw.startswith(b"HTTP/1.1 431")
    assert not api.accepted


def test_connection_memory_is_a_key(run, provider, api):
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
                  server={"connection_memory": "64k"})
    assert bearerd.exchange(get(b"X-A: " + b"a" * 30_000)).status == 200


# --- methods --------------------------------------------------------------------------------------


def test_connect(bearerd, api):
    with bearerd.client() as client:
        client.send(b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n")
        answer = client.read()
    assert (answer.status, answer.problem()["code"]) == (405, "method_not_allowed")
    assert "http://" in answer.problem()["detail"]
    assert not api.accepted


def test_trace(bearerd, api):
    answer = bearerd.exchange(b"TRACE /x HTTP/1.1\r\n" + HOST + b"Cookie: a-cookie\r\n\r\n")
    assert (answer.status, answer.problem()["code"]) == (405, "method_not_allowed")
    assert b"a-cookie" not in answer.body
    assert not api.accepted


def test_options_of_the_proxy_itself(bearerd, api):
    answer = bearerd.exchange(b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", "OPTIONS")
    assert answer.status in (200, 204)
    assert not api.accepted


@pytest.mark.parametrize("value,status,forwarded", [(b"0", 200, 0), (b"1", 200, 1)])
def test_options_with_max_forwards(bearerd, api, value, status, forwarded):
    answer = bearerd.exchange(b"OPTIONS /x HTTP/1.1\r\n" + HOST + b"Max-Forwards: " + value
                              + b"\r\n\r\n", "OPTIONS")
    assert answer.status in (status, 204)
    assert len(api.requests) == forwarded


def test_a_star_for_other_methods(bearerd, api):
    assert refused(bearerd, b"GET * HTTP/1.1\r\n" + HOST + b"\r\n") is None
    assert not api.accepted
