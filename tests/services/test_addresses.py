"""An account cannot send us into a private network, nor to a host that nobody listed, whatever it writes."""

import datetime
import ipaddress
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runs.services.addresses import Gate, is_public, origin_of
from runs.services.base import Refused, Unavailable
from runs.services.http import Http

HOSTS = ("api.load.example", "*.eu.load.example", "*.*.store.example")
GATE = Gate("Example Load", HOSTS, ("127.0.0.1", "lab.internal:8443", "[::1]:9"))


@pytest.mark.parametrize(
    "url",
    [
        "https://api.load.example/x",
        "https://API.Load.Example",
        "https://api.load.example:443/",
        "https://acme.eu.load.example/",
        "https://acme.z12.store.example/",
        "http://127.0.0.1:8089/x",
        "https://127.0.0.1/",
        "http://lab.internal:8443/",
        "http://[::1]:9/",
    ],
)
def test_the_provider_s_hosts_and_listed_ones_may_be_called(url):
    assert GATE.check(url) == origin_of(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.load.example/",
        "https://api.load.example:8443/",
        "https://load.example/",
        "https://eu.load.example/",
        "https://a.b.eu.load.example/",
        "https://.eu.load.example/",
        "https://store.example/",
        "https://acme.store.example/",
        "https://a.b.c.store.example/",
        "https://acme..store.example/",
        "https://.acme.store.example/",
        "https://acme.z12.store.example.evil.example/",
        "https://acme.z12.evil-store.example/",
        "https://evil-api.load.example/",
        "https://api.load.example.evil.example/",
        "https://api.load.example@evil.example/",
        "https://evil.example#@api.load.example/",
        "https://evil.example\\@api.load.example/",
        "https://api.load.example./",
        "https://api.load.example:/",
        "https://api.load.example:99999/",
        "https://api.load.exampl\u0435/",
        "https://api.load.example\n.evil.example/",
        "https:///api.load.example",
        "//api.load.example/",
        "api.load.example",
        "ftp://api.load.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0.0.0.0/",
        "http://localhost/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://lab.internal/",
        "http://[::1]:10/",
        "http://[::1/",
        "",
    ],
)
def test_everything_else_is_refused_in_a_sentence(url):
    with pytest.raises(Refused, match="Example Load"):
        GATE.check(url)


@pytest.mark.parametrize("address", ["8.8.8.8", "20.37.158.5", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001:0:7f00:1::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
    ],
)
def test_addresses_that_lead_inside(address):
    assert not is_public(address)


def _answering(*addresses):
    """A name service that answers these for any name."""

    def resolve(host, port, **options):
        family = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [
            (family[ipaddress.ip_address(address).version], socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    return resolve


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("::1",), ("169.254.169.254",)])
def test_a_listed_name_that_leads_inside_is_not_connected_to(addresses, monkeypatch):
    def connect(*args):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", connect)
    http = Http(
        "https://api.load.example",
        provider="Example Load",
        hosts=("api.load.example",),
        resolve=_answering(*addresses),
    )

    with pytest.raises(Refused, match="leads to a network"):
        http.get("/")


def test_the_name_is_looked_up_once_so_a_second_answer_cannot_slip_in(faults, monkeypatch):
    looked_up = []

    def rebinding(host, port, **options):
        looked_up.append(host)
        return _answering("8.8.8.8" if len(looked_up) == 1 else "127.0.0.1")(host, port)

    reached = []

    def connect(sock, address):
        reached.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", connect)
    http = Http(
        "https://api.load.example",
        provider="Example Load",
        hosts=("api.load.example",),
        resolve=rebinding,
        waits=(),
    )

    with pytest.raises(Unavailable):
        http.get("/")
    assert looked_up == ["api.load.example"]
    assert reached == [("8.8.8.8", 443)]


def test_a_server_that_cannot_prove_who_it_is_gets_nothing(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    received = []

    def serve(listener):
        raw, _ = listener.accept()
        with raw:
            try:
                with context.wrap_socket(raw, server_side=True) as secure:
                    received.append(secure.recv(1000))
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        http = Http(
            f"https://127.0.0.1:{port}", provider="Example Load", hosts=(), extra_hosts=("127.0.0.1",), waits=()
        )
        with pytest.raises(Unavailable, match="certificate") as caught:
            http.send("POST", "/", json={"token": "secret"})
        thread.join(5)

    assert caught.value.maybe_done is False
    assert received == []
