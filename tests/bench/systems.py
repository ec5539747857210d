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

# bearerd in all its forms, by what differs in its configuration; `before` is another build of it.
BEARERDS: dict[str, dict[str, object]] = {
    "bearerd": {},
    "before": {},
    "bearerd-rotating": {"TOKEN_PATH": "token-short"},
    "bearerd-2-workers": {"WORKERS": 2},
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


def _nginx_tls(values: dict) -> dict:
    """What makes nginx's listener one for TLS."""
    return {"LISTEN_OPTIONS": " ssl" if values["TLS_IN"] else ""}


class Proxy:
    """One system under measurement, configured for one scenario's upstream."""

    def __init__(self, name: str, backend: Backend, scenario: Scenario, bearerd: str | None,
                 wrapper: tuple[str, ...] = ()):
        self.name = name
        self.port = free_port()
        self.tls_in, self.ca = scenario.tls_in, backend.directory / "ca.pem"
        self.log = backend.directory / f"{name}.log"
        self.log.touch()
        values = {
            "DIR": backend.directory, "LOG": self.log, "TOKEN": TOKEN, "PORT": self.port,
            "PLAIN_PORT": backend.plain_port, "ADMIN_PORT": free_port(),
            "API_PORT": backend.tls_port if scenario.tls else backend.plain_port,
            "SCHEME": "https" if scenario.tls else "http", "WORKERS": 1, "TOKEN_PATH": "token",
            "TLS_IN": scenario.tls_in}
        values |= BEARERDS.get(name, {})
        self.admin_port = values["ADMIN_PORT"] if name in BEARERDS else None
        if name in BEARERDS:
            argv = self._bearerd_argv(backend.directory, values, bearerd)
        else:
            argv = getattr(self, "_" + name.replace("-", "_"))(backend.directory, values)
        output = self.log if name == "haproxy" else backend.directory / f"{name}.out"
        cores = str(PROXY_CORE) if values["WORKERS"] == 1 else f"{PROXY_CORE},{LOAD_CORE}"
        self.process = Process(name, [*wrapper, *argv], cores, output)

    def start(self, seconds: float = 10.0) -> None:
        self.process.start()
        self.process.wait_port(self.port, seconds)

    def _bearerd_argv(self, directory: Path, values: dict, bearerd: str | None) -> list[str]:
        if bearerd is None:
            raise BenchError(f"{self.name}: give its path")
        serve = (f"tls_cert = {directory}/server.pem\ntls_key = {directory}/server.key"
                 if values["TLS_IN"] else "")
        conf = render("bearerd.ini", directory / f"{self.name}.ini", values | {"SERVE_TLS": serve})
        return [bearerd, "run", "-c", str(conf)]

    @staticmethod
    def _nginx(directory: Path, values: dict) -> list[str]:
        conf = render("nginx.conf", directory / "nginx.conf", values | {"LOG_OPTIONS": ""} | _nginx_tls(values))
        return nginx_argv(directory, conf)

    @staticmethod
    def _nginx_buffered(directory: Path, values: dict) -> list[str]:
        conf = render("nginx.conf", directory / "nginx-buffered.conf",
                      values | {"LOG_OPTIONS": " buffer=64k flush=1s"} | _nginx_tls(values))
        return nginx_argv(directory, conf)

    @staticmethod
    def _nginx_lua(directory: Path, values: dict) -> list[str]:
        return nginx_argv(directory, render("nginx-lua.conf", directory / "nginx-lua.conf", values))

    @staticmethod
    def _haproxy(directory: Path, values: dict) -> list[str]:
        ca = f"{directory}/ca.pem"
        suite = "ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256"
        tls = f" ssl verify required ca-file {ca} sni str(localhost) verifyhost localhost"
        options = tls if values["SCHEME"] == "https" else ""
        serve = f" ssl crt {directory}/server.both {suite}" if values["TLS_IN"] else ""
        conf = render("haproxy.cfg", directory / "haproxy.cfg",
                      values | {"SERVER_OPTIONS": options, "BIND_OPTIONS": serve})
        return [tool("haproxy"), "-f", str(conf)]


SYSTEMS = (*BEARERDS, "nginx", "haproxy", "nginx-buffered", "nginx-lua")


def version(name: str, bearerd: str | None) -> str:
    if name in BEARERDS:
        command = [bearerd or "bearerd", "version"]
    else:
        command = [tool("haproxy"), "-v"] if name == "haproxy" else [tool("nginx"), "-v"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    return (done.stdout or done.stderr).splitlines()[0].strip()
