"""README.md, "Use it": its configuration and its commands, as they stand but for ports, the secret's place and
the origin of the API. That scripts/run starts from nothing is shown by scripts/test-fresh."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import textwrap

import pytest
from actors import Client, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
USE = README.partition("\n## Use it\n")[2].partition("\n## ")[0]


def commands():
    return [line for block in re.findall(r"^```sh\n(.*?)^```", USE, re.MULTILINE | re.DOTALL)
            for line in block.splitlines()]


@pytest.fixture
def used(configure, tmp_path, idp, api, canary):
    """The configuration of the page as a file bearerd.ini in a folder of its own."""
    daemon = configure()
    secret = tmp_path / "bambora"
    secret.touch(0o600)
    secret.write_text(canary.secret("client-secret"))
    ini = textwrap.dedent("".join(re.findall(r"(?:^    .*\n|^\n(?=    ))+", USE, re.MULTILINE)))
    for old, new in (("/run/secrets/bambora", str(secret)), ("https://api.bambora.com", api.origin),
                     ("= bambora\n", f"= bambora\ntoken_url = {idp.url}\n")):
        assert old in ini
        ini = ini.replace(old, new, 1)
    daemon.environment["BAMBORA_CLIENT_ID"] = "the-client"
    daemon.config_path = tmp_path / "bearerd.ini"
    daemon.write_config(ini=f"{ini}\n[server]\nlisten = 127.0.0.1:{daemon.port}\n"
                            f"admin_listen = 127.0.0.1:{daemon.admin_port}\n")
    return daemon


def pay(daemon):
    """The page's curl command; what the API received."""
    words = shlex.split(commands()[2].replace(":8080", f":{daemon.port}"))
    done = subprocess.run([*words, "--silent", "--noproxy", "*"], capture_output=True, text=True,
                          timeout=30)
    return json.loads(done.stdout)


def test_the_commands(used, api):
    check, run, curl = commands()
    assert check.split()[:2] == ["bearerd", "check"] and run.split()[:2] == ["bearerd", "run"]
    assert used.run_cli(*check.split()[1:]).status == 0
    assert run.split()[1:] == ["run", "-c", used.config_path.name]
    used.start()
    assert pay(used)["target"] == "/v1/payments"
    assert api.requests[-1].fields.get("Authorization").startswith("Bearer ")
    assert api.requests[-1].fields.get("API-Version") == "1"


def test_the_script_runs_a_configuration(used, tmp_path):
    """scripts/run -c bearerd.ini, from the source tree."""
    assert "`scripts/run -c bearerd.ini`" in USE
    process = subprocess.Popen([ROOT / "scripts/run", "--bearerd", used.binary, "-c", "bearerd.ini"],
                               cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=used.environment)
    try:
        def listens():
            assert process.poll() is None
            return not used.refuses_connections()
        wait_until(listens, "bearerd to listen", 20)
        assert pay(used)["target"] == "/v1/payments"
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_the_presets_are_those_named(used):
    said = re.search(r"`bearerd presets` lists the\s+providers that need only your credentials: (.*?)\. ", USE,
                     re.DOTALL)[1]
    listed = used.run_cli("presets").stdout
    for name in re.split(r",\s+|\s+and\s+", said):
        assert name.split()[0].lower() in listed.lower(), name


def test_a_program_that_takes_a_proxy(used, api):
    """http_proxy, and a route with host."""
    text = used.config_path.read_text().replace("path     = /bambora/", "host     = api.bambora.com")
    used.write_config(ini=text)
    used.start()
    [proxy] = re.findall(r"`http_proxy=(\S+)`", USE)
    done = subprocess.run(["curl", "--silent", "http://api.bambora.com/payments"], timeout=30,
                          capture_output=True, text=True, env={
                              "PATH": os.environ["PATH"],
                              "http_proxy": proxy.replace(":8080", f":{used.port}")})
    assert json.loads(done.stdout)["target"] == "/v1/payments"
    assert api.requests[-1].fields.get("Authorization").startswith("Bearer ")


def test_its_picture_is_what_happens(used, api):
    """The request before and after, at the top of the page."""
    picture = re.search(r"^    what the program sends.*?\n\n\S", README, re.MULTILINE | re.DOTALL)[0]
    left = [line[4:46].rstrip() for line in picture.splitlines()[2:-1]]
    right = [line[46:].replace("(over TLS)", "").strip() for line in picture.splitlines()[2:-1]]
    used.start()
    with Client(used.port) as client:
        body = left.pop().strip() or left.pop().strip()
        head = [line for line in left if line and "{" not in line]
        client.send(("\r\n".join([*head, f"Content-Length: {len(body)}"]).replace(
            "8080", str(used.port)) + "\r\n\r\n" + body).encode())
        assert client.read("POST").status == 200
    arrived = api.requests[-1]
    assert f"{arrived.method} {arrived.target} HTTP/1.1" == right[0]
    for name, value in (line.split(": ", 1) for line in right[1:] if ": " in line and "{" not in line):
        if name not in ("Host", "Authorization"):
            assert arrived.fields.get(name) == value, name
    assert arrived.fields.get("Authorization").startswith("Bearer ")
    assert arrived.body.decode() == body and body in right
