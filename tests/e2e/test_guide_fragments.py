"""What else config/README.md shows beside its worked examples: pieces of configurations, commands, and the
files of other programs. Each is taken as it stands, but for ports, folders and host names."""

import os
import pathlib
import re
import shutil
import subprocess
import textwrap
import urllib.parse

import pytest
from actors import Redis, section, wait_until
from actors.redis import BINARY as REDIS

GUIDE = (pathlib.Path(__file__).resolve().parents[2] / "config/README.md").read_text()
BASE = """
[provider bambora]
preset = bambora
client_id = literal:the-client
client_secret = literal:the-secret

[route payments]
path = /bambora/
provider = bambora
upstream = https://api.bambora.com/v1/
"""


def blocks():
    """All indented blocks, and fenced ones that name no language: those that do are other tests'."""
    fences = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    fenced = [text for language, text in fences.findall(GUIDE) if not language]
    indented = re.findall(r"(?:^    .*\n|^\n(?=    ))+", fences.sub("", GUIDE), re.MULTILINE)
    return [textwrap.dedent(one).strip("\n") + "\n" for one in fenced + indented if one.strip()]


def block(start):
    [found] = [one for one in blocks() if one.startswith(start)]
    return found


# The first line of each, and the test that has it.
KNOWN = {
    "[provider bambora]": "the first configuration",
    "bearerd.ini:12: [provider bambora] token_ur: unknown key; did you mean token_url?": "a mistake",
    "[server]": "a TLS listener",
    "[caller shop]": "a caller by its certificate",
    "# both are good": "a caller with two keys: test_guide_gateway",
    "/var/log/bearerd/access.log {": "logrotate",
    "[store]": "a store",
    "; /etc/stunnel/redis.conf, then: redis = redis://127.0.0.1:6380": "stunnel",
}


def test_all_blocks_are_known():
    assert {one.partition("\n")[0] for one in blocks()} == KNOWN.keys()


def run(*words, **options):
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, **options)
    assert done.returncode == 0, done
    return done.stdout


def fresh_key(folder, name):
    """What the guide's command makes of it."""
    [command] = re.findall(r"^(openssl rand .*) > store\.key$", GUIDE, re.MULTILINE)
    path = folder / name
    path.touch(0o600)
    path.write_text(run(*command.split()))
    return path


# --- a whole configuration ------------------------------------------------------------------------


@pytest.fixture
def first(configure, tmp_path, canary):
    """The page's first configuration, in a folder of its own under the name that its commands use."""
    daemon = configure()
    secret = tmp_path / "bambora"
    secret.touch(0o600)
    secret.write_text(canary.secret("client-secret"))
    daemon.environment["BAMBORA_CLIENT_ID"] = "the-client"
    daemon.config_path = tmp_path / "bearerd.ini"
    daemon.write_config(ini=block("[provider bambora]").replace("/run/secrets/bambora", str(secret)))
    return daemon


def test_the_first_configuration(first):
    commands = re.findall(r"^bearerd (check|dump) -c bearerd\.ini$", GUIDE, re.MULTILINE)
    assert commands == ["check", "dump"]
    for command in commands:
        assert first.run_cli(command, "-c", "bearerd.ini").status == 0
    explained = first.run_cli("explain", "-c", "bearerd.ini", "GET", "/bambora/payments").stdout
    assert "https://api.bambora.com/v1/payments" in explained


def test_a_mistake_is_told_as_shown(first):
    place = block("bearerd.ini:12:").strip()
    lines = first.config_path.read_text().splitlines()
    lines = lines[:4] + [""] * 7 + ["token_ur = https://127.0.0.1/"] + lines[4:]
    first.write_config(ini="\n".join(lines))
    result = first.run_cli("check", "-c", "bearerd.ini")
    assert result.status == 78
    assert place in result.output


# --- pieces ---------------------------------------------------------------------------------------


def test_tls_listener(configure, tls, tmp_path, provider, api):
    """On TLS, plain and a unix socket, the command for the last included."""
    cert, key = tls.files(tmp_path, name="gateway")
    daemon = configure()
    group = run("id", "-gn").strip()
    piece = block("[server]")
    for old, new in (("0.0.0.0:8443", f"127.0.0.1:{daemon.admin_port}"),
                     ("127.0.0.1:8080", f"127.0.0.1:{daemon.port}"), ("group=shop", f"group={group}"),
                     ("/run/bearerd", str(tmp_path)), ("/etc/bearerd", str(tmp_path))):
        assert old in piece
        piece = piece.replace(old, new)
    routes = section("route payments", {"path": "/bambora/", "provider": "idp",
                                        "upstream": api.origin + "/v1/"})
    daemon.write_config(ini=f"{piece}admin_listen = off\nlog_level = debug\n{provider()}{routes}")
    daemon.start()
    [command] = re.findall(r"`curl (--unix-socket .*?)`", GUIDE)
    for arguments in (command.replace("/run/bearerd", str(tmp_path)).split(),
                      [f"http://127.0.0.1:{daemon.port}/bambora/payments/17"],
                      ["--cacert", str(tls.ca_file),
                       f"https://localhost:{daemon.admin_port}/bambora/payments/17"]):
        assert '"/v1/payments/17"' in run("curl", "--silent", "--fail", "--noproxy", "*", *arguments)
    assert (tmp_path / "proxy.sock").stat().st_mode & 0o777 == 0o660
    assert cert.exists() and key.exists()


