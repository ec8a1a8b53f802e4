"""Recorded evidence of healthy hosts, to be made sick in one respect.

``recorded/`` holds what the probe said on lab hosts (``nodestrap doctor --record``), cut to what matters; its
certificates are made anew here, since they are only good for a year.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from installer.doctor.diagnose import Ranked, diagnose
from installer.doctor.evidence import Evidence, Failure, evidence_from_answer
from installer.doctor.finding import Weight

RECORDED = Path(__file__).with_name("recorded")
KUBELET, PYCRI = "kubelet.service", "/run/pycri/pycri.sock"


def healthy(name: str = "control-plane") -> dict[str, Any]:
    """The probe's document; the caller's own to change."""
    document: dict[str, Any] = copy.deepcopy(_recorded(name))
    document["certificates"] = {path: [certificate()] for path in document["certificates"]}
    return document


@cache
def _recorded(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    return document


def evidence(
    document: Mapping[str, Any],
    *,
    clock_ahead: float = 0.0,
    clock_error: float = 0.2,
    last_failure: Failure | None = None,
) -> Evidence:
    """As it was when it was recorded: the journals' lines are as fresh as they were then."""
    return evidence_from_answer(
        document,
        host="node1",
        is_control_plane="etcd" in document["manifests"],
        now=document["time"] - clock_ahead,
        clock_ahead=clock_ahead,
        clock_error=clock_error,
        last_failure=last_failure,
    )


def findings(document: Mapping[str, Any], **clock: Any) -> list[Ranked]:
    return diagnose(evidence(document, **clock))


def causes(document: Mapping[str, Any], **clock: Any) -> list[str]:
    """The names of what the host is sick of, as ranked; without warnings."""
    found = findings(document, **clock)
    return [each.name for each in found if each.finding.weight is Weight.CAUSE]


def said(document: dict[str, Any], unit: str, *lines: str, ago: float = 20.0) -> None:
    """The unit's journal ends with these lines."""
    document["journals"][unit] += [[document["time"] - ago, line] for line in lines]


def crash_looping(document: dict[str, Any], unit: str, *last_words: str) -> None:
    """systemd restarts the unit again and again; each time it says this."""
    document["units"][unit] |= {
        "ActiveState": "activating",
        "SubState": "auto-restart",
        "Result": "exit-code",
        "NRestarts": "7",
        "active_seconds": None,
    }
    said(document, unit, *last_words)


def died(document: dict[str, Any], name: str, *log: str, code: int = 1) -> None:
    """The static pod's newest container is dead, with this log."""
    for container in document["endpoints"][PYCRI]["containers"]:
        if container["name"] == name:
            container |= {
                "state": "exited",
                "attempt": 4,
                "exit_code": code,
                "reason": "Error",
                "message": "",
                "log": list(log),
            }


@cache
def certificate(days: int = 365, begin_days: int = -1, now: float = 0.0) -> str:
    """PEM of a self-signed certificate, good from and until so many days from the recording (or ``now``)."""
    moment = datetime.fromtimestamp(now or _recorded("control-plane")["time"], UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kube-apiserver")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(moment + timedelta(days=min(begin_days, days - 1)))
        .not_valid_after(moment + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()
