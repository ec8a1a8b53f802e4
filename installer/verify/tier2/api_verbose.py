"""The verbose answers that people and tools read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from installer.verify.check import Failed, check, expect, expect_equal
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "api.verbose",
    tier=2,
    title="Tells more when asked to",
    proves=(
        "verbose in StatusRequest, PodSandboxStatusRequest, ContainerStatusRequest, "
        "ImageStatusRequest: JSON in info"
    ),
    fix="crictl inspect, inspectp, inspecti and info show it; node agents read pid and runtimeSpec",
)
def api_verbose(ctx: Context) -> str:
    container = ctx.container
    status = ctx.runtime.ContainerStatus(
        cri_pb2.ContainerStatusRequest(container_id=container.id, verbose=True)
    )
    info = _told("ContainerStatus", status.info)
    expect(info["pid"] > 0, f"the container's pid is {info['pid']}")
    expect_equal(info["sandboxID"], container.pod.id, "the container's sandboxID")
    expect("process" in info["runtimeSpec"], "the container's runtimeSpec has no process")
    sandbox = ctx.runtime.PodSandboxStatus(
        cri_pb2.PodSandboxStatusRequest(pod_sandbox_id=container.pod.id, verbose=True)
    )
    info = _told("PodSandboxStatus", sandbox.info)
    expect(info["pid"] > 0, f"the pod's pid is {info['pid']}")
    expect(info["runtimeSpec"]["linux"]["namespaces"], "the pod's runtimeSpec has no namespaces")
    spec = cri_pb2.ImageSpec(image=ctx.image.id)
    image = ctx.images.ImageStatus(cri_pb2.ImageStatusRequest(image=spec, verbose=True))
    info = _told("ImageStatus", image.info)
    expect("config" in info["imageSpec"], "the image's imageSpec has no config")
    node = ctx.runtime.Status(cri_pb2.StatusRequest(verbose=True)).info
    _told("Status", node, "config")
    quiet = ctx.runtime.ContainerStatus(cri_pb2.ContainerStatusRequest(container_id=container.id))
    expect_equal(dict(quiet.info), {}, "info without verbose")
    return "container, pod, image and node"


def _told(what: str, info: Mapping[str, str], key: str = "info") -> dict[str, Any]:
    """The document under a key of info."""
    expect(key in info, f"{what} has no info[{key!r}], but {sorted(info)}")
    try:
        document = json.loads(info[key])
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Failed(f"info[{key!r}] of {what} is no JSON object: {info[key][:80]!r}")
    return document
