"""The configuration file: what it means, and mistakes reported as a compiler does."""

import pytest
from actors import section

CONFIGURATION = 78
MINIMAL = """\
[provider bambora]
token_url = https://id.example.com/token
client_id = literal:a
client_secret = literal:b

[route all]
provider = bambora
upstream = https://api.example.com/v1/
"""


@pytest.fixture
def check(configure, tmp_path):
    """Checks a whole file's text; returns the result."""
    def check(text, env=None):
        bearerd = configure(ini=text, env=env)
        return bearerd.check()
    return check


def mistakes(result):
    """The messages of a failed check, without the file's path."""
    assert result.status == CONFIGURATION, result
    return [line.split(".ini:", 1)[1] for line in result.output.splitlines() if ".ini:" in line]


def replaced(old, new):
    assert old in MINIMAL
    return MINIMAL.replace(old, new)


def test_a_valid_file(check):
    result = check(MINIMAL)
    assert result.status == 0
    assert result.stdout.rstrip().endswith("bearerd.ini: configuration is valid")


def test_an_unknown_key(check):
    """DESIGN section 4's own example."""
    lines = mistakes(check(replaced("token_url =", "token_ur =")))
    assert any(line == "2: [provider bambora] token_ur: unknown key; did you mean token_url?"
               for line in lines), lines


def test_an_unknown_key_that_resembles_nothing(check):
    lines = mistakes(check(replaced("client_id =", "zzzzzzzz = 1\nclient_id =")))
    assert any(line.startswith("3: [provider bambora] zzzzzzzz: unknown key") for line in lines)
    assert not any("did you mean" in line for line in lines)


def test_an_unknown_section(check):
    lines = mistakes(check(MINIMAL + "[provder x]\na = b\n"))
    assert any(line.startswith("9:") and "provder" in line for line in lines), lines


def test_a_section_without_a_name(check):
    assert any(line.startswith("9:") for line in mistakes(check(MINIMAL + "[route]\n")))


def test_a_section_named_that_must_not_be(check):
    assert any(line.startswith("9:") for line in mistakes(check(MINIMAL + "[server x]\n")))


def test_a_key_outside_a_section(check):
    assert any(line.startswith("1:") for line in mistakes(check("workers = 1\n" + MINIMAL)))


def test_a_line_that_is_none(check):
    assert any(line.startswith("3:") for line in mistakes(
        check(replaced("client_id =", "what is this\nclient_id ="))))


def test_all_mistakes_at_once(check):
    lines = mistakes(check(
        "[server]\nworkers = many\nlistne = 127.0.0.1:1\nidle_timeout = 5\n"
        + replaced("token_url", "tokn_url") + "max_body = 4q\nstrip_path = maybe\n"))
    for number, word in ((2, "workers"), (3, "listne"), (4, "idle_timeout"), (6, "tokn_url"),
                         (13, "max_body"), (14, "strip_path")):
        assert any(line.startswith(f"{number}:") and word in line for line in lines), (number, lines)
    numbers = [int(line.split(":")[0]) for line in lines]
    assert numbers == sorted(numbers)


def test_a_duplicate_key_names_both_lines(check):
    lines = mistakes(check(replaced("client_id = literal:a",
                                    "client_id = literal:a\nclient_id = literal:c")))
    assert any(line.startswith("4:") and "client_id" in line and "3" in line for line in lines)


def test_a_duplicate_section_names_both_lines(check):
    lines = mistakes(check(MINIMAL + "[route all]\nprovider = none\nupstream = https://x/\n"))
    assert any(line.startswith("9:") and "6" in line for line in lines), lines


@pytest.mark.parametrize("gone", ["token_url", "client_id", "upstream", "provider ="])
def test_a_required_key_that_is_missing(check, gone):
    text = "".join(line + "\n" for line in MINIMAL.splitlines() if not line.startswith(gone))
    lines = mistakes(check(text))
    assert any(gone.rstrip(" =") in line for line in lines), lines


def test_a_provider_that_does_not_exist(check):
    lines = mistakes(check(replaced("provider = bambora", "provider = bambra")))
    assert any(line.startswith("7: [route all] provider") and "bambora" in line for line in lines)


