"""Commands that need no server: help, version, presets; where the file is; and wrong usage."""

import os
import pty
import re
import socket
import subprocess

import pytest
from actors import section


@pytest.fixture
def bearerd(configure, provider, api):
    return configure(provider() + section("route pay", {"path": "/pay/", "provider": "idp",
                                                        "upstream": api.origin + "/v1",
                                                        "methods": "GET, POST"}))


def cli(bearerd, *arguments, **options):
    return bearerd.run_cli(*arguments, **options)


# --- help and version -----------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["help"], ["--help"], ["-h"]])
def test_help(bearerd, arguments):
    result = cli(bearerd, *arguments)
    assert result.status == 0
    for command in ("run", "check", "dump", "explain", "token", "presets", "help", "sandbox",
                    "demo", "health", "version"):
        assert re.search(rf"\b{command}\b", result.stdout), command


@pytest.mark.parametrize("command", ["run", "explain", "token", "help", "sandbox", "demo"])
def test_help_for_a_command(bearerd, command):
    result = cli(bearerd, command, "--help")
    assert result.status == 0 and result.stderr == ""
    assert result.stdout.startswith(f"usage: bearerd {command}")
    assert result.stdout == cli(bearerd, "help", command).stdout


@pytest.mark.parametrize("key", ["token_url", "listen", "strip_path", "header.NAME", "ca_file"])
def test_help_for_a_key(bearerd, key):
    result = cli(bearerd, "help", key)
    assert result.status == 0
    assert key.partition(".")[0] in result.stdout
    assert len(result.stdout.split()) > 5


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_version(bearerd, arguments):
    result = cli(bearerd, *arguments)
    assert result.status == 0
    assert re.match(r"bearerd \d+\.\d+", result.stdout)


# --- what goes wrong ------------------------------------------------------------------------------

USAGE, RUNTIME, CONFIGURATION = 64, 1, 78
WITH_FILE = ["run", "check", "dump", "health", "explain", "token"]
WORDS = {"explain": ["GET", "/pay/x"], "token": ["idp"]}  # what a command wants besides
OTHERS = ["presets", "help", "sandbox", "demo", "version"]


def fails(bearerd, status, arguments, *words):
    """It ends with that status and one line that has these words."""
    result = cli(bearerd, *arguments)
    assert result.status == status, result
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result
    assert all(word in result.stderr for word in words), result


@pytest.mark.parametrize("arguments,words", [
    ([], ["a command is missing"]),
    (["fly"], ["unknown command fly"]),
    (["--nonsense"], ["--nonsense"]),
    (["token", "--loud", "idp"], ["token", "--loud"]),
    (["check", "--show"], ["check", "--show"]),
    (["explain"], ["explain", "METHOD"]),
    (["explain", "GET"], ["explain", "URL"]),
    (["token"], ["token", "PROVIDER"]),
    (["check", "-vc", "x.ini"], ["check", "-v;"]),
    (["check", "-c", ""], ["check", "-c"]),
    (["help", "token_ur"], ["did you mean token_url?"]),
    (["presets", "bambra"], ["did you mean bambora?"]),
    (["sandbox", "--listen"], ["sandbox", "--listen"]),
    (["sandbox", "--listen", "nowhere"], ["nowhere"]),
    (["sandbox", "--token-lifetime", "soon"], ["soon"]),
    (["demo", "--listen", "nowhere"], ["nowhere"]),
    (["demo", "--token-lifetime", "soon"], ["soon"]),
])
def test_wrong_usage(bearerd, arguments, words):
    fails(bearerd, USAGE, arguments, *words)


@pytest.mark.parametrize("command", WITH_FILE + OTHERS)
def test_an_unknown_option_of_any_command(bearerd, command):
    fails(bearerd, USAGE, [command, "--nonsense"], command, "--nonsense")


@pytest.mark.parametrize("command", WITH_FILE + OTHERS)
def test_a_word_too_many_for_any_command(bearerd, command):
    enough = WORDS.get(command, ["listen"] if command in ("presets", "help") else [])
    fails(bearerd, USAGE, [command, *enough, "superfluous"], command, "superfluous")


@pytest.mark.parametrize("command", WITH_FILE)
def test_an_option_without_its_file(bearerd, command):
    fails(bearerd, USAGE, [command, "-c"], command, "-c")


@pytest.mark.parametrize("command", WITH_FILE)
def test_a_file_that_is_not_there(bearerd, command):
    path = "/nonexistent/bearerd.ini"
    fails(bearerd, CONFIGURATION, [command, "-c", path, *WORDS.get(command, [])], path)


@pytest.mark.parametrize("command", WITH_FILE)
def test_a_folder_in_place_of_a_file(bearerd, command):
    path = bearerd.folder
    fails(bearerd, CONFIGURATION, [command, "-c", path, *WORDS.get(command, [])], str(path))


@pytest.mark.parametrize("command", WITH_FILE)
def test_no_file_at_all(bearerd, command):
    """As in a container that nobody gave a configuration; `health` asks the usual address then."""
    bearerd.config_path.unlink()
    if command != "health":
        fails(bearerd, CONFIGURATION, [command, *WORDS.get(command, [])], "bearerd.ini")


@pytest.mark.parametrize("command", [one for one in WITH_FILE if one != "health"])
def test_a_key_that_is_none(bearerd, command):
    path = bearerd.config_path
    path.write_text(path.read_text().replace("token_url", "token_ur"))
    result = cli(bearerd, command, "-c", path, *WORDS.get(command, []))
    assert result.status == CONFIGURATION and result.stdout == ""
    first, *rest = result.stderr.splitlines()
    assert re.match(rf"{re.escape(str(path))}:\d+: \[provider idp\] token_ur: unknown key; "
                    "did you mean token_url\\?", first)
    assert all("token_url" in line for line in rest)  # that it is missing follows from it


