"""A certificate of the cluster has expired."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509

from installer.doctor.evidence import Evidence
from installer.doctor.finding import Finding, cause, warning

_SOON = timedelta(days=14)
_KUBELET = ("/etc/kubernetes/kubelet.conf", "/var/lib/kubelet/pki/kubelet-client-current.pem")


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    now = datetime.fromtimestamp(evidence.now, UTC)  # the controller's: a wrong clock is another cause
    for path, texts in evidence.certificates.items():
        for certificate in map(_parse, texts):
            if certificate is None:
                yield warning(f"{path} holds a certificate that cannot be read", path, _fix(path))
                continue
            end = certificate.not_valid_after_utc
            begin = certificate.not_valid_before_utc
            name = certificate.subject.rfc4514_string()
            if end < now:
                yield cause(
                    f"the certificate in {path} has expired",
                    f"{path}: {name}: notAfter {end:%Y-%m-%d %H:%M} UTC",
                    _fix(path),
                )
            elif begin > now + timedelta(seconds=60):
                yield cause(
                    f"the certificate in {path} is from the future: a clock was wrong when it was made",
                    f"{path}: {name}: notBefore {begin:%Y-%m-%d %H:%M} UTC",
                    _fix(path),
                )
            elif end < now + _SOON:
                yield warning(
                    f"the certificate in {path} expires in {(end - now).days} days",
                    f"{path}: {name}: notAfter {end:%Y-%m-%d %H:%M} UTC",
                    _fix(path),
                )


def _parse(text: str) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(text.encode())
    except ValueError:
        return None


def _fix(path: str) -> str:
    if path in _KUBELET:
        return (
            "remove the node from the cluster and join it again, or remove kubelet.conf and put a fresh "
            "bootstrap-kubelet.conf in place"
        )
    if path.endswith("ca.crt"):
        return "renew the cluster's CA by hand: kubeadm does not"
    return "kubeadm certs renew all (before 1.20: kubeadm alpha certs), then restart the static pods"
