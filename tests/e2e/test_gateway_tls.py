"""Callers that show a client certificate: known by its subject, its fingerprint, or both."""

import ssl
import subprocess

import pytest
from actors import section
from actors.reloading import Reloading
from actors.wire import Truncated
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


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


def test_a_certificate_of_another_authority_is_refused(start, make, tls, tmp_path):
    import trustme
    foreign = trustme.CA().issue_cert("shop.example", common_name="shop")
    foreign.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "foreign.pem"))
    shop = make("shop")
    gateway = start(("shop", {"tls_subject": shop.subject}))
    with pytest.raises((ssl.SSLError, ConnectionError, Truncated)):
        with gateway.client(tls=tls.client_context(tmp_path / "foreign.pem")) as client:
            client.get("/x")
    gateway.wait_log("no TLS with", "an authority that tls_client_ca does not name")


def test_a_caller_whose_authority_is_withdrawn(start, make, tls, tmp_path, canary):
    """On a connection that goes on, its certificate counts no more; its key does."""
    import trustme
    shop, key = make("shop"), canary.secret("key-of-a-caller")
    gateway = start(("shop", {"tls_subject": shop.subject}), ("keyed", {"api_key": f"literal:{key}"}))
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    text = gateway.config_path.read_text()
    reload = Reloading(gateway)
    with gateway.client(tls=shop.context) as kept:
        assert kept.get("/x").status == 200
        reload(ini=text.replace(str(tls.ca_file), str(other)))
        for _ in range(2):
            assert kept.get("/x").status == 401
            assert kept.get("/x", [("X-Api-Key", key)]).status == 200
        reload(ini=text)
        assert kept.get("/x").status == 200


NAMES = [
    [[("CN", "shop")], [("O", "Example, Inc.")], [("C", "SE")]],
    [[("CN", "shop"), ("UID", "17")], [("O", "Example")]],
    [[("CN", "Köp + sälj 日本")]], [[("CN", ' #"a" <b>; c=\\ ')]],
    [[("emailAddress", "a@b.example")], [("serialNumber", "42")], [("DC", "example")]],
    [[("1.2.3.4.5", "hello")], [("CN", "x")]], [[("CN", "shop\0.evil")]],
]


def with_name(tls, folder, name, file="named.pem", key=None):
    """Certificate and key of the tests' authority for a subject of these parts, last first."""
    subject = x509.Name([x509.RelativeDistinguishedName(
        [x509.NameAttribute(OIDS.get(kind) or x509.ObjectIdentifier(kind), value)
         for kind, value in part]) for part in reversed(name)])
    key, certificate = tls.issue(subject, "shop.example", key=key)
    path = folder / file
    path.touch(0o600)
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path, certificate


OIDS = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME, "C": NameOID.COUNTRY_NAME,
        "UID": NameOID.USER_ID, "emailAddress": NameOID.EMAIL_ADDRESS,
        "serialNumber": NameOID.SERIAL_NUMBER, "DC": NameOID.DOMAIN_COMPONENT}


def printed_by_openssl(path):
    """As the guide's command prints it, and as it can stand in the file."""
    printed = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-subject", "-nameopt",
                              "RFC2253"], capture_output=True, text=True, check=True).stdout
    subject = printed.removeprefix("subject=").removesuffix("\n")
    return subject[:-1] + "20" if subject.endswith("\\ ") else subject  # no blank ends a line there


def test_the_subject_that_openssl_prints_is_known(start, tls, tmp_path):
    paths = [with_name(tls, tmp_path, name, f"named{i}.pem")[0] for i, name in enumerate(NAMES)]
    gateway = start(("other", {"tls_subject": "CN=shop"}),
                    *((f"shop{i}", {"tls_subject": printed_by_openssl(path)})
                      for i, path in enumerate(paths)))
    for path in paths:
        with gateway.client(tls=tls.client_context(path)) as client:
            assert client.get("/x").status == 200, printed_by_openssl(path)
    assert sorted(line["caller"] for line in gateway.access_log(len(paths))) == [
        f"shop{i}" for i in range(len(paths))]


def test_a_certificate_without_a_subject_has_a_fingerprint(start, tls, tmp_path):
    path, certificate = with_name(tls, tmp_path, [])
    gateway = start(("shop", {"tls_fingerprint": certificate.fingerprint(hashes.SHA256()).hex()}),
                    ("till", {"tls_subject": "CN=till"}))
    with gateway.client(tls=tls.client_context(path)) as client:
        assert client.get("/x").status == 200


def test_a_weak_key_proves_nothing(start, tls, tmp_path):
    """1024 bits of RSA, which a careless authority has signed."""
    weak, _ = with_name(tls, tmp_path, [[("CN", "weak")]], key=rsa.generate_private_key(65537, 1024))
    good, _ = with_name(tls, tmp_path, [[("CN", "good")]], "good.pem",
                        rsa.generate_private_key(65537, 2048))
    gateway = start(("weak", {"tls_subject": "CN=weak"}), ("good", {"tls_subject": "CN=good"}))
    context = tls.client_context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(weak)
    with pytest.raises((ssl.SSLError, OSError, Truncated)):
        with gateway.client(tls=context) as client:
            client.get("/x")
    gateway.wait_log("no TLS with", "the client's certificate does not hold")
    with gateway.client(tls=tls.client_context(good)) as client:
        assert client.get("/x").status == 200


def test_certificates_need_an_authority(configure, provider, api):
    bearerd = configure(provider() + section("route all", {"provider": "idp",
                                                           "upstream": api.origin})
                        + section("caller shop", {"tls_subject": "CN=shop"}))
    result = bearerd.check()
    assert result.status == 78 and "tls_client_ca" in result.output
