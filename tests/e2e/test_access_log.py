"""One line per exchange: enough to understand it, and never a header value, query or body."""

import os
import resource
import signal
import threading

import pytest
from actors import in_parallel, section, wait_until
from actors.bearerd import parse_access_line

DROPPED = "bearerd_access_log_lines_dropped_total"


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


def test_what_was_refused_has_its_path(proxy):
    """Whoever looks for the program behind it wants to know; a query or a password is not shown."""
    heads = [b"GET /pay/../a?q=4111 HTTP/1.1\r\nHost: localhost\r\n\r\n",
             b"TRACE /pay/b?q=4111 HTTP/1.1\r\nHost: localhost\r\n\r\n",
             b"GET /pay/\xffc HTTP/1.1\r\nHost: localhost\r\n\r\n",
             b"GET /pay/d HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
             b"GET http://u:the-password@localhost/pay/e HTTP/1.1\r\nHost: localhost\r\n\r\n"]
    for head in heads:
        with proxy.client() as client:
            client.send(head)
            assert client.read().status in (400, 405)
    lines = proxy.access_log(len(heads))
    assert {line["path"] for line in lines} >= {"/pay/../a", "/pay/b", "/pay/\xffc", "/pay/d"}
    assert all(line["error"] in ("bad_request", "method_not_allowed") for line in lines)
    assert "the-password" not in proxy.stdout_bytes.decode()


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


# --- a reader or disk that takes nothing ----------------------------------------------------------


@pytest.fixture
def start(run, provider, api):
    """One worker, which a log that it waits for would stop for everybody."""
    def start(**server):
        return run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
                   server={"workers": "1", "log_level": "info", **server})
    return start


def dropped(bearerd):
    text = bearerd.admin("/metrics")[2]
    return int(next(line for line in text.splitlines() if line.startswith(DROPPED + " ")).split()[1])


def ask_until_lines_are_dropped(bearerd):
    """Long paths, so that few requests do it. The number of requests."""
    count = 0
    with bearerd.client() as client:
        while count < 100 or not dropped(bearerd):
            assert count < 3000
            for _ in range(100):
                assert client.get(f"/{count}/" + "x" * 1000).status == 200
                count += 1
    return count


def lines_of(text):
    assert text.endswith("\n")
    lines = [parse_access_line(line) for line in text.splitlines()]
    assert all(line["status"] == "200" and line["error"] == "-" for line in lines), "a torn line"
    return lines


def test_a_reader_that_stands_still(start, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    bearerd = start(access_log=str(fifo))
    count = ask_until_lines_are_dropped(bearerd)
    assert len(bearerd.log_lines("access log: its reader is too slow")) == 1
    got = b""

    def read_all():
        nonlocal got
        try:
            while piece := os.read(reader, 65536):
                got += piece
        except BlockingIOError:
            pass
        return got.count(b"\n") + dropped(bearerd) >= count
    wait_until(read_all, "the lines that are left")
    assert len(lines_of(got.decode())) + dropped(bearerd) == count

    def calm():
        assert bearerd.get("/calm").status == 200
        return read_all() and bearerd.log_lines("no more lines are dropped")
    wait_until(calm, "the end of it to be told")
    os.close(reader)


def test_a_full_disk(start):
    bearerd = start(access_log="/dev/full")
    ask_until_lines_are_dropped(bearerd)
    assert len(bearerd.log_lines("access log: No space left on device; lines are dropped")) == 1


def test_a_disk_that_has_room_again(start, tmp_path):
    """The limit of a file's size stands in for a disk that is full in the middle of a line."""
    path = tmp_path / "access.log"
    bearerd = start(access_log=str(path))
    room = 65536
    before = resource.prlimit(bearerd.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(bearerd.process.pid, resource.RLIMIT_FSIZE, (room, before[1]))
    count = ask_until_lines_are_dropped(bearerd)
    assert path.stat().st_size == room
    assert bearerd.log_lines("access log: File too large; lines are dropped")
    resource.prlimit(bearerd.process.pid, resource.RLIMIT_FSIZE, before)
    assert bearerd.get("/more").status == 200
    wait_until(lambda: "/more" in path.read_text(), "the last line")
    assert len(lines_of(path.read_text())) + dropped(bearerd) == count + 1


@pytest.fixture
def full_pipe():
    """Both ends of a pipe that takes nothing more."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writing, True)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_an_event_log_that_nobody_reads(configure, provider, api, idp, full_pipe):
    """Neither a worker nor the control thread waits for it."""
    reading, writing = full_pipe
    bearerd = configure(provider() + section("route all", {"provider": "idp",
                                                           "upstream": api.origin}),
                        errors=writing)
    bearerd.start()
    assert bearerd.get("/x").status == 200
    bearerd.signal(signal.SIGHUP)
    assert bearerd.admin("/providers/idp/refresh", "POST")[0] == 200
    assert idp.count == 2
    assert bearerd.get("/x").status == 200
    os.set_blocking(reading, False)
    got = b""

    def told():
        nonlocal got
        bearerd.signal(signal.SIGHUP)
        try:
            got += os.read(reading, 65536)
        except BlockingIOError:
            pass
        return b"lines of this log could not be written" in got
    wait_until(told, "the number of lines that are lost")


# --- rotation -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "json"])
def test_rotation_under_load_loses_and_tears_no_line(run, provider, api, tmp_path, form):
    path = tmp_path / "access.log"
    bearerd = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
                  server={"access_log": str(path), "log_format": form, "log_level": "info"})
    rounds, over = 12, threading.Event()

    def ask(number):
        count = 0
        with bearerd.client() as client:
            while not over.is_set():
                answer = client.get("/x", [("X-Request-Id", f"{number}-{count}")])
                assert answer.status == 200
                count += 1
        return {f"{number}-{one}" for one in range(count)}

    def rotate():
        try:
            for number in range(rounds):
                path.rename(tmp_path / f"access.log.{number}")
                bearerd.signal(signal.SIGUSR1)
                wait_until(lambda: path.exists() and path.stat().st_size, "lines in the new file")
        finally:
            over.set()
        return set()

    asked = in_parallel(4, lambda number: ask(number) if number else rotate())
    bearerd.stop()
    files = [path, *(tmp_path / f"access.log.{number}" for number in range(rounds))]
    lines = [parse_access_line(line) for file in files for line in file.read_text().splitlines()]
    seen = [line["request_id"] for line in lines]
    assert sorted(seen) == sorted(set().union(*asked))
    assert all(int(line["status"]) == 200 and line["path"] == "/x" for line in lines)