@pytest.mark.parametrize("command", [one for one in WITH_FILE if one != "health"])
def test_a_secret_that_cannot_be_read(bearerd, command):
    path = bearerd.config_path
    path.write_text(path.read_text().replace("literal:the-client", "file:/nonexistent/id"))
    fails(bearerd, CONFIGURATION, [command, "-c", path, *WORDS.get(command, [])],
          "client_id", "/nonexistent/id")


@pytest.mark.parametrize("text", ["", "hello\n", "HTTP/1.1 500 No\r\n\r\n"])
def test_health_of_what_is_no_bearerd(bearerd, upstream, text):
    def script(peer):
        peer.read_request()
        peer.send(text.encode())
    other = upstream(script)
    bearerd.write_config("", {"admin_listen": other.authority})
    fails(bearerd, RUNTIME, ["health", "-c", bearerd.config_path], other.authority)


def test_health_of_nobody(bearerd):
    fails(bearerd, RUNTIME, ["health", "-c", bearerd.config_path],
          f"127.0.0.1:{bearerd.admin_port}", "refused")
    bearerd.write_config("", {"admin_listen": "off"})
    fails(bearerd, RUNTIME, ["health", "-c", bearerd.config_path], "admin_listen")
    bearerd.write_config("", {"admin_listen": "somewhere"})
    fails(bearerd, CONFIGURATION, ["health", "-c", bearerd.config_path], "admin_listen", "somewhere")


def test_health_of_one_that_never_ends(bearerd, upstream):
    def script(peer):
        peer.read_request()
        try:
            while True:
                peer.send(b"x" * 65536)
        except OSError:
            pass  # it has heard enough
    other = upstream(script)
    bearerd.write_config("", {"admin_listen": other.authority})
    fails(bearerd, RUNTIME, ["health", "-c", bearerd.config_path], other.authority, "too long")


def test_an_unknown_provider(bearerd):
    fails(bearerd, USAGE, ["token", "ipd"], "did you mean idp?")


def test_an_address_in_use(bearerd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = f"127.0.0.1:{taken.getsockname()[1]}"
        path = bearerd.config_path
        path.write_text(path.read_text().replace(f"127.0.0.1:{bearerd.port}", busy))
        fails(bearerd, RUNTIME, ["run", "-c", bearerd.config_path], "in use", busy)


@pytest.mark.parametrize("arguments", [["help"], ["version"], ["presets"], ["presets", "bambora"],
                                       ["help", "listen"], ["check"], ["dump"],
                                       ["explain", "GET", "/pay/x"],
                                       ["sandbox", "--print-config"]])
def test_output_that_cannot_be_written(bearerd, arguments):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(bearerd.binary), *arguments], cwd=bearerd.folder, stdout=full,
                              stderr=subprocess.PIPE, env=bearerd.environment, timeout=30)
    assert done.returncode == RUNTIME, done
    assert done.stderr == b"bearerd: the output cannot be written: No space left on device\n"


# --- on a terminal --------------------------------------------------------------------------------


def on_a_terminal(bearerd, *arguments, **environment):
    """What the command writes to a terminal."""
    near, far = pty.openpty()
    command = subprocess.Popen([str(bearerd.binary), *arguments], cwd=bearerd.folder, stdin=far,
                               stdout=far, stderr=far,
                               env={**bearerd.environment, "TERM": "xterm", **environment})
    os.close(far)
    written = b""
    try:
        while piece := os.read(near, 65536):
            written += piece
    except OSError:  # EIO: the command has ended
        pass
    os.close(near)
    assert command.wait(30) == 0, written
    return written.decode()


def test_colours_are_for_terminals(bearerd):
    for arguments in (["check"], ["explain", "GET", "/pay/x"], ["token", "idp"]):
        assert "\033[" in on_a_terminal(bearerd, *arguments), arguments
        assert "\033" not in on_a_terminal(bearerd, *arguments, NO_COLOR="1"), arguments
        assert "\033" not in on_a_terminal(bearerd, *arguments, TERM="dumb"), arguments
        assert "\033" not in cli(bearerd, *arguments).output, arguments


def test_progress_is_for_terminals(bearerd):
    assert "asking idp for a token" in on_a_terminal(bearerd, "token", "idp")
    assert "asking" not in cli(bearerd, "token", "idp").output


# --- presets --------------------------------------------------------------------------------------


PRESETS = ["kra-etims", "kra-etims-sandbox", "truphone", "bambora", "wetix", "wetix-sandbox",
           "airpay"]


def test_presets(bearerd):
    result = cli(bearerd, "presets")
    assert result.status == 0
    for name in PRESETS:
        assert re.search(rf"^{name}\b", result.stdout, re.MULTILINE), name


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_in_full(bearerd, name):
    result = cli(bearerd, "presets", name)
    assert result.status == 0
    assert "token_url" in result.stdout
    assert "#" in result.stdout  # what the provider wants, and where that is known from


# --- where the configuration is -------------------------------------------------------------------


def test_the_configuration_by_environment(bearerd):
    bearerd.environment["BEARERD_CONFIG"] = str(bearerd.config_path)
    assert cli(bearerd, "check").status == 0


def test_the_configuration_of_the_folder(bearerd):
    assert bearerd.config_path.name == "bearerd.ini"
    assert cli(bearerd, "check").status == 0
