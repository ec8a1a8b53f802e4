"""Container Device Interface: what a vendor describes is given by name."""

from __future__ import annotations

import json
import shlex

from installer.verify.check import Failed, check, expect_equal
from installer.verify.client import CriError
from installer.verify.context import Context
from installer.verify.gaps import containerd_gap
from pycri._generated import cri_pb2

_DIRECTORY = "/var/run/cdi"


@check(
    "container.cdi",
    tier=2,
    title="Gives a CDI device",
    proves=(
        "ContainerConfig.CDI_devices, CDIDevice.name: environment, device node and mount of its description"
    ),
    fix=f"descriptions are JSON files in /etc/cdi and {_DIRECTORY}",
)
def container_cdi(ctx: Context) -> str:
    containerd_gap(ctx, "has CDI switched off, or not at all", before=(2, 0))
    kind = f"nodestrap.invalid/verify{ctx.session.run_id}"
    edits = {
        "env": ["NODESTRAP_CDI=given"],
        "deviceNodes": [{"path": "/dev/verify-cdi", "hostPath": "/dev/kmsg", "permissions": "rw"}],
    }
    document = {"cdiVersion": "0.5.0", "kind": kind, "devices": [{"name": "one", "containerEdits": edits}]}
    path = shlex.quote(f"{_DIRECTORY}/nodestrap-verify-{ctx.session.run_id}.json")
    ctx.host.run(f"mkdir -p {_DIRECTORY} && cat > {path}", stdin=json.dumps(document).encode())
    try:
        device = cri_pb2.CDIDevice(name=f"{kind}=one")
        with ctx.container.pod.running(name="cdi", CDI_devices=[device]) as container:
            expect_equal(container.output("sh", "-c", "echo $NODESTRAP_CDI").strip(), "given", "its variable")
            container.output("sh", "-c", "test -c /dev/verify-cdi && : > /dev/verify-cdi")
        device.name = f"{kind}=none"
        try:
            with ctx.container.pod.running(name="cdi-none", CDI_devices=[device]):
                pass
        except CriError as error:
            return f"variable and device node; an unknown one: {error.details[-80:]}"
        raise Failed("a container runs with a CDI device that nobody describes")
    finally:
        ctx.host.run(f"rm -f {path}; rmdir {_DIRECTORY} 2>/dev/null || true")
