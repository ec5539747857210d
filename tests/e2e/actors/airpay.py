"""Airpay's v4 envelope as its server speaks it, written from the documents and not from src/."""

import base64
import datetime
import hashlib
import json
import secrets
import urllib.parse

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


class Airpay:
    """One merchant: seals, opens and verifies."""

    def __init__(self, username, password, merchant_id, client_id, client_secret):
        key = hashlib.md5(f"{username}~:~{password}".encode()).hexdigest()
        self.key = key.encode()  # the hexadecimal text itself is the AES-256 key
        self.password, self.merchant_id = password, merchant_id
        self.expected = {"client_id": client_id, "client_secret": client_secret,
                         "merchant_id": merchant_id, "grant_type": "client_credentials"}
        self.zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
        self.verdicts = []

    def cipher(self, vector):
        return Cipher(algorithms.AES(self.key), modes.CBC(vector))

    def seal(self, text):
        vector = secrets.token_hex(8).encode()
        padder = padding.PKCS7(128).padder()
        padded = padder.update(text.encode()) + padder.finalize()
        encryptor = self.cipher(vector).encryptor()
        return (vector + base64.b64encode(encryptor.update(padded) + encryptor.finalize())).decode()

    def open(self, sealed):
        vector, data = sealed[:16].encode(), base64.b64decode(sealed[16:], validate=True)
        decryptor = self.cipher(vector).decryptor()
        padded = decryptor.update(data) + decryptor.finalize()
        unpadder = padding.PKCS7(128).unpadder()
        return (unpadder.update(padded) + unpadder.finalize()).decode()

    def date(self):
        return datetime.datetime.now(self.zone).strftime("%Y-%m-%d")

    def checksum(self, inner):
        values = "".join(inner[name] for name in sorted(inner))
        return hashlib.sha256((values + self.date()).encode()).hexdigest()

    def reply(self, content):
        return {"response": self.seal(json.dumps(content))}

    def judge(self, body):
        """What is wrong with a token request's body; None if nothing is."""
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        if set(form) != {"merchant_id", "encdata", "checksum"}:
            return "Parameters are required"
        if form["merchant_id"] != self.merchant_id:
            return "Invalid merchant"
        inner = json.loads(self.open(form["encdata"]))
        if form["checksum"] != self.checksum(inner):
            return "Invalid Checksum"
        if inner != self.expected:
            return "Invalid client id or secret"
        return None

    def behaviour(self, idp):
        """A behaviour for idp.always(): the real endpoint's answers, every refusal a 200."""
        def behave(stream, request):
            verdict = self.judge(request.body)
            self.verdicts.append(verdict)
            outer = {"status_code": "200", "response_code": "00", "status": "success",
                     "message": "Success"}
            if verdict:
                outer["data"] = {"success": False, "msg": verdict}
            else:
                outer["data"] = {**idp.new_token(), "scope": None}
            idp.send_json(stream, 200, self.reply(outer))
        return behave