def test_caller_by_certificate(configure, tls, tmp_path):
    """What the guide's command prints are values of tls_subject and tls_fingerprint."""
    [command] = re.findall(r"^(openssl x509 .*)$", GUIDE, re.MULTILINE)
    tls.files(tmp_path, "localhost", name="gateway")
    tls.files(tmp_path, "shop.example", name="shop", common_name="shop", organization_name="Example")
    subject, fingerprint = (line.partition("=")[2] for line in
                            run(*command.split(), cwd=tmp_path).splitlines())
    server = (f"[server]\ntls_cert = {tmp_path}/gateway.pem\ntls_key = {tmp_path}/gateway.key\n"
              f"tls_client_ca = {tls.ca_file}\n")
    daemon = configure()
    for caller in (block("[caller shop]"), f"[caller shop]\ntls_subject = {subject}\n",
                   f"[caller shop]\ntls_fingerprint = {fingerprint}\n"):
        daemon.write_config(ini=server + BASE + caller)
        result = daemon.check()
        assert result.status == 0, result


def test_stores(configure, tmp_path, canary):
    """Both are valid, with keys as the guide's command makes them."""
    password = tmp_path / "redis.password"
    password.touch(0o600)
    password.write_text(canary.secret("redis-password"))
    fresh_key(tmp_path, "store.key")
    stores = [one for one in blocks() if one.startswith("[store]")]
    assert [re.search(r"^(file|redis) ", one, re.MULTILINE)[1] for one in stores] == ["file", "redis"]
    daemon = configure()
    for store in stores:
        daemon.write_config(ini=BASE + store.replace("/etc/bearerd", str(tmp_path))
                            .replace("/var/lib/bearerd", str(tmp_path)))
        result = daemon.check()
        assert result.status == 0, result


# --- other programs -------------------------------------------------------------------------------


@pytest.fixture
def stunnel(tmp_path):
    """Starts stunnel in the foreground with a configuration."""
    binary = shutil.which("stunnel4") or shutil.which("stunnel")
    if not binary:
        pytest.skip("no stunnel here")
    processes = []

    def start(text):
        path = tmp_path / "stunnel.conf"
        path.write_text(f"foreground = yes\npid =\n{text}")
        processes.append(subprocess.Popen([binary, path], stdin=subprocess.DEVNULL,
                                          stdout=open(tmp_path / "stunnel.log", "wb"),
                                          stderr=subprocess.STDOUT))
    yield start
    for process in processes:
        process.terminate()
        process.wait(10)


def test_redis_through_stunnel(stage, run, tls, tmp_path, stunnel, provider, api, idp, canary):
    if not REDIS:
        pytest.skip("no redis-server here")
    cert, key = tls.files(tmp_path, "redis.internal", "localhost", name="redis")
    entry = stage.bearerd()  # never started: it holds two ports
    server = stage.add(Redis(tmp_path / "tls", tls_port=entry.admin_port, tls_cert_file=cert,
                             tls_key_file=key, tls_ca_cert_file=tls.ca_file,
                             tls_auth_clients="no").start())
    text = block("; /etc/stunnel")
    assert "redis://127.0.0.1:6380" in text.splitlines()[0]
    for old, new in (("127.0.0.1:6380", f"127.0.0.1:{entry.port}"),
                     ("redis.internal:6380", f"localhost:{entry.admin_port}"),
                     ("/etc/ssl/certs/ca-certificates.crt", str(tls.ca_file))):
        assert old in text
        text = text.replace(old, new)
    stunnel(text)
    [redis] = re.findall(r"then: redis = (\S+)$", text, re.MULTILINE)
    store = section("store", {"redis": redis, "patience": "4s", "key": "literal:" + canary.secret(
        "store-key", fresh_key(tmp_path, "store.key").read_text().strip())})
    config = provider() + section("route all", {"provider": "idp", "upstream": api.origin}) + store
    assert urllib.parse.urlsplit(redis).port == entry.port
    for one in [run(config) for _ in range(2)]:
        wait_until(lambda: one.metric("bearerd_store_up") == 1, "the store to be up", 20)
        assert one.get("/").status == 200
    assert idp.count == 1
    assert server.keys()


def test_logrotate(run, tmp_path, provider, api):
    """The log goes on in a new file, and no line is lost."""
    if not shutil.which("logrotate", path="/usr/sbin:/usr/bin"):
        pytest.skip("no logrotate here")
    folder = tmp_path / "log"
    folder.mkdir(0o755)
    log = folder / "access.log"
    daemon = run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}),
                 server={"access_log": str(log)})
    systemctl = tmp_path / "systemctl"
    systemctl.write_text('#!/bin/sh\n[ "$*" = "kill -s USR1 bearerd" ] || exit 1\n'
                         f"kill -s USR1 {daemon.process.pid}\n")
    systemctl.chmod(0o755)
    rules = tmp_path / "rules"
    rules.write_text(block("/var/log").replace("/var/log/bearerd", str(folder)))
    rules.chmod(0o644)
    assert daemon.get("/before").status == 200
    wait_until(lambda: log.exists() and "path=/before" in log.read_text(), "the first line")
    subprocess.run(["logrotate", "--force", "--state", tmp_path / "state", rules], check=True,
                   timeout=30, env={"PATH": f"{tmp_path}:{os.environ['PATH']}:/usr/sbin"})
    wait_until(log.exists, "a new file")
    assert daemon.get("/after").status == 200
    wait_until(lambda: "path=/after" in log.read_text(), "a line in it")
    assert "path=/before" in (folder / "access.log.1").read_text()
