"""A certificate authority for tests."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | RSAPrivateKey


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Issued(NamedTuple):
    """Files of PEM: the certificate with its chain, and its key."""

    certificate: Path
    key: Path


class Authority:
    """Issues certificates directly, and signs itself."""

    def __init__(self, name: str = "Test Authority") -> None:
        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        names = _name(name)
        builder = _builder(names, names, self._key.public_key(), _now() - datetime.timedelta(days=1), 3650)
        basic = x509.BasicConstraints(ca=True, path_length=None)
        self._certificate = builder.add_extension(basic, critical=True).sign(self._key, hashes.SHA256())

    def intermediate(self, days: float = 900, age: float = 1) -> Authority:
        """Return an authority that this one has certified."""
        made = Authority(f"{self.name}, the second")
        builder = _builder(_name(made.name), _name(self.name), made._key.public_key(), _now() - _days(age), age + days)
        basic = x509.BasicConstraints(ca=True, path_length=None)
        made._certificate = builder.add_extension(basic, critical=True).sign(self._key, hashes.SHA256())
        return made

    @property
    def pem(self) -> str:
        """The authority's own certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(
        self, folder: Path, *hosts: str, days: float = 90, age: float = 1, name: str = "site", rsa: bool = False
    ) -> Issued:
        """Write a certificate for these hosts that was issued `age` days ago and has `days` left, and its key."""
        key = generate_private_key(65537, 2048) if rsa else ec.generate_private_key(ec.SECP256R1())
        begins = _now() - datetime.timedelta(days=age)
        builder = _builder(_name(hosts[0]), _name(self.name), key.public_key(), begins, age + days)
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), False)
        certificate = builder.sign(self._key, hashes.SHA256())
        issued = Issued(folder / f"{name}.crt", folder / f"{name}.key")
        issued.certificate.write_text(certificate.public_bytes(serialization.Encoding.PEM).decode() + self.pem)
        issued.key.touch(0o600)
        issued.key.write_bytes(private(key))
        return issued


def private(key: Key, password: str | None = None) -> bytes:
    """Return a private key as PEM."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _days(number: float) -> datetime.timedelta:
    return datetime.timedelta(days=number)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey | RSAPublicKey,
    begins: datetime.datetime,
    days: float,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + datetime.timedelta(days=days))
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host)
