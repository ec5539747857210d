"""`bearerd demo`, `bearerd sandbox` and scripts/run: the five providers in miniature."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

from actors import wait_until
from actors.ports import HeldPort

ROOT = pathlib.Path(__file__).resolve().parents[2]
SANITIZER = re.compile(r"==\d+==ERROR|runtime error:|WARNING: ThreadSanitizer|LeakSanitizer:")
PROVIDERS = ["kra", "truphone", "bambora", "wetix", "airpay"]


class Command:
    """A command that serves until it is told to stop."""

    def __init__(self, folder, *arguments):
        self.path = folder / f"{'-'.join(arguments[:2]).replace('/', '_')[-40:]}.out"
        self.process = subprocess.Popen(
            [os.environ["BEARERD"], *arguments], stdin=subprocess.DEVNULL, cwd=folder,
            stdout=open(self.path, "wb"), stderr=subprocess.STDOUT)

    @property
    def output(self):
        return self.path.read_text(errors="replace")

    def wait_output(self, pattern):
        def found():
            match = re.search(pattern, self.output)
            assert match or self.process.poll() is None, f"it ended:\n{self.output}"
            return match
        return wait_until(found, f"{pattern!r} from {self.process.args}", 20)

    def stop(self, number=signal.SIGTERM):
        """Ends it; the status must be 0 and no sanitizer may have complained."""
        self.process.send_signal(number)
        status = self.process.wait(30)
        assert not SANITIZER.search(self.output), self.output
        assert status == 0, f"{status}\n{self.output}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


@pytest.fixture
def ports():
    """The addresses of the proxy and the sandbox."""
    held = [HeldPort(), HeldPort()]
    yield [f"127.0.0.1:{port.port}" for port in held]
    for port in held:
        port.close()


@pytest.fixture
def start(tmp_path):
    commands = []

    def start(*arguments):
        commands.append(Command(tmp_path, *arguments))
        return commands[-1]
    yield start
    for command in commands:
        command.kill()


@pytest.fixture
def demo(start, ports):
    def demo(*options):
        command = start("demo", "--listen", ports[0], "--admin-listen", "off",
                        "--sandbox-listen", ports[1], *options)
        command.wait_output("Ctrl-C ends")
        return command
    return demo


def run_cli(*arguments, timeout=30):
    done = subprocess.run([os.environ["BEARERD"], *arguments], capture_output=True, text=True,
                          timeout=timeout, stdin=subprocess.DEVNULL)
    assert not SANITIZER.search(done.stderr), done.stderr
    return done


def curl_lines(text):
    return re.findall(r"^  (curl .*)$", text, re.MULTILINE)


def run_curl(line):
    """What a newcomer's shell does with the line; the answer as JSON."""
    done = subprocess.run(line.replace("curl ", "curl -sS --noproxy '*' ", 1), shell=True,
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return json.loads(done.stdout)


def received(answer):
    return (answer.get("data") or answer)["received"]


def fields(answer):
    return dict(line.split(": ", 1) for line in received(answer)["fields"])


def ask(address, method, path, body=None, **headers):
    """(status, JSON) of one request."""
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


# One request for each provider, and the last four characters of the token that arrived.
REQUESTS = {
    "kra": ("POST", "/kra/sendSalesTransaction", "{}"),
    "truphone": ("GET", "/truphone/v1/sims", None),
    "bambora": ("POST", "/bambora/payments", "{}"),
    "wetix": ("POST", "/wetix/graphql", '{"query":"{a}"}'),
    "airpay": ("POST", "/airpay/verify/", "{}"),
}


def token_of(answer):
    arrived = received(answer).get("query") or fields(answer)["Authorization"]
    return re.search("…([0-9a-f]{4})$", arrived)[1]


def use(address, provider):
    method, path, body = REQUESTS[provider]
    status, answer = ask(address, method, path, body)
    assert status == 200, answer
    return token_of(answer)


# --- the demo -----------------------------------------------------------------------------------


def test_the_five_lines_that_it_prints_work(demo):
    command = demo()
    lines = curl_lines(command.output)
    assert len(lines) == len(PROVIDERS)
    kra, truphone, bambora, wetix, airpay = map(run_curl, lines)
    assert received(kra)["path"] == "/etims-oscu/api/v1/sendSalesTransaction"
    assert {"tin", "bhfId", "cmcKey"} <= fields(kra).keys()
    assert re.fullmatch("[0-9a-f-]{36}", fields(truphone)["X-Correlation-ID"])
    assert fields(bambora)["API-Version"] == "1"
    assert received(bambora)["body"] == {"amount": 100}
    assert received(wetix)["path"] == "/graphql"
    assert received(airpay)["query"].startswith("token=")
    assert "Authorization" not in fields(airpay)
    for answer in (kra, truphone, bambora, wetix):
        assert fields(answer)["Authorization"].startswith("Bearer …")
    command.stop()


def test_it_says_where_to_watch_it(demo):
    held = HeldPort()
    address = f"127.0.0.1:{held.port}"
    assert demo("--admin-listen", address).wait_output(r"http://(\S+)/status\n")[1] == address
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("GET", "/status")
    assert b"<title>All is well" in connection.getresponse().read()
    connection.close()
    held.close()


def test_ctrl_c_ends_it(demo):
    demo().stop(signal.SIGINT)


def test_tokens_are_renewed_while_requests_go_on(demo, ports):
    """Lifetimes of two seconds: no request ever sees an expired token."""
    command = demo("--token-lifetime", "2s")
    seen = {provider: {use(ports[0], provider)} for provider in PROVIDERS}

    def all_renewed():
        for provider in PROVIDERS:
            seen[provider].add(use(ports[0], provider))
        return all(len(tokens) >= 3 for tokens in seen.values())
    wait_until(all_renewed, "three tokens of each provider", 40)
    for provider in ("truphone", "wetix"):
        assert re.search(f"{provider}: new token by refresh", command.output)
    command.stop()


def test_a_busy_address_is_one_clear_sentence(demo, ports):
    demo()
    other = HeldPort()
    for proxy, sandbox, busy in ((ports[0], f"127.0.0.1:{other.port}", ports[0]),
                                 (f"127.0.0.1:{other.port}", ports[1], ports[1])):
        done = run_cli("demo", "--listen", proxy, "--admin-listen", "off", "--sandbox-listen",
                       sandbox)
        assert done.returncode == 1
        assert busy in done.stderr and "in use" in done.stderr and "listen" in done.stderr
        assert "Ctrl-C" not in done.stdout
    other.close()


@pytest.mark.parametrize("command", ["demo", "sandbox"])
@pytest.mark.parametrize("arguments, words", [
    (["--nonsense"], "--nonsense"),
    (["--listen"], "--listen"),
    (["--token-lifetime", "4"], "4"),
    (["more"], "more"),
])
def test_a_wrong_option_is_one_line(command, arguments, words):
    done = run_cli(command, *arguments)
    assert done.returncode == 64
    assert done.stdout == "" and done.stderr.count("\n") == 1
    assert words in done.stderr and "--help" in done.stderr


def test_the_demo_s_sandbox_must_be_on_loopback():
    done = run_cli("demo", "--sandbox-listen", "0.0.0.0:8090")
    assert done.returncode == 64
    assert "loopback" in done.stderr and done.stderr.count("\n") == 1


# --- the sandbox --------------------------------------------------------------------------------


@pytest.fixture
def sandbox(start, ports):
    def sandbox(*options):
        command = start("sandbox", "--listen", ports[1], *options)
        command.wait_output("http://")
        return command
    return sandbox


@pytest.fixture
def proxy(run, ports):
    """A bearerd with the configuration that the sandbox prints for itself."""
    return lambda: run(run_cli("sandbox", "--listen", ports[1], "--print-config").stdout)


def test_a_provider_that_forgot_its_tokens_gets_asked_again(sandbox, proxy, ports):
    """Each provider's own refusal is understood: a new token, and the request once more."""
    first = sandbox()
    daemon = proxy()
    address = f"127.0.0.1:{daemon.port}"
    before = {provider: use(address, provider) for provider in PROVIDERS}
    first.stop()
    sandbox()
    after = {provider: use(address, provider) for provider in PROVIDERS}
    assert all(before[provider] != after[provider] for provider in PROVIDERS)


def test_business_results_pass_unchanged(sandbox, proxy, ports):
    sandbox()
    address = f"127.0.0.1:{proxy().port}"
    status, answer = ask(address, "POST", "/kra/selectItemList", "{}")
    assert status == 400 and answer["resultCd"] == "001"
    status, answer = ask(address, "POST", "/bambora/payments/declined/capture", "{}")
    assert status == 402 and answer["title"] == "Payment declined"
    status, answer = ask(address, "POST", "/bambora/payments/modified/capture", "{}")
    assert status == 409 and "another request" in answer["detail"]


def test_it_serves_ipv6_too(start):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        held = HeldPort("::1")
    except OSError:
        pytest.skip("no IPv6 loopback here")
    command = start("sandbox", "--listen", f"[::1]:{held.port}")
    command.wait_output(re.escape(f"http://[::1]:{held.port}/"))
    status, _ = ask(f"[::1]:{held.port}", "GET", "/bambora/v1/payments")
    assert status == 401
    command.stop(signal.SIGINT)
    held.close()


def test_its_busy_address_is_one_clear_sentence(sandbox, ports):
    sandbox()
    done = run_cli("sandbox", "--listen", ports[1])
    assert done.returncode == 1
    assert ports[1] in done.stderr and "in use" in done.stderr and "--listen" in done.stderr
    assert done.stderr.count("\n") == 1


# --- scripts/run --------------------------------------------------------------------------------


def run_script(*arguments):
    return subprocess.run([ROOT / "scripts/run", "--bearerd", os.environ["BEARERD"], *arguments],
                          capture_output=True, text=True, timeout=45, stdin=subprocess.DEVNULL)


def test_the_script_shows_five_requests_and_answers(ports):
    done = run_script("--once", "--listen", ports[0], "--admin-listen", "off",
                      "--sandbox-listen", ports[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("$ curl http://") == len(PROVIDERS)
    assert done.stdout.count('"received"') == len(PROVIDERS)


def test_the_script_fails_when_the_demo_cannot_start(ports):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        address = f"127.0.0.1:{busy.getsockname()[1]}"
        done = run_script("--once", "--listen", address, "--admin-listen", "off",
                          "--sandbox-listen", ports[1])
    assert done.returncode == 1
    assert address in done.stderr and "in use" in done.stderr


def test_the_script_runs_a_configuration(tmp_path):
    path = tmp_path / "broken.ini"
    path.write_text("[provider p]\ntoken_ur = x\n")
    done = run_script("-c", str(path))
    assert done.returncode == 78
    assert "token_ur" in done.stderr
