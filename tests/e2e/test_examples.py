"""The worked examples of config/README.md: each file and each command of it is run as it stands,
but for ports, secrets and the origins of providers and APIs."""

import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "config/README.md"

# What the API gets, by the example's heading.
EXPECTED = {
    "Beside a legacy program": ("POST", "/v1/payments"),
    "Sidecar": ("GET", "/api/v2/sims"),
    "Gateway": ("GET", "/v1/payments/17"),
    "Forward proxy": ("GET", "/v1/payments/17"),
    "A provider that is not shipped": ("GET", "/v2/orders"),
}


def read_examples():
    """Heading → {"ini": […], "sh": […], …}, the fenced blocks below it."""
    text = GUIDE.read_text().partition("\n## Worked examples\n")[2].partition("\n## ")[0]
    parts = re.split(r"^### (.*)\n", text, flags=re.MULTILINE)
    examples = {}
    for title, body in zip(parts[1::2], parts[2::2]):
        blocks = examples.setdefault(title, {})
        for language, block in re.findall(r"^```(\w+)\n(.*?)^```", body, re.MULTILINE | re.DOTALL):
            blocks.setdefault(language, []).append(block)
    return examples


EXAMPLES = read_examples()


class Example:
    """One example, moved to this test's ports, secrets and servers."""

    def __init__(self, stage, folder, title, idp, api):
        self.blocks = EXAMPLES[title]
        [self.ini] = self.blocks["ini"]
        self.folder, self.secrets, self.named = folder, [], {}
        self.bearerd = stage.bearerd()
        self.bearerd.environment["POD_IP"] = "127.0.0.1"
        self.bearerd.environment["CREDENTIALS_DIRECTORY"] = str(folder)
        self.canary = stage.canary
        self.replace(r"env:(\w+)", self.to_environment)
        self.replace(r"file:/run/secrets/bearerd/(\w+)", self.to_file)
        self.replace(r"credential:(\w+)", lambda match: self.to_file(match) and match[0])
        self.replace(r"https://([\w.]+)(/\S*)", lambda match: api.origin + match[2])
        self.replace(r"^(token_url\s*=) .*", lambda match: f"{match[1]} {idp.url}")
        self.replace(r"^preset .*", lambda match: f"{match[0]}\ntoken_url = {idp.url}")
        if "[server]" not in self.ini:
            self.ini = "[server]\n" + self.ini
        if "listen " not in self.ini:
            self.replace(r"\[server\]", lambda match: "[server]\nlisten = 127.0.0.1:8080")
        if "admin_listen" not in self.ini:
            self.replace(r"\[server\]", lambda match: "[server]\nadmin_listen = 127.0.0.1:8081")
        self.replace(r":8080$", lambda match: f":{self.bearerd.port}")
        self.replace(r":8081$", lambda match: f":{self.bearerd.admin_port}")
        self.bearerd.write_config(ini=self.ini)
        self.bearerd.start()

    def replace(self, pattern, by):
        self.ini = re.sub(pattern, by, self.ini, flags=re.MULTILINE)

    def secret(self, name):
        self.secrets.append(self.canary.secret(name))
        self.named[name.lower()] = self.secrets[-1]
        return self.secrets[-1]

    def to_environment(self, match):
        self.bearerd.environment[match[1]] = self.secret(match[1])
        return match[0]

    def to_file(self, match):
        path = self.folder / match[1]
        path.write_text(self.secret(match[1]) + "\n")
        path.chmod(0o600)
        return f"file:{path}"

    def from_environment(self, match):
        """The secret that a file of the same name has."""
        return self.named[match[1].lower()]

    def commands(self):
        """The curl commands for bearerd, with the variables before them."""
        for block in self.blocks["sh"]:
            for line in block.splitlines() if ":8080" in block else []:
                words = shlex.split(re.sub(r"\$(\w+)", self.from_environment, line))
                variables = [word for word in words if re.match(r"\w+=", word)]
                yield dict(one.split("=", 1) for one in variables), words[len(variables):]

    def run(self):
        """Runs them; the last one's answer."""
        for variables, [curl, *arguments] in self.commands():
            environment = {name: value.replace(":8080", f":{self.bearerd.port}")
                           for name, value in variables.items()}
            if not environment:
                arguments += ["--connect-to", f"::127.0.0.1:{self.bearerd.port}"]
            done = subprocess.run(
                [curl, "--silent", "--show-error", "--fail-with-body", "--max-time", "20",
                 *arguments], capture_output=True, text=True,
                env={"PATH": os.environ["PATH"], **environment})
            assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


def test_all_are_known():
    assert EXAMPLES.keys() == EXPECTED.keys()


@pytest.mark.parametrize("title", EXPECTED)
def test_example(title, stage, tmp_path, idp, api):
    if title == "A provider that is not shipped":
        answer_as_documented(idp)
    example = Example(stage, tmp_path, title, idp, api)
    answer = example.run()
    assert (answer["method"], answer["target"]) == EXPECTED[title]
    assert idp.count == 1
    assert example.bearerd.check().status == 0


def answer_as_documented(idp):
    """The provider's answer has the shape that the guide shows."""
    [block] = EXAMPLES["A provider that is not shipped"]["json"]
    shape = json.loads(block)
    assert list(shape["data"]) == ["token", "ttl"]

    def behave(stream, request):
        shape["data"]["token"] = idp.new_token()["access_token"]
        idp.send_json(stream, 200, shape)
    idp.always(behave)


def test_the_profile_asks_as_the_documented_curl_command_does(stage, tmp_path, idp, api):
    answer_as_documented(idp)
    title = "A provider that is not shipped"
    example = Example(stage, tmp_path, title, idp, api)
    example.run()
    [documented] = [block for block in EXAMPLES[title]["sh"] if ":8080" not in block]
    [curl, url, *arguments] = shlex.split(documented)
    assert url in EXAMPLES[title]["ini"][0]
    subprocess.run([curl, "--silent", "--noproxy", "*", idp.url, *arguments], check=True,
                   stdout=subprocess.DEVNULL)
    ours, theirs = idp.requests
    assert ours.method == theirs.method
    assert ours.fields.get("X-Tenant") == theirs.fields.get("X-Tenant") == "42"
    expected = {**theirs.json, "clientId": example.secrets[0], "clientSecret": example.secrets[1]}
    assert ours.json == expected
