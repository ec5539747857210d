"""Refused tokens, the rare and the late: which answers are refusals, and what a replay is."""

import threading

import pytest
from actors import in_parallel, refusing_the_first_token, replying, section, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
UNAUTHORIZED = b"HTTP/1.1 401 Nope\r\nContent-Length: 7\r\nSet-Cookie: old=1\r\n\r\nexpired"
KRA_FAULT = (b'{"fault":{"faultstring":"Access Token expired","detail":{"errorcode":'
             b'"keymanagement.service.access_token_expired"}}}')
DARAJA_FAULT = (b'{"requestId":"4788-81090592-4","errorCode":"404.001.03",'
                b'"errorMessage":"Invalid Access Token"}')


def answer_of(status, body, *fields):
    lines = [b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*pieces):
    return [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces] + [b"0\r\n\r\n"]


@pytest.fixture
def start(run, provider):
    """Starts bearerd with one worker in front of a raw upstream."""
    def start(api, route=None, **keys):
        return run(provider(**keys) + section(
            "route all", {"provider": "idp", "upstream": api.origin, **(route or {})}),
            server={"workers": "1"})
    return start


def first_then_ok(*pieces, close=False):
    """A script: the first request of the upstream gets these segments, all others a 200."""
    def script(peer):
        if peer.number == 0:
            peer.read_request()
            peer.send_pieces(*pieces)
            if close:
                peer.cut()
                return
        replying(OK)(peer)
    return script


# --- many at once ---------------------------------------------------------------------------------


def test_50_refusals_of_the_old_token_half_of_them_late(run, provider, upstream, idp):
    """All 50 are out with the old token. 25 refusals bring a new one, and 25 come after that."""
    early, late = threading.Event(), threading.Event()
    old = []

    def script(peer):
        while (request := peer.read_request()) is not None:
            if request.fields.get("Authorization") == f"Bearer {idp.issued[0]}":
                with peer.upstream.lock:
                    old.append(peer.number)
                    gate = early if len(old) % 2 else late
                peer.wait(gate)
                peer.send(UNAUTHORIZED)
            else:
                peer.send(OK)
    api = upstream(script)
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
    statuses = []

    def ask(number):
        answer = bearerd.post("/x", b"%d" % number)
        statuses.append(answer.status)
        return answer.body
    crowd = threading.Thread(target=lambda: statuses.append(in_parallel(50, ask)), daemon=True)
    crowd.start()
    wait_until(lambda: len(old) == 50, "50 requests with the old token", 20)
    early.set()
    wait_until(lambda: statuses.count(200) == 25, "the first half's answers", 20)
    assert idp.count == 2
    late.set()
    crowd.join(20)
    assert statuses[:50] == [200] * 50 and statuses[50] == [b"ok"] * 50
    assert idp.count == 2
    sent = [(request.body, request.fields.get("Authorization")) for request in api.requests]
    assert len(sent) == len(set(sent)) == 100  # each body once with each token


def test_after_5_seconds_a_refusal_is_heard_again(start, upstream, idp):
    """A forced fetch, then refusals pass as they are; and once the pause is over, another one."""
    api = upstream(replying(UNAUTHORIZED))
    bearerd = start(api)
    assert bearerd.get("/x").status == 401
    assert idp.count == 2

    def forced():
        assert bearerd.get("/x").status == 401
        return idp.count == 3
    wait_until(forced, "the second forced fetch", 9)
    assert bearerd.get("/x").status == 401 and idp.count == 3
    tokens = [request.fields.get("Authorization") for request in api.requests]
    assert tokens[-1] == f"Bearer {idp.token}"


# --- what a refusal is ----------------------------------------------------------------------------


@pytest.mark.parametrize("status,body,match", [
    (401, KRA_FAULT, None),
    (403, KRA_FAULT, "*:access token expired"),
    (500, KRA_FAULT, "*:access token expired"),
    (200, KRA_FAULT, "*:access token expired"),
    (404, DARAJA_FAULT, "404:404.001.03"),
    (400, b'{"errorCode":"400.003.01"}', "404:404.001.03, 400:400.003.01"),
], ids=["KRA 401", "KRA 403", "KRA 500", "KRA 200", "Daraja 404", "Daraja 400"])
def test_the_faults_of_providers(start, upstream, idp, status, body, match):
    api = upstream(replying(answer_of(status, body), OK))
    assert start(api, reject_match=match).post("/x", b"pay").status == 200
    assert idp.count == 2
    assert [request.body for request in api.requests] == [b"pay", b"pay"]


