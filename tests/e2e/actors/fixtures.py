"""Hooks and fixtures for conftest.py: each test gets fresh actors and leaves nothing behind."""

import os
import pathlib
import signal

import pytest

from .bearerd import Bearerd, section
from .between import Between
from .browser import browser, chromium  # noqa: F401: fixtures
from .canary import Canary
from .fleet import SIZE, Fleet, store_key
from .idp import Idp
from .redis import BINARY as REDIS, Redis
from .tls import Tls
from .upstream import EchoApi, Upstream

# The rules of HTTP are the same over TLS: CTest runs some files a second time, as e2e.tls_<name>.
OVER_TLS = bool(os.environ.get("E2E_OVER_TLS"))

TEST_TIMEOUT = 50  # seconds for one test, whatever it waits for


def pytest_configure(config):
    if not os.environ.get("BEARERD"):
        raise pytest.UsageError("the environment must say which binary to test: BEARERD=PATH")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    def expired(*_):
        raise AssertionError(f"the test took longer than {TEST_TIMEOUT} s")
    signal.signal(signal.SIGALRM, expired)
    signal.alarm(TEST_TIMEOUT)
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    stage = getattr(item, "stage", None)
    if report.failed and stage:
        for daemon in stage.daemons:
            report.sections.append((f"{daemon.config_path.name}", daemon.config_path.read_text()))
            report.sections.append(("bearerd stderr", daemon.stderr[-20000:]))
            report.sections.append(("bearerd stdout", daemon.stdout_bytes.decode()[-4000:]))
        for server in stage.servers:
            seen = "\n".join(map(repr, getattr(server, "requests", [])[-20:]))
            report.sections.append((f"{server.name} {server.authority}", seen))


class Stage:
    """All actors of one test; the curtain falls for them together."""

    def __init__(self, binary, folder):
        self.binary, self.folder = pathlib.Path(binary).resolve(), folder
        self.canary = Canary()
        self.daemons, self.servers = [], []

    def add(self, server):
        self.servers.append(server)
        return server

    def bearerd(self, config="", **options):
        name = f"bearerd{len(self.daemons) or ''}"
        daemon = Bearerd(self.binary, self.folder, config, name=name, **options)
        self.daemons.append(daemon)
        return daemon

    def curtain(self):
        problems = []
        for actor in self.daemons:
            try:
                actor.close()
            except AssertionError as error:
                problems.append(str(error))
                actor.kill()
        for server in self.servers:
            problems += server.failures[:3]  # one is telling, three hundred are not
            server.stop()
        for daemon in self.daemons:
            problems += [f"secret in a log: {leak}" for leak in
                         self.canary.leaks(daemon.evidence())]
        assert not problems, "\n".join(problems)


@pytest.fixture
def stage(request, tmp_path):
    stage = Stage(os.environ["BEARERD"], tmp_path)
    request.node.stage = stage
    yield stage
    stage.curtain()


@pytest.fixture
def canary(stage):
    return stage.canary


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    return Tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def idp(stage):
    """The token endpoint."""
    return stage.add(Idp(stage.canary))


@pytest.fixture
def api(stage, idp):
    """An API that echoes, and accepts only the idp's valid tokens."""
    return stage.add(EchoApi(idp))


@pytest.fixture
def upstream(stage):
    """Makes a raw upstream from scripts, one per connection."""
    return lambda *scripts, **options: stage.add(Upstream(*scripts, **options))


@pytest.fixture
def redis(stage):
    """A real redis-server."""
    if not REDIS:
        pytest.skip("no redis-server here")
    return stage.add(Redis(stage.folder / "redis").start())


@pytest.fixture
def between(stage, redis):
    """What Redis can be reached through."""
    return stage.add(Between(redis.port))


@pytest.fixture
def fleet_of(run, provider, api, redis, canary):
    """Makes instances that share tokens through Redis; keywords are keys of [store]."""
    config = provider() + section("route all", {"provider": "idp", "upstream": api.origin})
    key = store_key(canary)

    def make(size=SIZE, **store):
        return Fleet(run, config, size, **{"redis": redis.url, "key": key, **store})
    return make


@pytest.fixture
def configure(stage):
    """Makes a bearerd with a configuration, not started."""
    return stage.bearerd


@pytest.fixture
def run(stage, request):
    """Makes a bearerd with a configuration and starts it."""
    if OVER_TLS:
        return request.getfixturevalue("run_tls")
    return lambda config="", **options: stage.bearerd(config, **options).start()


@pytest.fixture
def run_tls(stage, tls, tmp_path):
    """The same with a listener that speaks TLS, and clients that do."""
    def run_tls(config="", server=None, **options):
        cert, key = tls.files(tmp_path)
        daemon = stage.bearerd(
            config, server={"tls_cert": cert, "tls_key": key, **(server or {})}, **options)
        # GnuTLS allocates for each record; what was freed must not count as growth
        daemon.environment["ASAN_OPTIONS"] += (":quarantine_size_mb=4"
                                               ":thread_local_quarantine_size_kb=64")
        daemon.tls = tls.client_context()
        return daemon.start()
    return run_tls


@pytest.fixture
def provider(idp, canary):
    """The text of a [provider NAME] section for the idp; keywords add keys."""
    def text(name="idp", idp=idp, **keys):
        settings = {
            "token_url": idp.url,
            "client_id": "literal:the-client",
            "client_secret": f"literal:{canary.secret('client-secret')}",
            **keys,
        }
        return section(f"provider {name}", settings)
    return text


@pytest.fixture
def proxy(run, provider, api):
    """The plainest setting: one provider, one route for everything to the echo API."""
    return run(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))
