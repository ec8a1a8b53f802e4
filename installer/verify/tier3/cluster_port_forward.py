"""kubectl port-forward, through the API server and each kubelet."""

from __future__ import annotations

from functools import partial

from installer.verify.check import check, expect
from installer.verify.cluster import PORT
from installer.verify.context import Context


@check(
    "cluster.port-forward",
    tier=3,
    title="Ports of pods are forwarded through the API server",
    proves="port-forward end to end: a connection to the pod's loopback",
    fix="the kubelet's journal on that node says what failed",
)
def cluster_port_forward(ctx: Context) -> str:
    for probe in ctx.cluster.probes:
        with ctx.cluster.forwarded(probe, PORT) as stream:
            stream.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(partial(stream.recv, 4096), b""))
        expect(answer.endswith(f"{probe.name}\n".encode()), f"{probe.node}: {answer[-200:]!r}")
    return f"{len(ctx.cluster.probes)} nodes"
