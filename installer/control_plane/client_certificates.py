"""Certificates by which a node's agent shows who it is, signed by the cluster's CA through its own API.

API: certificates.k8s.io/v1 CertificateSigningRequest, signer ``kubernetes.io/kube-apiserver-client``.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from installer.control_plane.kubectl import Kubectl
from installer.errors import ClusterError

RENEW_BEFORE: Final = timedelta(days=90)
_PATIENCE: Final = 60.0  # seconds; the controller manager signs within one, unless it has just been started


@dataclass(frozen=True)
class ClientCertificate:
    """A certificate and its key, PEM."""

    certificate: str
    key: str = field(repr=False)


def needs_renewal(pem: bytes | None) -> bool:
    """Whether a certificate is missing, unreadable, or ends within RENEW_BEFORE."""
    if pem is None:
        return True
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        return True
    return certificate.not_valid_after_utc - datetime.now(UTC) < RENEW_BEFORE


def issue(kubectl: Kubectl, names: Iterable[str], group: str) -> dict[str, ClientCertificate]:
    """A certificate for each common name, all in the group. Raises ClusterError.

    The requests are gone afterwards, and so is every trace of the keys on this side but the result.
    """
    run = secrets.token_hex(4)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in names}
    requests = {f"nodestrap-{run}-{index}": name for index, name in enumerate(keys)}
    try:
        kubectl.apply(*(_request(request, name, group, keys[name]) for request, name in requests.items()))
        kubectl("certificate", "approve", *requests)
        signed = _await(kubectl, requests)
    finally:
        kubectl.delete("certificatesigningrequests", *requests)
    return {
        name: ClientCertificate(
            signed[request],
            keys[name].private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode(),
        )
        for request, name in requests.items()
    }


def _request(request: str, name: str, group: str, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)]
    subject += [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject)).sign(key, SHA256())
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": request},
        "spec": {
            "request": base64.b64encode(csr.public_bytes(Encoding.PEM)).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    }


def _await(kubectl: Kubectl, requests: Mapping[str, str]) -> dict[str, str]:
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = kubectl.get("certificatesigningrequests", *requests)
        items = found.get("items", [found])  # one name gives one object, not a list
        signed = {
            item["metadata"]["name"]: base64.b64decode(item["status"]["certificate"]).decode()
            for item in items
            if (item.get("status") or {}).get("certificate")
        }
        if len(signed) == len(requests):
            return signed
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{len(signed)} of {len(requests)} certificates were signed within {_PATIENCE:.0f} s",
                host=kubectl.host,
                step="network",
                fix="is the controller manager up, and has it the CA's key? `crictl ps -a` shows it",
            )
        time.sleep(0.3)