def test_two_routes_for_the_same_requests(check):
    text = MINIMAL + "[route again]\nprovider = bambora\nupstream = https://other.example/\n"
    assert any("again" in line and "all" in line for line in mistakes(check(text)))


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key,bad", [
    ("workers", "0"), ("workers", "-1"), ("workers", "two"), ("workers", "1000000"),
    ("idle_timeout", "10"), ("idle_timeout", "10 s"), ("idle_timeout", "-1s"),
    ("idle_timeout", "1y"), ("idle_timeout", ""), ("connection_memory", "16kb"),
    ("connection_memory", "1"), ("via", "maybe"), ("log_level", "loud"), ("log_format", "xml"),
    ("listen", "127.0.0.1"), ("listen", "127.0.0.1:99999"), ("listen", "127.0.0.1:x"),
    ("listen", ""), ("max_connections", "99999999999999999999"), ("max_connections", "1.5"),
])
def test_bad_server_values(check, key, bad):
    lines = mistakes(check(f"[server]\n{key} = {bad}\n" + MINIMAL))
    assert any(line.startswith("2: [server] " + key) for line in lines), lines


@pytest.mark.parametrize("key,bad", [
    ("token_url", "http://id.example.com/token"), ("token_url", "ftp://id.example.com/"),
    ("token_url", "id.example.com/token"), ("token_url", "https://"),
    ("token_url", "https://u:p@id.example.com/"), ("token_method", "PUT"), ("token_body", "xml"),
    ("client_auth", "client_secret"), ("basic_encoding", "utf8"), ("refresh", "sometimes"),
    ("expires_in_unit", "m"), ("token_type", "mac"), ("inject_in", "body"),
    ("reject_status", "4000"), ("reject_match", "expired"), ("token_quota", "10"),
    ("token_quota", "0/1m"), ("default_lifetime", "0s"), ("inject_name", "X Y"),
    ("header.X Y", "1"),
])
def test_bad_provider_values(check, key, bad):
    text = "".join(line + "\n" for line in MINIMAL.splitlines() if not line.startswith(key + " ="))
    lines = mistakes(check(text.replace("[route", f"{key} = {bad}\n[route", 1)))
    assert any(f"[provider bambora] {key}" in line for line in lines), lines


@pytest.mark.parametrize("key,bad", [
    ("upstream", "http://api.example.com/"), ("upstream", "api.example.com"),
    ("upstream", "https://a/?q=1"), ("upstream", "https://a/#f"), ("upstream", "https://u@a/"),
    ("path", "x"), ("path", "/a/../b"), ("host", "*.*.example"), ("host", "http://x"),
    ("host", "a b"), ("methods", "GET POST"), ("connect_timeout", "0s"), ("replay_buffer", "-1"),
    ("inject_in", "body"), ("ca_file", "/nonexistent/ca.pem"),
])
def test_bad_route_values(check, key, bad):
    text = "".join(line + "\n" for line in MINIMAL.splitlines() if not line.startswith(key + " ="))
    lines = mistakes(check(text + f"{key} = {bad}\n"))
    assert any(f"[route all] {key}" in line for line in lines), lines


def test_post_authentication_without_a_body(check):
    lines = mistakes(check(replaced("client_id", "client_auth = client_secret_post\n"
                                    "token_method = GET\ntoken_body = none\nclient_id")))
    assert any("client_auth" in line for line in lines)


def test_plain_http_needs_a_loud_switch(check):
    result = check(replaced("https://id", "http://id").replace(
        "client_id", "token_insecure = yes\nclient_id"))
    assert result.status == 0
    assert "token_insecure" in result.output or "http" in result.output
    assert check(replaced("https://api", "http://api") + "upstream_insecure = yes\n").status == 0


def test_keys_of_later_versions_are_unknown(check):
    """A key exists only when it works."""
    for text in ("[store]\nfile = x\n",
                 "[server]\ntls_cert = x\n"):
        assert check(text + MINIMAL).status == CONFIGURATION
    assert check(replaced("client_id", "jwt_key = literal:x\nclient_id")).status == CONFIGURATION


