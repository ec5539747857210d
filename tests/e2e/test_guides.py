"""The table "What a program changes" of config/README.md: each program's line is run as it stands, but
for the port, inside the least program of its language. A language that is not installed is skipped."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest
from actors import section

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Around the guide's expression; it prints the answer's body.
PROGRAMS = {
    "curl": ("sh", "{}", []),
    "Python": ("python3", "import requests\npayment = {{'amount': 100}}\nprint({}.text)\n", []),
    "PHP": ("php", "<?php $c = {}; curl_exec($c);\n", ["-d", "extension=curl"]),
    "Node": ("node", "const options = {{method: 'POST', body: '{{}}'}};\n"
                     "{}.then(answer => answer.text()).then(console.log);\n", []),
    "Java": ("java", """
import java.net.URI;
import java.net.http.*;

public class Program {{
    public static void main(String[] arguments) throws Exception {{
        HttpRequest request = HttpRequest.newBuilder({}).build();
        System.out.println(HttpClient.newHttpClient().send(
            request, HttpResponse.BodyHandlers.ofString()).body());
    }}
}}
""", []),
    ".NET": ("dotnet-script", """
var client = new System.Net.Http.HttpClient();
{};
Console.WriteLine(await client.GetStringAsync("payments"));
""", []),
}
SUFFIX = {"Java": ".java", ".NET": ".csx"}
EXECUTABLE = {"Python": "/usr/bin/python3"}  # Debian's, which has requests


def rows():
    """Program: the line with bearerd."""
    table = (ROOT / "config/README.md").read_text().partition("\n## What a program changes\n")[2]
    return dict(re.findall(r"^\| ([^|]+) \| `[^`]*` \| `([^`]*)` \|$", table.partition("\n## ")[0],
                           re.MULTILINE))


@pytest.fixture
def bearerd(run, provider, api):
    return run(provider() + section("route payments", {"path": "/bambora/", "provider": "idp",
                                                       "upstream": api.origin + "/v1/"}))


def test_all_programs_are_known():
    assert rows().keys() == PROGRAMS.keys()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_with_its_new_url(name, bearerd, tmp_path, api):
    command, frame, options = PROGRAMS[name]
    executable = shutil.which(EXECUTABLE.get(name, command))
    if not executable:
        pytest.skip(f"{command} is not installed")
    if name == "Python":
        pytest.importorskip("requests")
    if name == "PHP" and "curl" not in subprocess.run([executable, *options, "-m"], text=True,
                                                      capture_output=True).stdout.split():
        pytest.skip("PHP's curl is not installed")
    source = tmp_path / f"program{SUFFIX.get(name, '')}"
    source.write_text(frame.format(rows()[name].replace(":8080", f":{bearerd.port}")))
    done = subprocess.run([executable, *options, str(source)], capture_output=True, text=True,
                          timeout=45, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    assert done.returncode == 0, done
    answer = json.loads(done.stdout)
    assert answer["target"] == "/v1/payments"
    assert api.requests[-1].fields.get("Authorization").startswith("Bearer ")


def test_a_program_with_a_socket(bearerd, tmp_path):
    """The last row: what COBOL and RPG programs do, in a shell."""
    text = (ROOT / "docker/example/program").read_text()
    assert "/dev/tcp/127.0.0.1/8080" in text
    program = tmp_path / "program"
    program.write_text(text.replace("/8080", f"/{bearerd.port}"))
    done = subprocess.run(["bash", str(program)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done
    head, _, body = done.stdout.partition("\n\n")  # newlines are translated
    assert head.startswith("HTTP/1.1 200") and json.loads(body)["method"] == "POST"
