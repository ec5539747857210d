"""The backend and the proxies: how each is configured and started. Configurations are in peers/."""

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

from processes import BenchError, Process, free_port
from scenarios import LARGE_BYTES, POST_BYTES, SMALL_BYTES, Scenario

PEERS = Path(__file__).resolve().parent / "peers"
PROXY_CORE, LOAD_CORE = 0, 1

# By name: the program, and what differs in its configuration. `before` is another build of bearerd.
SYSTEMS: dict[str, tuple[str, dict[str, object]]] = {
    "bearerd": ("bearerd", {}),
    "before": ("bearerd", {}),
    "bearerd-rotating": ("bearerd", {"TOKEN_PATH": "token-short"}),
    "bearerd-2-workers": ("bearerd", {"WORKERS": 2}),
    "nginx": ("nginx", {}),
    "nginx-buffered": ("nginx", {"LOG_OPTIONS": " buffer=64k flush=1s"}),
    "nginx-2-workers": ("nginx", {"WORKERS": 2, "MASTER": "on"}),
    "nginx-lua": ("nginx_lua", {}),
    "haproxy": ("haproxy", {}),
    "haproxy-2-threads": ("haproxy", {"WORKERS": 2}),
}
TOKEN = base64.urlsafe_b64encode(hashlib.sha512(b"bench").digest()).decode().rstrip("=")


def small_json() -> str:
    head, tail = '{"status":"approved","reference":"', '"}'
    return head + "a" * (SMALL_BYTES - len(head) - len(tail)) + tail


def large_bytes() -> bytes:
    """Ten MiB in which no two 4 KiB blocks are the same, so that a lost or swapped one shows."""
    return b"".join(b"%08d" % block * 512 for block in range(LARGE_BYTES // 4096))


def render(name: str, target: Path, values: dict[str, object]) -> Path:
    text = (PEERS / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    target.write_text(text)
    return target


def make_certificates(directory: Path) -> None:
    """A throw-away CA and a certificate for the backend."""
    def openssl(*args: str) -> None:
        done = subprocess.run(["openssl", *args], cwd=directory, capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"openssl {args[0]} failed:\n{done.stderr}")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=bench CA",
            "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *key, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (directory / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "server.ext", "-out", "server.pem")
    (directory / "server.both").write_text((directory / "server.pem").read_text()
                                           + (directory / "server.key").read_text())


class Backend:
    """The nginx that all proxies have as upstream; also bearerd's token endpoint."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.plain_port, self.tls_port = free_port(), free_port()
        make_certificates(directory)
        (directory / "large.bin").write_bytes(large_bytes())
        conf = render("backend.conf", directory / "backend.conf", {
            "DIR": directory, "PLAIN_PORT": self.plain_port, "TLS_PORT": self.tls_port,
            "TOKEN": TOKEN, "JSON": small_json(), "BODY_BYTES": POST_BYTES})
        self.process = Process("backend", nginx_argv(directory, conf), str(LOAD_CORE),
                               directory / "backend.out")

    def start(self) -> None:
        self.process.start()
        self.process.wait_port(self.plain_port)
        self.process.wait_port(self.tls_port)


def nginx_argv(directory: Path, conf: Path) -> list[str]:
    return [tool("nginx"), "-e", "stderr", "-p", str(directory), "-c", str(conf)]


def tool(name: str) -> str:
    """Daemons live in sbin, which is not in everybody's PATH."""
    path = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin:/usr/local/bin")
    if path is None:
        raise BenchError(f"{name} is not installed; scripts/bench installs it when run as root")
    return path


class Proxy:
    """One system under measurement, configured for one scenario's upstream."""

    def __init__(self, name: str, backend: Backend, scenario: Scenario, bearerd: str | None,
                 wrapper: tuple[str, ...] = ()):
        self.name = name
        self.port = free_port()
        self.tls_in, self.ca = scenario.tls_in, backend.directory / "ca.pem"
        self.log = backend.directory / f"{name}.log"
        self.log.touch()
        program, different = SYSTEMS[name]
        self.admin_port = free_port() if program == "bearerd" else None
        values = {
            "DIR": backend.directory, "LOG": self.log, "TOKEN": TOKEN, "PORT": self.port,
            "PLAIN_PORT": backend.plain_port, "ADMIN_PORT": self.admin_port,
            "API_PORT": backend.tls_port if scenario.tls else backend.plain_port,
            "SCHEME": "https" if scenario.tls else "http", "WORKERS": 1, "TOKEN_PATH": "token",
            "LOG_OPTIONS": "", "MASTER": "off"} | _tls_options(program, backend.directory, scenario)
        argv = {"bearerd": self._bearerd, "nginx": self._nginx, "nginx_lua": self._nginx_lua,
                "haproxy": self._haproxy}[program](backend.directory, values | different, bearerd)
        output = self.log if program == "haproxy" else backend.directory / f"{name}.out"
        cores = f"{PROXY_CORE},{LOAD_CORE}" if scenario.shared else str(PROXY_CORE)
        self.process = Process(name, [*wrapper, *argv], cores, output)

    def start(self, seconds: float = 10.0) -> None:
        self.process.start()
        self.process.wait_port(self.port, seconds)

    def _render(self, template: str, directory: Path, values: dict) -> Path:
        return render(template, directory / f"{self.name}.conf", values)

    def _bearerd(self, directory: Path, values: dict, bearerd: str | None) -> list[str]:
        if bearerd is None:
            raise BenchError(f"{self.name}: give its path")
        return [bearerd, "run", "-c", str(self._render("bearerd.ini", directory, values))]

    def _nginx(self, directory: Path, values: dict, _: str | None) -> list[str]:
        return nginx_argv(directory, self._render("nginx.conf", directory, values))

    def _nginx_lua(self, directory: Path, values: dict, _: str | None) -> list[str]:
        return nginx_argv(directory, self._render("nginx-lua.conf", directory, values))

    def _haproxy(self, directory: Path, values: dict, _: str | None) -> list[str]:
        return [tool("haproxy"), "-f", str(self._render("haproxy.cfg", directory, values))]


def _tls_options(program: str, directory: Path, scenario: Scenario) -> dict[str, str]:
    """What makes a program's listener one for TLS, and HAProxy's server one."""
    listen = {
        "bearerd": f"tls_cert = {directory}/server.pem\ntls_key = {directory}/server.key",
        "nginx": " ssl",
        "haproxy": f" ssl crt {directory}/server.both ssl-min-ver TLSv1.3 "
                   "ciphersuites TLS_AES_128_GCM_SHA256",
    }
    server = (f" ssl verify required ca-file {directory}/ca.pem sni str(localhost) "
              "verifyhost localhost")
    return {"LISTEN_OPTIONS": listen.get(program, "") if scenario.tls_in else "",
            "SERVER_OPTIONS": server if scenario.tls else ""}


def is_bearerd(name: str) -> bool:
    return SYSTEMS[name][0] == "bearerd"


def version(name: str, bearerd: str | None) -> str:
    if is_bearerd(name):
        command = [bearerd or "bearerd", "version"]
    else:
        haproxy = SYSTEMS[name][0] == "haproxy"
        command = [tool("haproxy"), "-v"] if haproxy else [tool("nginx"), "-v"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    return (done.stdout or done.stderr).splitlines()[0].strip()
