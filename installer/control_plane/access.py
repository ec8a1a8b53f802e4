"""How hosts get into the cluster in one run: a short-lived token, and for control planes its certificates.

Both are the run's own and are taken back at its end, or else by the next run; by id, not by value: nothing
secret is ever an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from installer.control_plane.kubectl import Kubectl
from installer.errors import ClusterError
from installer.kubeadm.settings import Discovery, Secrets

TOKEN_MINUTES: Final = 60
_NAMESPACE: Final = ("--namespace", "kube-system")
_CERTIFICATES: Final = "kubeadm-certs"


@dataclass(frozen=True)
class Access:
    """What a joining host is told."""

    secrets: Secrets
    discovery: Discovery


def admit(kubectl: Kubectl, secrets: Secrets) -> None:
    """Make the run's token known to the cluster; init's own, of the same value, is left as it is.

    A bootstrap token is a Secret of a known form (https://kubernetes.io/docs/reference/access-authn-authz/
    bootstrap-tokens/); ``kubeadm token create`` would want the value as an argument. Raises ClusterError.
    """
    token_id, _, secret = secrets.token.partition(".")
    expires = datetime.now(UTC) + timedelta(minutes=TOKEN_MINUTES)
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"bootstrap-token-{token_id}", "namespace": "kube-system"},
            "type": "bootstrap.kubernetes.io/token",
            "stringData": {
                "token-id": token_id,
                "token-secret": secret,
                "description": "nodestrap: for the time of one run",
                "expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "usage-bootstrap-signing": "true",
                "usage-bootstrap-authentication": "true",
                "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
            },
        }
    )


def upload_certificates(kubectl: Kubectl, config: str) -> None:
    """Have kubeadm put the control plane's certificates, encrypted, into the cluster for others to fetch.

    ``config`` is init's file with the key in it; it goes over stdin. Raises ClusterError.
    """
    script = (
        'umask 077; f=$(mktemp /run/nodestrap-kubeadm-XXXXXX) && trap \'rm -f "$f"\' EXIT && cat >"$f" && '
    )
    script += 'kubeadm init phase upload-certs --upload-certs --skip-certificate-key-print --config "$f"'
    answer = kubectl.command(["sh", "-c", script], config.encode(), 90.0)
    if answer.status != 0:
        raise ClusterError(
            f"the certificates could not be uploaded: {answer.stderr.decode(errors='replace').strip()}",
            host=kubectl.host,
            step="kubeadm init phase upload-certs",
            fix="try it by hand on that host",
        )


def revoke(kubectl: Kubectl, token_ids: Sequence[str], *, certificates: bool) -> None:
    """Take back tokens, and the certificates with the token that kubeadm made to own them.

    What is not there is no matter. Raises ClusterError.
    """
    names = [f"bootstrap-token-{token_id}" for token_id in token_ids]
    if certificates:
        kept = kubectl.find("secret", _CERTIFICATES, *_NAMESPACE)
        owners = (kept or {}).get("metadata", {}).get("ownerReferences") or ()
        names += [_CERTIFICATES, *(owner["name"] for owner in owners if owner["kind"] == "Secret")]
    kubectl.delete("secret", *names, *_NAMESPACE)
