"""What a file holds that should hold a certificate or a key in PEM, and the command that makes PEM of it."""

from __future__ import annotations

_P12 = b"\x02\x01\x03"  # the version of PKCS#12 (RFC 7292), right after the length of the whole
_PKCS7 = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"  # the type of signed data (RFC 2315)


def hint(path: str, data: bytes, text: str, is_key: bool) -> str:
    """Return what to do with this file; `text` is its content as text."""
    if not data.strip():
        return "the file is empty"
    new = f"-in {path} -out NEW.pem"
    if "PRIVATE KEY-----" in text or "CERTIFICATE-----" in text:
        other = "certificate" if is_key else "private key"
        return f"it holds a {other}: are certificate and certificate_key exchanged?"
    if "CERTIFICATE REQUEST-----" in text:
        return "it holds the request for a certificate: the authority's answer to it is the certificate"
    if "PUBLIC KEY-----" in text:
        return "it holds a public key: the private one was made together with it"
    begin = _after_length(data)
    if begin.startswith(_P12):
        return f"it is PKCS#12: `openssl pkcs12 {new} {'-nocerts -nodes' if is_key else '-nokeys'}`"
    if "BEGIN PKCS7-----" in text or begin.startswith(_PKCS7):
        form = "" if "BEGIN PKCS7-----" in text else " -inform der"
        return f"it is PKCS#7: `openssl pkcs7{form} -print_certs {new}`"
    if data.startswith(b"\x30"):
        return f"it is DER: `openssl {'pkey' if is_key else 'x509'} -inform der {new}`"
    return "PEM is text: the form that authorities call that of Apache or nginx"


def _after_length(data: bytes) -> bytes:
    """Return what comes after the tag and the length of the first value of DER."""
    if len(data) < 2 or data[0] != 0x30:
        return b""
    size = data[1] & 0x7F if data[1] & 0x80 else 0
    return data[2 + size :][:16]
