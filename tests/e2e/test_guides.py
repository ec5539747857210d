"""The table "What a program changes" of config/README.md: each program's line is run as it stands, but
for the port, inside the least program of its language. A language that is not installed is skipped."""

import json
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest
from actors import section

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Around the guide's expression, in a file program.SUFFIX; it prints the answer's body. The commands run in
# that file's folder.
PROGRAMS = {
    "curl": ("sh", "{}", ["sh program.sh"]),
    "Python": ("py", "import requests\npayment = {{'amount': 100}}\nprint({}.text)\n",
               ["/usr/bin/python3 program.py"]),  # Debian's, which has requests
    "PHP": ("php", "<?php $c = {}; curl_exec($c);\n", ["php -d extension=curl program.php"]),
    "Node": ("js", "const options = {{method: 'POST', body: '{{}}'}};\n"
                   "{}.then(answer => answer.text()).then(console.log);\n", ["node program.js"]),
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
""", ["java program.java"]),
    ".NET": ("cs", """
using System;
using System.Net.Http;

class Program {{
    static void Main() {{
        var client = new HttpClient();
        {};
        Console.WriteLine(client.GetStringAsync("payments").Result);
    }}
}}
""", ["mcs -r:System.Net.Http.dll program.cs", "mono program.exe"]),
}


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


def run_program(commands, folder):
    """Runs them in the folder; what the last one printed. Skips where one is not installed."""
    for command in map(shlex.split, commands):
        if not shutil.which(command[0], path=f"/usr/bin:/bin:{folder}"):
            pytest.skip(f"{command[0]} is not installed")
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=45,
                              env={"PATH": f"/usr/bin:/bin:{folder}", "HOME": str(folder)})
        assert done.returncode == 0, done
    return done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_with_its_new_url(name, bearerd, tmp_path, api):
    suffix, frame, commands = PROGRAMS[name]
    if name == "Python":
        pytest.importorskip("requests")
    if name == "PHP" and "curl" not in run_program(["php -d extension=curl -m"], tmp_path).split():
        pytest.skip("PHP's curl is not installed")
    source = tmp_path / f"program.{suffix}"
    source.write_text(frame.format(rows()[name].replace(":8080", f":{bearerd.port}")))
    answer = json.loads(run_program(commands, tmp_path))
    assert answer["target"] == "/v1/payments"
    assert api.requests[-1].fields.get("Authorization").startswith("Bearer ")


def is_answered(text):
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    return head.startswith("HTTP/1.1 200") and json.loads(body)["method"] == "POST"


def test_a_program_with_a_socket(bearerd, tmp_path):
    """The last row: what RPG programs and others with sockets do, in a shell."""
    text = (ROOT / "docker/example/program").read_text()
    assert "/dev/tcp/127.0.0.1/8080" in text
    (tmp_path / "program").write_text(text.replace("/8080", f"/{bearerd.port}"))
    assert is_answered(run_program(["bash program"], tmp_path))


def test_a_cobol_program(bearerd, tmp_path):
    """And in COBOL."""
    text = (ROOT / "config/examples/payment.cob").read_text()
    assert 'X"1F90"' in text  # 8080
    (tmp_path / "payment.cob").write_text(text.replace('X"1F90"', f'X"{bearerd.port:04X}"'))
    assert is_answered(run_program(["cobc -x -Wall -Werror payment.cob", "payment"], tmp_path))