@pytest.mark.parametrize("status,body", [
    (404, b'{"errorCode":"404.002.01","errorMessage":"no such resource"}'), (404, b""),
    (200, b'{"note":"404.001.03"}'), (401, b"404.001.0"),
])
def test_business_errors_are_none(start, upstream, idp, status, body):
    api = upstream(replying(answer_of(status, body)))
    answer = start(api, reject_match="404:404.001.03", reject_status="499").get("/x")
    assert (answer.status, answer.body) == (status, body)
    assert idp.count == len(api.requests) == 1


@pytest.mark.parametrize("offset,found", [(0, True), (4096 - 7, True), (4096 - 6, False),
                                          (5000, False)])
def test_the_first_4_kib_of_a_long_body(start, upstream, idp, offset, found):
    body = b"x" * offset + b"expired" + b"y" * 300_000
    api = upstream(first_then_ok(answer_of(200, body)))
    answer = start(api, reject_match="200:EXPIRED").get("/x")
    assert answer.body == (b"ok" if found else body)
    assert idp.count == (2 if found else 1)


@pytest.mark.parametrize("close", [False, True], ids=["chunked", "until the end"])
def test_a_body_in_pieces(start, upstream, idp, close):
    """The text is split over chunks and segments."""
    pieces = [b'{"fault": "Access ', b"To", b"ken exp", b'ired"}']
    head = b"HTTP/1.1 200 X\r\n" + (b"" if close else b"Transfer-Encoding: chunked\r\n") + b"\r\n"
    segments = pieces if close else chunked(*pieces)
    api = upstream(first_then_ok(head, *segments, close=close))
    answer = start(api, reject_match="200:access token expired").get("/x")
    assert (answer.status, answer.body) == (200, b"ok")
    assert idp.count == 2


def test_a_body_in_pieces_that_is_none_passes_whole(start, upstream, idp):
    pieces = [bytes([65 + number]) * 700 for number in range(20)]
    head = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\nX-Api: yes\r\n\r\n"
    api = upstream(first_then_ok(head, *chunked(*pieces)))
    answer = start(api, reject_match="200:access token expired").get("/x")
    assert answer.body == b"".join(pieces)
    assert answer.fields.get("X-Api") == "yes"
    assert idp.count == 1


def test_a_coded_body_of_a_refused_status_is_a_refusal(start, upstream, idp):
    """The status says it; only the text is not looked for."""
    coded = answer_of(401, b"\x1f\x8b\0expired", b"Content-Encoding: gzip")
    api = upstream(replying(coded, OK))
    assert start(api, reject_match="*:expired").get("/x").status == 200
    assert idp.count == 2


@pytest.mark.parametrize("field", [
    b'WWW-Authenticate: Bearer realm="pay", error="insufficient_scope", scope="write"',
    b"www-authenticate: Basic realm=x\r\nWWW-Authenticate: Bearer error=insufficient_scope",
    b'WWW-Authenticate: Basic realm="x", Bearer error="insufficient_scope"',
])
def test_insufficient_scope_passes(start, upstream, idp, field):
    api = upstream(replying(answer_of(401, b"no", field)))
    answer = start(api, reject_match="401:no").get("/x")
    assert (answer.status, answer.body) == (401, b"no")
    assert "insufficient_scope" in " ".join(answer.fields.all("WWW-Authenticate"))
    assert len(api.requests) == idp.count == 1


