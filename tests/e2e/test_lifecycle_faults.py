"""Every fault of a token endpoint: what the client gets, what it costs, what the operator reads.

A fault is bounded in time (token_timeout) and memory (8 MiB), is one documented error for the
client and one line for the operator, and it passes.
"""

import gzip
import json
import re
import socket
import threading
import time

import pytest
from actors import Idp, section, wait_until

TIMEOUT = 1.0  # token_timeout
SLACK = 2.0  # for a machine that is busy with something else
GROWTH_KIB = 8 * 1024
SANITIZED_KIB = 64 * 1024  # address sanitizer keeps what is freed, thread sanitizer its shadows
UNAVAILABLE, TIMED_OUT = (503, "token_unavailable"), (504, "token_timeout")
REFUSED = (502, "token_refused")
GOOD = b'{"access_token": "good-token", "expires_in": 60}'


class ShutDoor(Idp):
    """An Idp whose connections nobody accepts, so that connecting hangs, until open()."""

    def __init__(self, *args, **options):
        self._door = threading.Event()
        self._fill = []
        super().__init__(*args, **options)
        self._listener.listen(0)
        while self._is_accepting():
            pass

    def _is_accepting(self):
        sock = socket.socket()
        sock.settimeout(0.1)
        self._fill.append(sock)
        try:
            sock.connect((self.address, self.port))
            return True
        except socket.timeout:
            return False

    def open(self):
        for sock in self._fill:
            sock.close()
        self._listener.listen(128)
        self._door.set()

    def stop(self):
        self.open()
        super().stop()

    def _accept(self):
        self._door.wait()
        super()._accept()


def head_then_silence(idp):
    def behave(stream, request):
        stream.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n")
        idp.stopping.wait(60)
        return False
    return behave


def endless(prefix, block):
    def make(idp):
        def behave(stream, request):
            stream.sock.sendall(prefix)
            while not idp.stopping.is_set():
                stream.sock.sendall(block)
            return False
        return behave
    return make


def answers(status, body, *fields, kind="application/json"):
    return lambda idp: idp.answer(status, body, kind, fields)


def bomb():
    return gzip.compress(b'{"access_token": "' + b"a" * 30_000_000 + b'"}')


def deep(levels):
    return b'{"access_token": "abcdefgh", "x": ' + b"[" * levels + b"]" * levels + b"}"


LATER = ("Retry-After", "2")
BROKEN_OFF = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + GOOD
TOO_LARGE = "the response is too large"
NO_JSON = "status 200: the reply is no JSON"
UNSENDABLE = "no visible ASCII text"

