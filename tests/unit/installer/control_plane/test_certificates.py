from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from installer.control_plane.ca_hash import ca_hash
from installer.control_plane.client_certificates import issue, needs_renewal
from installer.control_plane.kubectl import Kubectl
from installer.errors import ClusterError
from installer.ssh.connection import CommandResult


def certificate(days: int, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=days))
    return builder.public_key(key.public_key()).sign(key, SHA256()).public_bytes(Encoding.PEM)


def test_the_hash_is_that_of_the_key() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert ca_hash(certificate(1, key)) == f"sha256:{hashlib.sha256(der).hexdigest()}"


@pytest.mark.parametrize("text", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_is_refused(text: bytes) -> None:
    with pytest.raises(ClusterError, match="cannot be read"):
        ca_hash(text)


def test_a_certificate_is_renewed_in_good_time() -> None:
    assert needs_renewal(None)
    assert needs_renewal(b"rubbish")
    assert needs_renewal(certificate(89))
    assert not needs_renewal(certificate(300))


class Signer:
    """kubectl, of a cluster that signs what it is asked to at the second look."""

    def __init__(self) -> None:
        self.requests: dict[str, Any] = {}
        self.verbs: list[str] = []
        self.looks = 0

    def __call__(self, argv: list[str], stdin: bytes, timeout: float) -> CommandResult:
        words = argv[6:]
        self.verbs.append(words[0])
        if words[0] == "apply":
            self.requests = {each["metadata"]["name"]: each for each in yaml.safe_load_all(stdin)}
        if words[0] == "get":
            self.looks += 1
            status = {"certificate": base64.b64encode(b"signed").decode()} if self.looks > 1 else {}
            items = [{"metadata": {"name": name}, "status": status} for name in self.requests]
            return CommandResult(0, json.dumps({"items": items}).encode(), b"")
        return CommandResult(0, b"", b"")


def test_each_name_gets_a_certificate_and_no_request_stays() -> None:
    signer = Signer()
    issued = issue(Kubectl("node1", signer), ["net:a", "net:b"], "net")
    assert [each.certificate for each in issued.values()] == ["signed", "signed"]
    assert issued["net:a"].key != issued["net:b"].key
    assert "PRIVATE KEY" not in repr(issued)
    first = next(iter(signer.requests.values()))["spec"]
    assert first["signerName"] == "kubernetes.io/kube-apiserver-client"
    subject = x509.load_pem_x509_csr(base64.b64decode(first["request"])).subject.rfc4514_string()
    assert subject == "CN=net:a,O=net"
    assert signer.verbs[-1] == "delete"
