"""Whom upstreams and token endpoints are believed by: a CA file that changes, sessions that are resumed."""

import os
import shutil

import pytest
from actors import EchoApi, Idp, Tls, Upstream, section
from actors.reloading import Reloading

ONE = {"workers": "1"}  # each worker has connections and sessions of its own


@pytest.fixture
def ca_file(tls, tmp_path):
    """A file with the tests' authority, and a way to put another in its place."""
    class CaFile:
        path = tmp_path / "trusted.pem"

        def put(self, authority):
            shutil.copyfile(authority.ca_file, tmp_path / "new.pem")
            os.replace(tmp_path / "new.pem", self.path)

    file = CaFile()
    file.put(tls)
    return file


@pytest.fixture
def stranger(tmp_path_factory):
    return Tls(tmp_path_factory.mktemp("stranger"))


def config(origin, ca_file, keys=""):
    return section("route all", {"provider": "none", "upstream": origin,
                                 "ca_file": ca_file.path}) + keys


# --- a file that changes ----------------------------------------------------------------------------


def test_an_authority_that_goes_and_comes_back(run, stage, idp, tls, ca_file, stranger):
    api = stage.add(EchoApi(None, tls=tls.server_context("127.0.0.1")))
    bearerd = run(config(api.origin, ca_file), server=ONE)
    reload = Reloading(bearerd)
    assert bearerd.get("/x").status == 200

    ca_file.put(stranger)
    assert bearerd.get("/x").status == 200  # what counts is what it was at the last reload
    reload()
    answer = bearerd.get("/x")  # over none of the connections that the old file let through
    assert (answer.status, answer.problem()["code"]) == (502, "upstream_tls")

    ca_file.put(tls)
    reload()
    assert bearerd.get("/x").status == 200


def test_a_file_that_stays_keeps_connections(run, stage, tls, ca_file):
    api = stage.add(EchoApi(None, tls=tls.server_context("127.0.0.1")))
    bearerd = run(config(api.origin, ca_file), server=ONE)
    reload = Reloading(bearerd)
    for max_body in ("1m", "2m", "3m"):
        assert bearerd.get("/x").status == 200
        reload(config(api.origin, ca_file, f"max_body = {max_body}\n"), ONE)
    assert bearerd.get("/x").status == 200
    assert api.accepted == 1


def test_the_token_endpoints_authority_changes(run, stage, provider, canary, tls, ca_file,
                                               stranger):
    idp = stage.add(Idp(canary, tls=tls.server_context("127.0.0.1")))
    api = stage.add(EchoApi(idp))
    bearerd = run(provider(idp=idp, ca_file=ca_file.path, scope="one") + section(
        "route all", {"provider": "idp", "upstream": api.origin}))
    assert bearerd.get("/x").status == 200
    ca_file.put(stranger)
    Reloading(bearerd)(provider(idp=idp, ca_file=ca_file.path, scope="two") + section(
        "route all", {"provider": "idp", "upstream": api.origin}))
    answer = bearerd.get("/x")
    assert (answer.status, answer.problem()["code"]) == (503, "token_unavailable")
    assert idp.count == 1


# --- sessions ---------------------------------------------------------------------------------------


class Resumed(Upstream):
    """Ends each connection after its answer, and notes which of them resumed a session."""

    def __init__(self, tls):
        self.resumed = []
        super().__init__(self.once, tls=tls)

    def once(self, peer):
        if peer.read_request() is not None:
            self.resumed.append(peer.stream.sock.session_reused)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def test_sessions_are_resumed_while_the_file_stays(run, stage, tls, ca_file, stranger):
    upstream = stage.add(Resumed(tls.server_context("127.0.0.1")))
    bearerd = run(config(upstream.origin, ca_file), server=ONE)
    reload = Reloading(bearerd)
    for _ in range(4):
        assert bearerd.get("/x").status == 200
    reload()
    assert bearerd.get("/x").status == 200
    assert upstream.resumed == [False, True, True, True, True]

    ca_file.put(stranger)
    ca_file.put(tls)  # the same authority again, but nobody knows that
    reload()
    assert [bearerd.get("/x").status for _ in range(2)] == [200, 200]
    assert upstream.resumed[5:] == [False, True]
