"""RunPodSandbox, and what PodSandboxStatus says about it."""

from __future__ import annotations

import ipaddress

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "pod.run",
    tier=1,
    title="Runs a pod with an address",
    proves="RunPodSandbox; PodSandboxStatus: state, metadata, created_at, network.ip, namespaces, labels",
    fix="see the daemon's log; a CNI failure names the plugin, a runc failure its reason",
    first=True,
)
def pod_run(ctx: Context) -> str:
    labels, annotations = {"app": "run"}, {"nodestrap.io/note": "ä note"}
    with ctx.pod("run", labels=labels, annotations=annotations) as pod:
        status = pod.status
        expect_equal(status.id, pod.id, "id")
        expect_equal(status.state, cri_pb2.SANDBOX_READY, "state")
        expect_equal(status.metadata, pod.config.metadata, "metadata")
        expect_equal(dict(status.labels), dict(pod.config.labels), "labels")
        expect_equal(dict(status.annotations), annotations, "annotations")
        expect(status.created_at > 10**18, f"created_at is {status.created_at}, not nanoseconds")
        options = status.linux.namespaces.options
        expect_equal(options.network, cri_pb2.POD, "namespaces.options.network")
        expect_equal(options.pid, cri_pb2.CONTAINER, "namespaces.options.pid")
        address = ipaddress.ip_address(status.network.ip)
        return f"{pod.id[:13]} is ready at {address}"
