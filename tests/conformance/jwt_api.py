"""An API that accepts a request only with a token whose RS256 signature and times are right."""

import base64
import json
import time

from actors import EchoApi
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(decoded(text), "big")


class JwtApi(EchoApi):
    """Checks tokens with the keys of the authorization server, and remembers their claims."""

    name = "jwt-api"

    def __init__(self, keys, issuer, canary):
        self.keys = {key["kid"]: rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key()
                     for key in keys}
        self.issuer, self.canary = issuer, canary
        self.claims = []
        super().__init__()

    def token_accepted(self, request):
        scheme, _, token = (request.fields.get("Authorization") or "").partition(" ")
        self.canary.secret("jwt", token)
        if scheme != "Bearer" or token.count(".") != 2:
            return False
        head, payload, signature = token.split(".")
        header, claims = json.loads(decoded(head)), json.loads(decoded(payload))
        try:
            self.keys[header["kid"]].verify(decoded(signature), f"{head}.{payload}".encode(),
                                            padding.PKCS1v15(), hashes.SHA256())
        except (KeyError, InvalidSignature):
            return False
        self.claims.append(claims)
        return (header["alg"] == "RS256" and claims["iss"] == self.issuer
                and claims["nbf"] - 1 <= time.time() < claims["exp"]
                and "payments" in claims["scope"].split())
