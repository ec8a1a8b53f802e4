"""The bootstrap token that the node was to join with is no longer valid."""

from __future__ import annotations

import re
from collections.abc import Iterator

from installer.doctor.evidence import KUBELET, Evidence, quoted
from installer.doctor.finding import Finding, cause

_BOOTSTRAP = "/etc/kubernetes/bootstrap-kubelet.conf"
_JOINED = "/var/lib/kubelet/pki/kubelet-client-current.pem"
# kubeadm in its discovery, in several releases' words, or, given a discovery file, at the token's first use.
# An API server that is away is another trouble, and so is a registry that wants credentials.
_KUBEADM = re.compile(
    r"could not find a JWS signature|token (id )?\S* ?(is|was) (invalid|expired)|invalid.* for this cluster"
    r"|(config ?map|cannot get node|certificate ?signing ?request)\b.*: unauthorized",
    re.IGNORECASE,
)
_KUBELET = r"(certificate ?signing ?request|bootstrap).*(unauthorized|must be logged in)"
_FIX = (
    "make a new one and join again: nodestrap join makes its own; by hand, kubeadm token create "
    "--print-join-command on a control plane, kubeadm reset here, then join"
)


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    if _JOINED in evidence.present:
        return  # it has a certificate of its own; no token matters any more
    line = evidence.line(KUBELET, _KUBELET) if _BOOTSTRAP in evidence.present else None
    failure = evidence.last_failure
    if line is None and failure is not None:
        said = next((text for text in failure.reason.splitlines() if _KUBEADM.search(text)), None)
        line = quoted(f"nodestrap's last run, {failure.step}", said) if said else None
    if line is not None:
        yield cause("the bootstrap token is not valid any more", line, _FIX)
