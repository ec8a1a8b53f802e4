"""The kubelet is told to use a socket where no CRI is served."""

from __future__ import annotations

from collections.abc import Iterator

from installer.doctor.evidence import KUBELET, PYCRI, Evidence
from installer.doctor.finding import Finding, cause

# The socket of a runtime that is installed but down is the right socket: that is cause runtime_down.
_SERVED_BY = {PYCRI: "pycri.service", "/run/containerd/containerd.sock": "containerd.service"}
_BUILT_IN = "/run/containerd/containerd.sock"  # the default of kubelets from 1.27 on
_FIX = (
    f"set containerRuntimeEndpoint to unix://{PYCRI} in /var/lib/kubelet/config.yaml (before 1.27: "
    "--container-runtime-endpoint in /var/lib/kubelet/kubeadm-flags.env) and restart the kubelet"
)


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    if not any("kubelet" in path and "config" in path for path in evidence.files.contents):
        return  # no kubelet is set up
    told = evidence.configured_endpoint
    if told is None:
        if evidence.sockets.get(_BUILT_IN) == "answers" and not _refusal(evidence, _BUILT_IN):
            return
        yield cause(
            "the kubelet is not told which CRI socket to use, and its default serves no CRI",
            "no containerRuntimeEndpoint in /var/lib/kubelet and no --container-runtime-endpoint flag",
            _FIX,
        )
        return
    state = evidence.sockets.get(told, "missing")
    if state == "answers":
        if refusal := _refusal(evidence, told):
            yield cause(
                f"the kubelet is told to use {told}, which serves no CRI",
                evidence.line(KUBELET, r"unknown service runtime|validate CRI|unimplemented")
                or f"{told}: {refusal}",
                _FIX,
            )
        return
    serving = evidence.units.get(_SERVED_BY.get(told, ""))
    if serving is None or serving.active == "active":
        yield cause(
            f"the kubelet is told to use {told}, where no CRI answers",
            evidence.line(KUBELET, rf"{told}.*(no such file|refused)") or f"{told}: {state}",
            _FIX,
        )


def _refusal(evidence: Evidence, path: str) -> str | None:
    endpoint = evidence.endpoints.get(path)
    return endpoint.error if endpoint is not None else None
