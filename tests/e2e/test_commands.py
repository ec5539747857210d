"""Commands that need no server: help, version, presets; where the file is; and wrong usage."""

import re

import pytest
from actors import section

USAGE = 64


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


@pytest.mark.parametrize("key", ["token_url", "listen", "strip_path", "header.NAME", "ca_file"])
def test_help_for_a_key(bearerd, key):
    result = cli(bearerd, "help", key)
    assert result.status == 0
    assert key.partition(".")[0] in result.stdout
    assert len(result.stdout.split()) > 5


def test_help_for_an_unknown_key(bearerd):
    result = cli(bearerd, "help", "token_ur")
    assert result.status == USAGE
    assert "token_url" in result.stderr


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_version(bearerd, arguments):
    result = cli(bearerd, *arguments)
    assert result.status == 0
    assert re.match(r"bearerd \d+\.\d+", result.stdout)


@pytest.mark.parametrize("arguments", [
    [], ["fly"], ["run", "--fast"], ["run", "-c"], ["check", "extra", "words"], ["--nonsense"],
    ["explain"], ["explain", "GET"], ["token"], ["token", "--loud", "idp"], ["health", "now"],
])
def test_wrong_usage_prints_one_line(bearerd, arguments):
    result = cli(bearerd, *arguments)
    assert result.status == USAGE
    assert result.stdout == ""
    assert 1 <= len(result.stderr.strip().splitlines()) <= 2, result
    for word in arguments[:1]:
        assert word.lstrip("-") in result.stderr or "usage" in result.stderr.lower()


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


def test_an_unknown_preset(bearerd):
    result = cli(bearerd, "presets", "bambra")
    assert result.status != 0
    assert "bambora" in result.stderr


# --- where the configuration is -------------------------------------------------------------------


def test_the_configuration_by_environment(bearerd):
    bearerd.environment["BEARERD_CONFIG"] = str(bearerd.config_path)
    assert cli(bearerd, "check").status == 0


def test_the_configuration_of_the_folder(bearerd):
    assert bearerd.config_path.name == "bearerd.ini"
    assert cli(bearerd, "check").status == 0
