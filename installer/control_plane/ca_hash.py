"""The hash by which a joining host knows the cluster's CA: ``sha256:`` of its key (RFC 7469).

kubeadm before 1.23 made CAs with the serial number 0, which newer X.509 libraries refuse to read: so the few
bytes that matter are found here.
"""

from __future__ import annotations

import base64
import hashlib

from installer.errors import ClusterError


def ca_hash(pem: bytes) -> str:
    """The hash of the first certificate. Raises ClusterError when there is none."""
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    try:
        der = base64.b64decode(pem.split(begin)[1].split(end)[0])
        key = _public_key(der)
    except (IndexError, ValueError) as error:
        raise ClusterError(f"the cluster's CA certificate cannot be read: {error}") from error
    return f"sha256:{hashlib.sha256(key).hexdigest()}"


def _public_key(certificate: bytes) -> bytes:
    """SubjectPublicKeyInfo (RFC 5280, section 4.1): the sixth field of TBSCertificate, after the version."""
    body = certificate[slice(*_content(certificate, _content(certificate, 0)[0]))]
    starts, at = [], 0
    while at < len(body):
        starts.append(at)
        at = _content(body, at)[1]
    index = 6 if body[0] == 0xA0 else 5  # version 1 does not say its version
    return body[starts[index] : _content(body, starts[index])[1]]


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the DER value at an offset begins and ends."""
    length, begin = der[at + 1], at + 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(der[at + 2 : begin], "big")
    if begin + length > len(der):
        raise ValueError("it is cut short")
    return begin, begin + length
