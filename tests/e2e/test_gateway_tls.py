"""Callers that show a client certificate: known by its subject, its fingerprint, or both."""

import ssl

import pytest
from actors import section
from cryptography import x509
from cryptography.hazmat.primitives import hashes


class Program:
    """A program with a certificate of its own."""

    def __init__(self, tls, folder, name):
        self.files = tls.files(folder, f"{name}.example", name=name, common_name=name)
        certificate = x509.load_pem_x509_certificate(self.files[0].read_bytes())
        self.subject = certificate.subject.rfc4514_string()
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        self.context = tls.client_context(*self.files)

    def ask(self, bearerd, fields=()):
        with bearerd.client(tls=self.context) as client:
            return client.get("/x", fields)


@pytest.fixture
def make(tls, tmp_path):
    return lambda name: Program(tls, tmp_path, name)


@pytest.fixture
def start(run_tls, tls, provider, api):
    def start(*callers, **server):
        return run_tls(
            provider() + section("route all", {"provider": "idp", "upstream": api.origin})
            + "".join(section(f"caller {name}", keys) for name, keys in callers),
            server={"tls_client_ca": tls.ca_file, **server})
    return start


def colons(fingerprint):
    return ":".join(fingerprint[i:i + 2] for i in range(0, len(fingerprint), 2)).upper()


def test_a_certificate_tells_who_it_is(start, make, canary):
    shop, till, both, stranger = map(make, ("shop", "till", "both", "stranger"))
    key = canary.secret("key-of-a-caller")
    gateway = start(("shop", {"tls_subject": shop.subject}),
                    ("till", {"tls_fingerprint": f"{'0' * 64}, {colons(till.fingerprint)}"}),
                    ("both", {"tls_subject": both.subject, "tls_fingerprint": both.fingerprint}),
                    ("keyed", {"api_key": f"literal:{key}"}))
    for program in (shop, till, both):
        assert program.ask(gateway).status == 200
    answer = stranger.ask(gateway)
    assert (answer.status, answer.problem()["code"]) == (401, "caller_unknown")
    assert stranger.ask(gateway, [("X-Api-Key", key)]).status == 200
    assert shop.ask(gateway, [("X-Api-Key", "wrong")]).status == 401
    assert sorted(line["caller"] for line in gateway.access_log(6)) == sorted(
        ["shop", "till", "both", "-", "keyed", "-"])


def test_subject_and_fingerprint_must_both_be_right(start, make):
    shop, renewed = make("shop"), make("shop")
    gateway = start(("shop", {"tls_subject": shop.subject, "tls_fingerprint": shop.fingerprint}),
                    ("other", {"tls_subject": "CN=other", "tls_fingerprint": renewed.fingerprint}))
    assert shop.ask(gateway).status == 200
    assert renewed.ask(gateway).status == 401


def test_a_program_without_a_certificate_may_have_a_key(start, make, canary):
    key = canary.secret("key-of-a-caller")
    gateway = start(("shop", {"tls_subject": make("shop").subject}),
                    ("keyed", {"api_key": f"literal:{key}"}))
    assert gateway.get("/x").status == 401
    assert gateway.get("/x", [("X-Api-Key", key)]).status == 200


def test_a_certificate_of_another_authority_is_refused(start, make, tmp_path):
    import trustme
    foreign = trustme.CA().issue_cert("shop.example", common_name="shop")
    foreign.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "foreign.pem"))
    shop = make("shop")
    gateway = start(("shop", {"tls_subject": shop.subject}))
    shop.context.load_cert_chain(tmp_path / "foreign.pem")
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        assert shop.ask(gateway).status == 200


def test_certificates_need_an_authority(configure, provider, api):
    bearerd = configure(provider() + section("route all", {"provider": "idp",
                                                           "upstream": api.origin})
                        + section("caller shop", {"tls_subject": "CN=shop"}))
    result = bearerd.check()
    assert result.status == 78 and "tls_client_ca" in result.output
