"""Certificates for the actors, made by trustme."""

import ssl

import trustme


class Tls:
    """One authority with the server contexts that it vouches for."""

    def __init__(self, folder):
        self.authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca_file))

    def files(self, folder, *names, name="server", **options):
        """Certificate (with its chain) and key as files; `options` are trustme's issue_cert."""
        issued = self.authority.issue_cert(*(names or ("127.0.0.1", "localhost", "::1")), **options)
        cert, key = folder / f"{name}.pem", folder / f"{name}.key"
        cert.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        key.touch(0o600)
        key.write_bytes(issued.private_key_pem.bytes())
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
