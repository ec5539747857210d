"""Certificates for the actors, made by trustme."""

import ssl

import trustme


class Tls:
    """One authority with the server contexts that it vouches for."""

    def __init__(self, folder):
        self.authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca_file))

    def server_context(self, *names, client_ca=None):
        """A server context whose certificate carries the names (host names or addresses)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
        if client_ca:
            client_ca.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context
