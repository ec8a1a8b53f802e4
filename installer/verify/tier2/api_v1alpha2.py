"""The API's older package name."""

from __future__ import annotations

from installer.verify.check import NotApplicable, check, expect_equal
from installer.verify.client import CriClient, CriError
from installer.verify.context import Context
from pycri._generated import cri_pb2
from pycri.ctl.stubs import V1ALPHA2


@check(
    "api.v1alpha2",
    tier=2,
    title="Answers under the older API name with the same",
    proves="runtime.v1alpha2, the only one that kubelets before 1.23 speak: the same wire, the same answers",
    fix="a kubelet from 1.20 to 1.22 cannot use an endpoint without it",
)
def api_v1alpha2(ctx: Context) -> str:
    client = CriClient(ctx.cri.target, api=V1ALPHA2)
    try:
        version = client.runtime.Version(cri_pb2.VersionRequest(version="0.1.0"))
        images = client.image.ListImages(cri_pb2.ListImagesRequest()).images
        request = cri_pb2.ContainerStatusRequest(container_id=ctx.container.id)
        status = client.runtime.ContainerStatus(request).status
    except CriError as error:
        if error.code == "UNIMPLEMENTED":
            raise NotApplicable("the endpoint speaks v1 only: no kubelet before 1.23 can use it") from None
        raise
    finally:
        client.close()
    expect_equal(status.metadata, ctx.container.config.metadata, "the container's metadata")
    return f"{version.runtime_name}, {len(images)} images, the container of v1"
