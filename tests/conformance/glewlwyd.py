"""glewlwyd, a real OAuth 2 and OpenID Connect server from Debian, on loopback with its own database.

It is set up through its own administration interface: an oidc plugin that signs RS256 tokens, a
scope, and the clients that a test asks for. It ships with the administrator `admin`/`password`.
"""

import gzip
import http.client
import json
import pathlib
import shutil
import sqlite3
import subprocess
import urllib.parse

from actors import wait_until
from actors.ports import HeldPort
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SCHEMA = pathlib.Path("/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz")
MODULES = "/usr/lib/glewlwyd"
PLUGIN = "main"


def signing_key():
    """An RSA key pair as PEM texts, private and public."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(serialization.Encoding.PEM,
                                serialization.PrivateFormat.TraditionalOpenSSL,
                                serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM,
                                           serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


class Glewlwyd:
    """The server process. `lifetime` is that of its access tokens in seconds."""

    name = "glewlwyd"

    def __init__(self, folder, canary, lifetime=3600):
        self.folder, self.canary = folder, canary
        self.failures = []
        self.held = HeldPort()
        self.port = self.held.port
        self.authority = f"127.0.0.1:{self.port}"
        self.origin = f"http://{self.authority}"
        self.issuer = f"{self.origin}/api/{PLUGIN}"
        self.token_url = f"{self.issuer}/token"
        self.log = folder / "glewlwyd.log"
        self._cookie = None
        self._make_database()
        self._start()
        self._set_up(lifetime)

    # --- what tests order -----------------------------------------------------------------------

    def add_client(self, client_id, secret, *grants, methods=("client_secret_basic",)):
        """A confidential client that may use the grants and these ways to authenticate."""
        self._admin("POST", "/api/client/", {
            "client_id": client_id, "password": secret, "confidential": True, "enabled": True,
            "scope": ["payments"], "authorization_type": list(grants),
            "redirect_uri": ["https://client.example/"],
            "token_endpoint_auth_method": list(methods),
        })

    def add_user(self, username, password):
        self._admin("POST", "/api/user/", {
            "username": username, "password": password, "enabled": True,
            "scope": ["payments", "openid"],
        })

    def set_client_secret(self, client_id, secret):
        """Rotates a client's secret."""
        client = self._admin("GET", f"/api/client/{client_id}")
        client["password"] = secret
        self._admin("PUT", f"/api/client/{client_id}", client)

    def public_keys(self):
        """The signing keys that resource servers check tokens with."""
        return self._call("GET", f"/api/{PLUGIN}/jwks")["keys"]

    def token_requests(self):
        """How many access tokens it has issued, by its own database."""
        return self._query("SELECT count(*) FROM gpo_access_token")[0][0]

    def password_grant(self, client_id, secret, username, password):
        """Tokens for a user, a refresh token among them, asked for without bearerd."""
        form = urllib.parse.urlencode({
            "grant_type": "password", "username": username, "password": password,
            "scope": "payments", "client_id": client_id, "client_secret": secret})
        answer = self._call("POST", f"/api/{PLUGIN}/token", form,
                            {"Content-Type": "application/x-www-form-urlencoded"})
        for member in ("access_token", "refresh_token"):
            self.canary.secret(f"glewlwyd-{member}", answer[member])
        return answer

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.held.close()

    # --- the inside -----------------------------------------------------------------------------

    def _make_database(self):
        self.database = self.folder / "glewlwyd.db"
        with sqlite3.connect(self.database) as database:
            database.executescript(gzip.decompress(SCHEMA.read_bytes()).decode())
        database.close()

    def _query(self, text):
        database = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            return database.execute(text).fetchall()
        finally:
            database.close()

    def _start(self):
        binary = shutil.which("glewlwyd")
        assert binary, "glewlwyd is not installed; apt-get install glewlwyd"
        settings = {
            "bind_address": "127.0.0.1", "external_url": self.origin, "login_url": "login.html",
            "api_prefix": "api", "log_mode": "console", "log_level": "INFO",
            "cookie_domain": "127.0.0.1", "admin_scope": "g_admin", "profile_scope": "g_profile",
            "user_module_path": f"{MODULES}/user", "client_module_path": f"{MODULES}/client",
            "user_auth_scheme_module_path": f"{MODULES}/scheme",
            "plugin_module_path": f"{MODULES}/plugin", "hash_algorithm": "SHA512",
        }
        lines = [f"port={self.port}", "cookie_secure=0"]
        lines += [f'{key}="{value}"' for key, value in settings.items()]
        lines.append(f'database = {{ type = "sqlite3" path = "{self.database}" }};')
        config = self.folder / "glewlwyd.conf"
        config.write_text("\n".join(lines) + "\n")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([binary, f"--config-file={config}"], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)
        wait_until(self._answers, "glewlwyd to answer", 20)

    def _answers(self):
        assert self.process.poll() is None, f"glewlwyd ended:\n{self.log.read_text()}"
        try:
            self._call("GET", "/config")
            return True
        except ConnectionRefusedError:
            return False

    def _set_up(self, lifetime):
        self._call("POST", "/api/auth/", {"username": "admin", "password": "password"})
        private, public = signing_key()
        self._admin("POST", "/api/scope/", {"name": "payments", "display_name": "payments",
                                            "password_required": False, "scheme": {}})
        self._admin("POST", "/api/mod/plugin/", {
            "module": "oidc", "name": PLUGIN, "display_name": PLUGIN, "parameters": {
                "iss": self.issuer, "jwt-type": "rsa", "jwt-key-size": "256",
                "key": private, "cert": public, "subject-type": "public",
                "access-token-duration": lifetime, "refresh-token-duration": 86400,
                "code-duration": 600, "refresh-token-rolling": True, "allow-non-oidc": True,
                "auth-type-client-enabled": True, "auth-type-password-enabled": True,
                "auth-type-refresh-enabled": True, "auth-type-code-enabled": False,
                "auth-type-token-enabled": False, "auth-type-id-token-enabled": False,
                "auth-type-none-enabled": False,
            }})

    def _admin(self, method, path, content=None):
        return self._call(method, path, content)

    def _call(self, method, path, content=None, fields=None):
        """One request with the administrator's session; answers as JSON or None."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            fields = dict(fields or {"Content-Type": "application/json"})
            if self._cookie:
                fields["Cookie"] = self._cookie
            body = content if isinstance(content, (str, type(None))) else json.dumps(content)
            connection.request(method, path, body, fields)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, f"glewlwyd: {method} {path}: {answer.status} {text!r}"
            cookie = answer.getheader("Set-Cookie")
            if cookie:
                self._cookie = cookie.partition(";")[0]
            return json.loads(text) if text else None
        finally:
            connection.close()
