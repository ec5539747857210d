"""bearerd health: what a container's probe asks."""

import pytest
from actors import section


@pytest.fixture
def bearerd(configure, provider, api):
    return configure(provider() + section("route all", {"provider": "idp", "upstream": api.origin}))


def health(bearerd):
    return bearerd.run_cli("health", "-c", bearerd.config_path)


def test_ready(bearerd):
    bearerd.start()
    result = health(bearerd)
    assert result.status == 0 and result.stdout == "ready\n" and result.stderr == ""


def test_not_there(bearerd):
    result = health(bearerd)
    assert result.status == 1 and result.stdout == ""
    assert f"127.0.0.1:{bearerd.admin_port}" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_not_ready(bearerd, idp):
    bearerd.start()
    idp.always(idp.answer(401, {"error": "invalid_client"}))
    assert bearerd.get("/x").status == 502
    result = health(bearerd)
    assert result.status == 1
    assert "provider idp: " in result.stderr and "invalid_client" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_probe_needs_no_secret_and_no_sound_file(bearerd):
    """The file may have been changed since; the probe is about what runs."""
    bearerd.start()
    text = bearerd.config_path.read_text()
    bearerd.config_path.write_text(text.replace("client_secret = literal:", "client_secret = env:")
                                   + "\n[rubbish]\n")
    assert health(bearerd).status == 0


def test_off(configure, provider, api):
    bearerd = configure(provider() + section("route all", {"provider": "idp",
                                                           "upstream": api.origin}),
                        server={"admin_listen": "off"})
    result = health(bearerd)
    assert result.status == 1 and "admin_listen" in result.stderr


def test_by_a_unix_socket(configure, provider, api, tmp_path):
    bearerd = configure(provider() + section("route all", {"provider": "idp",
                                                           "upstream": api.origin}),
                        server={"admin_listen": f"unix:{tmp_path}/admin.sock"}).start()
    assert health(bearerd).status == 0


def test_on_all_addresses(configure, provider, api):
    bearerd = configure()
    bearerd.write_config(provider() + section("route all", {"provider": "idp",
                                                            "upstream": api.origin}),
                         {"admin_listen": f"0.0.0.0:{bearerd.admin_port}"})
    bearerd.start()
    assert health(bearerd).status == 0


def test_an_absent_file(bearerd, tmp_path):
    result = bearerd.run_cli("health", "-c", tmp_path / "absent.ini")
    assert result.status == 78
    assert len(result.stderr.splitlines()) == 1