# --- the file itself ------------------------------------------------------------------------------


def test_comments_and_spaces(check):
    assert check("# one\n; two\n   # three\n\n[ server ]\n  workers   =   2  \n\n" + MINIMAL
                 ).status in (0, CONFIGURATION)
    assert check("# one\n; two\n\n[server]\nworkers=2\n" + MINIMAL).status == 0
    assert check(MINIMAL.replace("\n", "\r\n")).status == 0
    assert check("\ufeff" + MINIMAL).status == 0


def test_no_comments_after_a_value(configure, run, idp, api, canary):
    """Secrets contain ; and #."""
    secret = canary.secret("awkward", "a ; b # c ;d#e")
    bearerd = run(section("provider idp", {
        "token_url": idp.url, "client_id": "x", "client_secret": f"literal:{secret}",
        "basic_encoding": "raw"}) + section("route all", {"provider": "idp",
                                                          "upstream": api.origin}))
    assert bearerd.get("/x").status == 200
    assert idp.requests[0].basic == "x:" + secret


def test_a_secret_with_an_equals_sign(run, provider, idp, api, canary):
    secret = canary.secret("equals", "a=b==c:d=")
    bearerd = run(provider(client_secret=f"literal:{secret}", basic_encoding="raw")
                  + section("route all", {"provider": "idp", "upstream": api.origin}))
    assert bearerd.get("/x").status == 200
    assert idp.requests[0].basic == "the-client:" + secret


def test_long_lines(run, provider, idp, api, canary):
    """Far past the 200 bytes of the packaged inih; 64 KiB is the limit."""
    secret = canary.secret("long", "s" * 200 + "-" + "x" * 7000)
    name = "n" * 60
    bearerd = run(provider(client_secret=f"literal:{secret}", client_auth="client_secret_post",
                           **{f"token_param.{name}": "v" * 50_000})
                  + section("route all", {"provider": "idp", "upstream": api.origin}))
    assert bearerd.get("/x").status == 200
    form = dict(idp.requests[0].form)
    assert form["client_secret"] == secret
    assert form[name] == "v" * 50_000


def test_a_line_that_is_too_long(check):
    lines = mistakes(check(replaced("client_id", "scope = " + "x" * 70_000 + "\nclient_id")))
    assert any(line.startswith("3:") for line in lines)
    assert all(len(line) < 1000 for line in lines)


def test_a_section_name_of_many_characters(check):
    name = "p" * 120
    assert check(MINIMAL.replace("bambora", name)).status == 0


def test_a_nul_byte(configure):
    bearerd = configure(ini=MINIMAL)
    bearerd.config_path.write_bytes(MINIMAL.replace("bambora", "bam\0bora").encode())
    assert bearerd.check().status == CONFIGURATION


def test_an_empty_file(check):
    assert check("").status in (0, CONFIGURATION)


# --- secrets and templates ------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["env:NOT_SET_ANYWHERE", "file:/nonexistent/secret",
                                       "credential:none", "env:", "literal:"])
def test_a_secret_that_is_missing(check, reference):
    lines = mistakes(check(replaced("literal:b", reference)))
    assert any(line.startswith("4: [provider bambora] client_secret") for line in lines), lines
    if "NOT_SET" in reference:
        assert any("NOT_SET_ANYWHERE" in line for line in lines)


def test_a_bare_secret_is_warned_about(check, canary):
    secret = canary.secret("bare-secret")
    result = check(replaced("literal:b", secret))
    assert result.status == 0
    assert "client_secret" in result.output


def test_a_file_that_everybody_may_read_is_warned_about(check, canary, tmp_path):
    path = tmp_path / "secret"
    path.write_text(canary.secret("in-a-file"))
    path.chmod(0o644)
    result = check(replaced("literal:b", f"file:{path}"))
    assert result.status == 0 and str(path) in result.output
    path.chmod(0o600)
    assert str(path) not in check(replaced("literal:b", f"file:{path}")).output


