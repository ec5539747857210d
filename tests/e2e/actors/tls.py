"""Certificates for the actors, by an authority of trustme's."""

import datetime
import ipaddress
import ssl

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (Encoding, NoEncryption, PrivateFormat,
                                                          load_pem_private_key)
from cryptography.x509.oid import NameOID

KINDS = {"common_name": NameOID.COMMON_NAME, "organization_name": NameOID.ORGANIZATION_NAME}


def general_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Tls:
    """One authority with the server contexts that it vouches for."""

    def __init__(self, folder):
        self.authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca_file))

    def issue(self, subject, *names, key=None, not_after=None):
        """A certificate for this name and host names, and its key: of an elliptic curve, since one
        of RSA takes long to make on a busy machine."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        signer = load_pem_private_key(self.authority.private_key_pem.bytes(), None)
        issuer = x509.load_pem_x509_certificate(self.authority.cert_pem.bytes()).subject
        end = not_after or datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=6)
        return key, (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(end - datetime.timedelta(days=2)).not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName(list(map(general_name, names))), not subject.rdns)
            .sign(signer, hashes.SHA256()))

    def files(self, folder, *names, name="server", not_after=None, **subject):
        """Certificate and key as files; `subject` may say common_name and organization_name."""
        parts = [x509.NameAttribute(KINDS[kind], value) for kind, value in reversed(subject.items())]
        parts = parts or [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "tests of bearerd")]
        own, issued = self.issue(x509.Name(parts), *(names or ("127.0.0.1", "localhost", "::1")),
                                 not_after=not_after)
        cert, key = folder / f"{name}.pem", folder / f"{name}.key"
        cert.write_bytes(issued.public_bytes(Encoding.PEM))
        key.touch(0o600)
        key.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return cert, key

    def client_context(self, cert=None, key=None):
        """A client's context that trusts the authority, and shows a certificate if it has one."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.options &= ~0x80  # OP_IGNORE_UNEXPECTED_EOF: an end without close_notify is told
        if cert:
            context.load_cert_chain(cert, key)
        return context

    def server_context(self, *names, client_ca=None):
        """A server context whose certificate carries the names (host names or addresses)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
        if client_ca:
            client_ca.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context
