"""docker/kubernetes/fleet.yaml, run as it stands but for addresses, folders and time limits: its Redis by
the command of its container, and as many bearerd as it has replicas, with the configuration of its map."""

import base64
import os
import pathlib
import re

import pytest
import yaml
from actors import Redis
from actors.redis import BINARY

MANIFEST = pathlib.Path(__file__).resolve().parents[2] / "docker/kubernetes/fleet.yaml"
HOST = "bearerd.payments:8080"


class ManifestRedis(Redis):
    """Redis as the container's command starts it; its configuration has this test's port and folder."""

    def __init__(self, folder, script, password_file):
        super().__init__(folder, requirepass=password_file.read_text())
        script = script.replace("/run/secrets/redis/redis_password", str(password_file))
        self.script, count = re.subn(r"^dir /data$", f"dir {folder}\nport {self.port}\nbind 127.0.0.1",
                                     script, flags=re.MULTILINE)
        assert count == 1

    def command_line(self, arguments):
        return ["sh", "-c", self.script]


class Manifest:
    def __init__(self):
        documents = list(yaml.safe_load_all(MANIFEST.read_text()))
        self.parts = {(one["kind"], one["metadata"]["name"]): one for one in documents}

    @property
    def replicas(self):
        return self.parts["Deployment", "bearerd"]["spec"]["replicas"]

    @property
    def ini(self):
        return self.parts["ConfigMap", "bearerd"]["data"]["bearerd.ini"]

    @property
    def redis_script(self):
        pod = self.parts["StatefulSet", "bearerd-redis"]["spec"]["template"]["spec"]
        [container] = pod["containers"]
        shell, option, script = container["command"]
        assert (shell, option) == ("sh", "-c")
        return script


@pytest.fixture
def secrets(tmp_path, canary):
    """A folder with the files that the commands at the manifest's top make."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    values = {name: canary.secret(name) for name in
              ("client_id", "client_secret", "shop_key", "redis_password")}
    values["store_key"] = canary.secret("store_key", base64.b64encode(os.urandom(32)).decode())
    for name, value in values.items():
        (folder / name).write_text(value)
        (folder / name).chmod(0o600)
    return folder


@pytest.fixture
def redis(stage, tmp_path, secrets):
    if not BINARY:
        pytest.skip("no redis-server here")
    return stage.add(ManifestRedis(tmp_path / "redis", Manifest().redis_script,
                                   secrets / "redis_password").start())


@pytest.fixture
def fleet(stage, secrets, redis, idp, api):
    manifest = Manifest()

    def start():
        daemon = stage.bearerd()
        ini = manifest.ini
        for pattern, by in ((r":8080$", f":{daemon.port}"), (r":8081$", f":{daemon.admin_port}"),
                            (r"/run/secrets/bearerd", str(secrets)),
                            (r"redis://\S+$", f"{redis.url}\npatience = 4s"),
                            (r"^preset .*$", rf"\g<0>\ntoken_url = {idp.url}"),
                            (r"https://api\.bambora\.com", api.origin)):
            ini, count = re.subn(pattern, by, ini, flags=re.MULTILINE)
            assert count, pattern
        daemon.environment["POD_IP"] = "127.0.0.1"
        daemon.write_config(ini=ini)
        daemon.has_admin = True
        return daemon.start()
    return [start() for _ in range(manifest.replicas)]


def test_a_fleet_of_three_asks_once(fleet, idp, secrets):
    key = (secrets / "shop_key").read_text()
    assert len(fleet) == 3
    for one in fleet:
        answer = one.get("/bambora/payments/17", [("X-Api-Key", key)], HOST)
        assert (answer.status, answer.json()["target"]) == (200, "/v1/payments/17")
        assert one.get("/bambora/payments/17", host=HOST).status == 401
        assert one.admin("/readyz")[0] == 200
    assert idp.count == 1


def test_redis_keeps_what_it_has_and_shows_no_password(fleet, idp, redis, secrets):
    key = (secrets / "shop_key").read_text()
    assert fleet[0].get("/bambora/", [("X-Api-Key", key)], HOST).status == 200
    assert redis.keys()
    arguments = pathlib.Path(f"/proc/{redis.process.pid}/cmdline").read_bytes()
    assert arguments.startswith(b"redis-server") and redis.options["requirepass"].encode() not in arguments
    before = redis.keys()
    redis.kill()
    redis.start()
    assert set(redis.keys()) & set(before)