def test_credentials(run, provider, idp, api, canary, tmp_path):
    secret = canary.secret("credential-secret")
    (tmp_path / "the-secret").write_text(secret + "\n")
    bearerd = run(provider(client_secret="credential:the-secret", basic_encoding="raw")
                  + section("route all", {"provider": "idp", "upstream": api.origin}),
                  env={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert bearerd.get("/x").status == 200
    assert idp.requests[0].basic == "the-client:" + secret


def test_one_trailing_newline_is_dropped(run, provider, idp, api, canary, tmp_path):
    secret = canary.secret("file-secret")
    (tmp_path / "s").write_text(f" {secret}\n\n")
    (tmp_path / "s").chmod(0o600)
    bearerd = run(provider(client_secret=f"file:{tmp_path}/s", basic_encoding="raw")
                  + section("route all", {"provider": "idp", "upstream": api.origin}))
    assert bearerd.get("/x").status == 200
    assert idp.requests[0].basic == f"the-client: {secret}\n"


def test_environment_variables(check, configure):
    text = replaced("https://id.example.com", "https://${ID_HOST}")
    assert any("ID_HOST" in line for line in mistakes(check(text)))
    result = configure(ini=text, env={"ID_HOST": "id.example.com"}).check()
    assert result.status == 0
    result = configure(ini=replaced("id.example.com", "${ID_HOST:-id.example.org}")).check()
    assert result.status == 0


def test_environment_variables_do_not_touch_secrets(run, provider, idp, api, canary):
    secret = canary.secret("dollar", "pa${HOME}ss$word")
    bearerd = run(provider(client_secret=f"literal:{secret}", basic_encoding="raw")
                  + section("route all", {"provider": "idp", "upstream": api.origin}))
    assert bearerd.get("/x").status == 200
    assert idp.requests[0].basic == "the-client:" + secret


def test_a_template_without_its_variable(check):
    lines = mistakes(check(replaced("client_id", "scope = {var.tenant}.read\nclient_id")))
    assert any(line.startswith("3: [provider bambora] scope") and "tenant" in line
               for line in lines), lines


def test_an_unknown_template(check):
    lines = mistakes(check(replaced("client_id", "header.X-A = {nonsense}\nclient_id")))
    assert any("nonsense" in line for line in lines)


# --- dump -----------------------------------------------------------------------------------------


def test_dump_is_a_configuration_again(configure, canary):
    secret = canary.secret("dumped-secret")
    bearerd = configure(ini=replaced("literal:b", f"literal:{secret}"))
    result = bearerd.run_cli("dump", "-c", bearerd.config_path)
    assert result.status == 0
    assert secret not in result.output
    for line in ("[provider bambora]", "token_url = https://id.example.com/token", "[server]",
                 "listen = 127.0.0.1:8080", "token_timeout = 10s"):
        assert line in [" ".join(one.split()) for one in result.stdout.splitlines()], line


def test_dump_shows_the_preset_merged(configure):
    bearerd = configure(ini="[provider bambora]\npreset = bambora\nclient_id = literal:a\n"
                            "client_secret = literal:bbbbbbbbb\n[route all]\nprovider = bambora\n"
                            "upstream = https://api.bambora.com/v1/\n")
    result = bearerd.run_cli("dump", "-c", bearerd.config_path)
    assert result.status == 0
    assert "token_url" in result.stdout
    assert "bbbbbbbbb" not in result.output


def test_the_configuration_of_the_design(configure, canary, tmp_path):
    """DESIGN section 4, as it stands, with its secret file elsewhere."""
    (tmp_path / "bambora").write_text(canary.secret("bambora-secret"))
    (tmp_path / "bambora").chmod(0o600)
    bearerd = configure(ini=f"""
[provider bambora]
preset        = bambora
client_id     = env:BAMBORA_CLIENT_ID
client_secret = file:{tmp_path}/bambora

[route payments]
path     = /bambora/
provider = bambora
upstream = https://api.bambora.com/v1/
""", env={"BAMBORA_CLIENT_ID": "an-id"})
    assert bearerd.check().status == 0
