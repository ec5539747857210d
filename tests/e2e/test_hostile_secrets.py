"""What the process shows of itself to others on the machine: no secret, no token (DESIGN 9)."""

import base64
import contextlib
import os
import socket
import subprocess
import tempfile

import pytest
from actors import section, wait_until
from actors.ports import HeldPort

NOBODY = 65534


@pytest.fixture
def secret(canary):
    return canary.secret("env-secret")


@pytest.fixture
def bearerd(run, idp, api, secret):
    """A client secret from the environment, a token in use."""
    bearerd = run(section("provider idp", {
        "token_url": idp.url, "client_id": "literal:the-client", "client_secret": "env:A_SECRET"})
        + section("route all", {"provider": "idp", "upstream": api.origin}),
        env={"A_SECRET": secret})
    assert bearerd.get("/x").status == 200
    return bearerd


def proc(bearerd, name):
    with open(f"/proc/{bearerd.process.pid}/{name}", "rb") as file:
        return file.read()


def test_no_core_dumps(bearerd):
    limits = proc(bearerd, "limits").decode().splitlines()
    line = next(line for line in limits if line.startswith("Max core file size"))
    assert line.split()[4:6] == ["0", "0"]


@pytest.fixture
def as_nobody(bearerd):
    """Starts the binary once more as a user without any rights (as ours, if that is not root)."""
    with contextlib.ExitStack() as stack:
        def start():
            folder = stack.enter_context(tempfile.TemporaryDirectory())  # not below root's own
            os.chmod(folder, 0o755)
            held = stack.enter_context(contextlib.closing(HeldPort()))
            path = os.path.join(folder, "bearerd.ini")
            with open(path, "w") as file:
                file.write(f"[server]\nlisten = 127.0.0.1:{held.port}\nadmin_listen = off\n"
                           + section("route all", {"provider": "none",
                                                   "upstream": "http://127.0.0.1:9"}))
            binary = stack.enter_context(open(bearerd.binary, "rb")).fileno()
            process = subprocess.Popen(
                [f"/proc/self/fd/{binary}", "run", "-c", path], pass_fds=[binary], cwd=folder,
                user=NOBODY if os.geteuid() == 0 else None, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={**bearerd.environment, "ASAN_OPTIONS": "detect_leaks=0"})  # which needs ptrace
            stack.callback(process.wait, 10)
            stack.callback(process.kill)
            wait_until(lambda: accepts(held.port), "it to listen", 20)
            return process.pid
        yield start


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except ConnectionRefusedError:
        return False


def test_nobody_but_root_may_look_inside(as_nobody):
    """PR_SET_DUMPABLE 0: no core, and its memory is root's alone, whoever it runs as."""
    pid = as_nobody()
    for name in ("mem", "environ", "maps", "auxv"):
        assert os.stat(f"/proc/{pid}/{name}").st_uid == 0, name
    with open(f"/proc/{pid}/status") as status:
        uids = next(line.split()[1:] for line in status if line.startswith("Uid:"))
    assert set(uids) == {str(NOBODY if os.geteuid() == 0 else os.geteuid())}


def test_the_environment_is_what_was_given(bearerd):
    shown = dict(pair.split(b"=", 1) for pair in proc(bearerd, "environ").split(b"\0") if pair)
    given = {name.encode(): value.encode() for name, value in bearerd.environment.items()}
    assert shown == given


def test_the_argument_list_is_clean(bearerd):
    assert proc(bearerd, "cmdline").split(b"\0") == [
        str(bearerd.binary).encode(), b"run", b"-c", str(bearerd.config_path).encode(), b""]


def writable_memory(bearerd):
    """All that a core would hold of heap and stacks; None where the system forbids to look."""
    pieces = []
    try:
        with open(f"/proc/{bearerd.process.pid}/mem", "rb", 0) as memory:
            for line in proc(bearerd, "maps").decode().splitlines():
                where, rights = line.split()[:2]
                first, last = (int(number, 16) for number in where.split("-"))
                if not rights.startswith("rw") or last - first > 256 << 20:
                    continue
                memory.seek(first)
                try:
                    pieces.append(memory.read(last - first))
                except OSError:
                    pass
    except PermissionError:
        return None
    return b"".join(pieces)


@pytest.mark.skipif(not os.environ.get("BEARERD_TEST_RELEASE"),
                    reason="a sanitizer keeps what was freed, and shadows of it")
def test_a_token_that_was_replaced_is_wiped(bearerd, idp, api):
    """The one in use must be somewhere; the ones before it must not."""
    old = [request.fields.get("Authorization").split()[1] for request in api.requests]
    idp.revoke_all()
    for _ in range(20):  # what libraries leave in their buffers is written over by what follows
        assert bearerd.get("/x").status == 200
    new = api.requests[-1].fields.get("Authorization").split()[1]
    assert new not in old

    def wiped():
        memory = writable_memory(bearerd)
        if memory is None:
            pytest.skip("this user may not read the memory of the process")
        assert memory.count(new.encode()) >= 1
        return not any(memory.count(token.encode()) for token in old)
    wait_until(wiped, "the old token to be gone from memory")


@pytest.mark.parametrize("level", ["/status", "/status.json", "/metrics", "/readyz?verbose"])
def test_the_admin_pages_show_none(bearerd, api, secret, level):
    token = api.requests[0].fields.get("Authorization").split()[1]
    text = bearerd.admin(level)[2]
    for word in (token, secret, base64.b64encode(secret.encode()).decode()):
        assert word not in text