def test_a_refusal_of_a_head_request(start, upstream, idp):
    refusal = b"HTTP/1.1 401 X\r\nContent-Length: 1000\r\n\r\n"
    api = upstream(replying(refusal, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
    with start(api).client() as client:
        assert client.request("HEAD", "/x").status == 200
    assert [request.method for request in api.requests] == ["HEAD", "HEAD"]
    assert idp.count == 2


def test_a_refusal_that_does_not_end(start, upstream, idp):
    """Its body is not waited for: the replay takes another connection."""
    def script(peer):
        if peer.number > 0:
            return replying(OK)(peer)
        peer.read_request()
        peer.send(b"HTTP/1.1 401 X\r\nContent-Length: 100000000\r\n\r\nsome of it")
        return peer.stall()
    api = upstream(script)
    assert start(api).get("/x").status == 200
    assert idp.count == 2
    wait_until(lambda: 0 in api.left, "the first connection to be closed")


# --- the replay -----------------------------------------------------------------------------------


def test_only_the_token_differs(start, upstream, idp):
    """Idempotency-Key, {uuid}, X-Request-Id: the replay is the same request."""
    api = upstream(replying(UNAUTHORIZED, OK))
    bearerd = start(api, **{"header.X-Uuid": "{uuid}", "header.Idempotency-Key": "{uuid}"})
    answer = bearerd.post("/pay", b"amount=1", [("traceparent", "00-" + "a" * 32 + "-"
                                                 + "b" * 16 + "-01"), ("X-Key", "k")])
    assert answer.status == 200
    assert answer.fields.all("Set-Cookie") == []  # nothing of the refusal
    first, second = api.requests
    assert first.body == second.body == b"amount=1"
    for number, request in enumerate(api.requests):
        assert request.fields.all("Authorization") == [f"Bearer {idp.issued[number]}"]
    differing = [(one, other) for one, other in zip(first.fields, second.fields) if one != other]
    assert {one[0] for one, _ in differing} == {"Authorization"}
    assert len(first.fields) == len(second.fields)
    assert first.fields.get("X-Uuid") == first.fields.get("Idempotency-Key")
    assert len(first.fields.get("X-Uuid")) == 36


def test_a_second_refusal_is_untouched(start, upstream, idp):
    fields = [b"Set-Cookie: a=1; Path=/", b"Set-Cookie: b=2", b"X-Odd:   spaced",
              b'WWW-Authenticate: Bearer realm="x", error="invalid_token"',
              b'WWW-Authenticate: Basic realm="y"', b"Retry-After: 7"]
    api = upstream(replying(UNAUTHORIZED, answer_of(401, b"second", *fields)))
    answer = start(api).post("/x", b"body")
    assert (answer.status, answer.body) == (401, b"second")
    assert answer.fields.all("Set-Cookie") == ["a=1; Path=/", "b=2"]
    assert answer.fields.all("WWW-Authenticate") == [
        'Bearer realm="x", error="invalid_token"', 'Basic realm="y"']
    assert answer.fields.get("Retry-After") == "7"
    assert "Proxy-Status" not in answer.fields
    assert len(api.requests) == idp.count == 2


@pytest.mark.parametrize("size,replayed", [(0, True), (64 * 1024, True), (64 * 1024 + 1, False),
                                           (1_000_000, False)])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_larger_than_replay_buffer(start, upstream, idp, size, replayed, framing):
    """It gets the provider's answer, and never a short replay."""
    api = upstream(refusing_the_first_token(idp, UNAUTHORIZED))
    bearerd = start(api)
    body = b"p" * size
    with bearerd.client() as client:
        if framing == "length":
            answer = client.post("/x", body)
        else:
            half = size // 2
            parts = [part for part in (body[:half], body[half:]) if part]
            client.send(client.head("POST", "/x", [("Transfer-Encoding", "chunked")]))
            client.send(b"".join(chunked(*parts)))
            answer = client.read("POST")
    assert answer.status == (200 if replayed else 401)
    assert [len(request.body) for request in api.requests] == [size] * (2 if replayed else 1)
    assert bearerd.get("/next").status == 200
    assert api.requests[-1].fields.get("Authorization") == f"Bearer {idp.issued[1]}"
    assert idp.count == 2


@pytest.mark.parametrize("length", [2000, 300_000])
def test_an_early_refusal_of_an_upload(start, upstream, idp, length):
    """The API refuses before it has the body: the client gets that, and no second payment."""
    def script(peer):
        if peer.number > 0:
            return replying(OK)(peer)
        peer.read_head()
        peer.send(UNAUTHORIZED)
        return peer.stall()
    api = upstream(script)
    bearerd = start(api)
    with bearerd.client() as client:
        client.send(client.head("POST", "/x", [("Content-Length", f"{length}")]) + b"z" * 1000)
        assert client.read("POST").status == 401
    assert len(api.requests) == 1


def test_a_replay_that_dies_is_not_sent_a_third_time(start, upstream, idp):
    def script(peer):
        peer.read_request()
        if peer.number == 0:
            peer.send(UNAUTHORIZED)
            peer.read_request()
        peer.reset()
    api = upstream(script)
    answer = start(api).post("/pay", b"amount=1")
    assert (answer.status, answer.problem()["code"]) == (502, "upstream_unreachable")
    assert len(api.requests) == 2
