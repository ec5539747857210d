"""The gateway's part of config/README.md, read and done as it stands: TLS, certificates, a socket
file, the rotation of a key, and who used what."""

import os
import re
import shlex
import subprocess

import pytest
from actors import Client
from actors.ports import HeldPort
from actors.reloading import Reloading
from test_examples import GUIDE, Example
from test_gateway_tls import with_name

GATEWAY = GUIDE.read_text().partition("\n### Gateway\n")[2].partition("\n### ")[0]


def block_with(words):
    """The one fenced or indented block of the guide that has these words."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", GATEWAY, re.MULTILINE | re.DOTALL)
    blocks += [re.sub("^    ", "", one, flags=re.MULTILINE)
               for one in re.findall(r"(?:^    .*\n)+", GATEWAY, re.MULTILINE)]
    [block] = [block for block in blocks if words in block]
    return block


@pytest.fixture
def gateway(stage, tmp_path, idp, api):
    return Example(stage, tmp_path, "Gateway", idp, api)


def test_a_key_is_replaced(gateway, canary, tmp_path):
    bearerd, reload = gateway.bearerd, Reloading(gateway.bearerd)
    old, new = gateway.named["shop_key"], canary.secret("the-next-key-of-the-shop")
    following = tmp_path / "shop_key_next"
    following.touch(0o600)
    following.write_text(new)

    def ask(key):
        return bearerd.get("/bambora/payments/17", [("X-Api-Key", key)]).status

    def known_by(count):
        return sorted(line["by"] for line in bearerd.access_log(count))
    lines = block_with("api_key_next").replace("/run/secrets/bearerd", str(tmp_path))
    both = re.sub(r"\[caller shop\]\n.*\n", lambda _: lines, gateway.ini)
    assert both != gateway.ini
    assert (ask(old), ask(new)) == (200, 401)
    reload(ini=both)
    assert (ask(old), ask(new)) == (200, 200)
    assert known_by(4) == ["-", "api_key", "api_key", "api_key_next"]
    (tmp_path / "shop_key").write_text(new)
    reload(ini=gateway.ini)
    assert (ask(new), ask(old)) == (200, 401)


def test_tls_certificates_and_a_socket_file(gateway, tls, tmp_path):
    bearerd, secure = gateway.bearerd, HeldPort()
    cert, key = tls.files(tmp_path, "127.0.0.1", "bearerd.payments", name="gateway")
    path, _ = with_name(tls, tmp_path, [[("CN", "shop")], [("O", "Example")]], "shop.pem")
    keys = block_with("tls_cert = /etc/bearerd/gateway.pem") + f"tls_client_ca = {tls.ca_file}\n"
    for of_guide, here in (("0.0.0.0:8443", f"127.0.0.1:{secure.port}"), (":8080 ", f":{bearerd.port} "),
                           ("/run/bearerd/", f"{tmp_path}/"), ("/etc/bearerd/", f"{tmp_path}/"),
                           ("group=shop", f"group={os.getgid()}")):
        assert of_guide in keys
        keys = keys.replace(of_guide, here)
    subject = block_with("tls_subject").partition("\n")[2]
    ini = re.sub(r"\[server\]\n", lambda _: keys, re.sub("^listen .*\n", "", gateway.ini, flags=re.M))
    ini = re.sub(r"\[caller shop\]\n", lambda _: f"[caller shop]\n{subject}", ini)
    Reloading(bearerd)(ini=ini)

    shown = subprocess.run(shlex.split(block_with("openssl x509")), cwd=tmp_path, capture_output=True,
                           text=True, check=True).stdout
    assert subject.partition("= ")[2].strip() in shown and "ingerprint=" in shown
    with_key = [("X-Api-Key", gateway.named["shop_key"])]
    target, host = "/bambora/payments/17", "bearerd.payments"
    for client, fields, by in (
            (Client(secure.port, tls=tls.client_context(path)), [], "tls_subject"),
            (Client(secure.port, tls=tls.client_context()), with_key, "api_key"),
            (Client(bearerd.port), with_key, "api_key"),
            (Client(path=tmp_path / "proxy.sock"), with_key, "api_key"),
            (Client(secure.port, tls=tls.client_context()), [], None)):
        with client:
            assert client.get(target, fields, host).status == (200 if by else 401)
    known = sorted((line["caller"], line["by"]) for line in bearerd.access_log(5))
    assert known == sorted([("shop", "tls_subject")] + [("shop", "api_key")] * 3 + [("-", "-")])
    secure.close()


def test_who_used_what(gateway):
    gateway.run()
    gateway.bearerd.get("/bambora/payments/17")
    command = block_with("/metrics").replace(":8081", f":{gateway.bearerd.admin_port}")
    done = subprocess.run([*shlex.split(command), "--silent"], capture_output=True, text=True,
                          check=True, timeout=20)
    named = re.findall(r"`(bearerd_\w+\{[^`]*\})`", GATEWAY)
    assert len(named) == 2
    for name in named:
        assert f"\n{name} " in done.stdout, name