# name: (behaviour of the endpoint, what the client gets, what the operator reads)
FAULTS = {
    "429": (answers(429, {"error": "rate_limited"}), UNAVAILABLE, "status 429: rate_limited"),
    "429 later": (answers(429, "", LATER), UNAVAILABLE, "status 429: the reply is empty"),
    "500": (answers(500, "oops", kind="text/plain"), UNAVAILABLE, "status 500: the reply is no"),
    "500 later": (answers(500, "oops", LATER), UNAVAILABLE, "status 500"),
    "500 refusing": (answers(500, {"error": "invalid_client"}), REFUSED,
                     "status 500: invalid_client"),
    "502": (answers(502, {"message": "Bad Gateway"}), UNAVAILABLE, "status 502: Bad Gateway"),
    "503": (answers(503, ""), UNAVAILABLE, "status 503: the reply is empty"),
    "503 later": (answers(503, "", LATER), UNAVAILABLE, "status 503: the reply is empty"),
    "400": (answers(400, {"error": "invalid_client"}), REFUSED, "status 400: invalid_client"),
    "401": (answers(401, {"error": "invalid_client"}), REFUSED, "status 401: invalid_client"),
    "hang": (Idp.hang, TIMED_OUT, "timed out"),
    "hang after the head": (head_then_silence, TIMED_OUT, "timed out"),
    "drip": (lambda idp: idp.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", pause=0.05),
             TIMED_OUT, "timed out"),
    "drip of fields": (lambda idp: idp.drip(b"HTTP/1.1 200 OK\r\nX: ", b"y", 0.05),
                       TIMED_OUT, "timed out"),
    "reset": (lambda idp: idp.reset(), UNAVAILABLE, "the connection broke"),
    "nothing": (lambda idp: idp.raw(b""), UNAVAILABLE,
                "it closed the connection without an answer"),
    "garbage": (lambda idp: idp.raw(b"\0\1garbage\r\n\r\n"), UNAVAILABLE,
                "its answer is no proper HTTP"),
    "cut": (lambda idp: idp.raw(BROKEN_OFF), UNAVAILABLE, "its answer was cut"),
    "truncated": (answers(200, GOOD[:-9]), UNAVAILABLE, NO_JSON),
    "endless": (Idp.flood, UNAVAILABLE, TOO_LARGE),
    "endless fields": (endless(b"HTTP/1.1 200 OK\r\n", b"X-Y: " + b"z" * 900 + b"\r\n"),
                       UNAVAILABLE, TOO_LARGE),
    "endless field": (endless(b"HTTP/1.1 200 OK\r\nX-Y: ", b"z" * 4096), UNAVAILABLE,
                      "a line of the response is too long"),
    "endless 1xx": (endless(b"", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n"), UNAVAILABLE,
                    TOO_LARGE),
    "redirect": (answers(307, "", ("Location", "http://127.0.0.1:9/")), UNAVAILABLE, "a redirect"),
    "gzip bomb": (lambda idp: idp.answer(200, bomb(), fields=[("Content-Encoding", "gzip")]),
                  UNAVAILABLE, NO_JSON),
    "deep": (answers(200, deep(33)), UNAVAILABLE, NO_JSON),
    "very deep": (answers(200, deep(100_000)), UNAVAILABLE, NO_JSON),
    "huge": (answers(200, b'{"x": "' + b"y" * 5_000_000 + b'"}'), UNAVAILABLE, TOO_LARGE),
    "huge token": (answers(200, {"access_token": "a" * 17_000}), UNAVAILABLE, UNSENDABLE),
    "CR LF": (answers(200, {"access_token": "good-token\r\nX-Evil: 1"}), UNAVAILABLE, UNSENDABLE),
    "NUL": (answers(200, {"access_token": "good-token\0def"}), UNAVAILABLE, NO_JSON),
    "html": (answers(200, "<html>Sign in</html>", kind="text/html"), UNAVAILABLE, NO_JSON),
    "empty": (answers(200, ""), UNAVAILABLE, "status 200: the reply is empty"),
    "echo": (answers(200, {"grant_type": "client_credentials"}), UNAVAILABLE,
             "status 200: the reply has no token"),
}


def peak_kib(bearerd):
    """The most that was ever resident, in KiB."""
    with open(f"/proc/{bearerd.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def may_grow_kib(bearerd):
    binary = bearerd.binary.read_bytes()
    sanitized = b"__asan_init" in binary or b"__tsan_init" in binary
    return SANITIZED_KIB if sanitized else GROWTH_KIB


def answer_in_time(bearerd):
    """One request; its answer came within token_timeout."""
    began = time.monotonic()
    answer = bearerd.get("/x")
    assert time.monotonic() - began < TIMEOUT + SLACK
    return answer


def code(answer):
    return answer.status, answer.problem()["code"]


def failure_lines(bearerd, name="idp"):
    return bearerd.log_lines(f"provider {name}: no new token: ")


def recover(bearerd, refused):
    """Requests see errors of one kind until the provider is asked again, then 200."""
    if refused:  # half a minute of back-off, which an operator ends
        assert bearerd.admin("/providers/idp/refresh", "POST")[0] == 200

    def recovered():
        answer = answer_in_time(bearerd)
        assert answer.status == 200 or code(answer) == UNAVAILABLE
        return answer.status == 200
    wait_until(recovered, "the recovery", 10)


@pytest.fixture
def start(run, provider, stage, canary, api):
    """One provider with a short token_timeout, and a second one that warms everything up."""
    def start(idp):
        well = stage.add(Idp(canary))
        api.idp = None
        bearerd = run(
            provider(idp=idp, token_timeout="1s") + provider("well", well)
            + section("route all", {"provider": "idp", "upstream": api.origin})
            + section("route warm", {"path": "/warm", "provider": "well", "upstream": api.origin}))
        assert bearerd.get("/warm/x").status == 200
        return bearerd
    return start


def check_failure(bearerd, expected, reason):
    """The client's answer and the operator's one line; returns the answer."""
    answer = answer_in_time(bearerd)
    assert code(answer) == expected
    if expected != TIMED_OUT:
        assert int(answer.fields.get("Retry-After")) >= 1
    wait_until(lambda: failure_lines(bearerd), "the operator's line")
    lines = failure_lines(bearerd)
    assert len(lines) == 1
    assert reason in lines[0]
    assert re.search(r"; next attempt in \d+ (ms|s)$", lines[0]), lines[0]
    return answer


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault(start, idp, api, fault):
    behaviour, expected, reason = FAULTS[fault]
    idp.always(behaviour(idp))
    bearerd = start(idp)
    served, before = len(api.requests), bearerd.rss_kib()
    answer = check_failure(bearerd, expected, reason)
    assert peak_kib(bearerd) - before <= may_grow_kib(bearerd)
    assert len(api.requests) == served  # nothing went out without a token
    assert b"good-token" not in answer.body
    idp.always(None)
    recover(bearerd, expected == REFUSED)


def test_connecting_hangs(start, stage, canary, api):
    idp = stage.add(ShutDoor(canary))
    bearerd = start(idp)
    before = bearerd.rss_kib()
    check_failure(bearerd, TIMED_OUT, "timed out")
    assert peak_kib(bearerd) - before <= may_grow_kib(bearerd)
    idp.open()
    recover(bearerd, False)


def test_nobody_listens(start, idp):
    idp.refuse_connections()
    check_failure(start(idp), UNAVAILABLE, "onnect")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_retry_after_is_the_next_attempt(start, idp, status):
    """The line, the client's field and what is done all say the same."""
    idp.then(idp.answer(status, "", fields=[("Retry-After", "40")]))
    bearerd = start(idp)
    answer = check_failure(bearerd, UNAVAILABLE, f"status {status}")
    assert failure_lines(bearerd)[0].endswith("next attempt in 40 s")
    assert 38 <= int(answer.fields.get("Retry-After")) <= 40
    assert bearerd.get("/x").status == 503 and idp.count == 1


def test_every_fault_inside_the_early_window(run, provider, stage, canary, api):
    """While the old token is good, no request notices any of them."""
    api.idp = None
    idps = {}
    config = ""
    for number, fault in enumerate(FAULTS):
        name = f"p{number}"
        idps[name] = idp = stage.add(Idp(canary, expires_in=8))
        idp.then(idp.ok())
        idp.always(FAULTS[fault][0](idp))
        config += provider(name, idp, token_timeout="1s")
        config += section(f"route {name}", {"path": f"/{name}", "provider": name,
                                            "upstream": api.origin})
    bearerd = run(config)
    began = time.monotonic()
    while not all(failure_lines(bearerd, name) for name in idps):
        assert time.monotonic() - began < 7.5, "a refresh that failed in time"
        for name in idps:
            assert bearerd.get(f"/{name}/x").status == 200
    for name, (_, _, reason) in zip(idps, FAULTS.values()):
        line = failure_lines(bearerd, name)[0]
        assert reason in line
        assert re.search(r"next attempt in .*; the current one lives \d+ ms more$", line), line
        assert idps[name].count <= 4  # the back-off holds although requests go on


def test_the_status_page_names_the_same_reason(start, idp):
    idp.always(idp.answer(503, {"error": "maintenance"}))
    bearerd = start(idp)
    check_failure(bearerd, UNAVAILABLE, "status 503: maintenance")
    shown = json.loads(bearerd.admin("/status.json")[2])
    assert "status 503: maintenance" in json.dumps(shown)
