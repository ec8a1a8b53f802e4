"""Read-only with everything that is mounted below."""

from __future__ import annotations

import shlex

from installer.verify.check import Failed, NotApplicable, check, expect
from installer.verify.client import CriError
from installer.verify.context import Context
from installer.verify.gaps import containerd_gap
from installer.verify.handlers import features
from pycri._generated import cri_pb2

_AT = "/mnt/recursive"


@check(
    "container.mount-recursive-read-only",
    tier=2,
    title="Makes a mount read-only with all below it, or says that it cannot",
    proves="Mount.recursive_read_only; RuntimeHandlerFeatures.recursive_read_only_mounts tells the truth",
    fix="it needs Linux 5.12 and runc 1.1; where it cannot be had, RROUnsupported must be the answer",
)
def container_mount_recursive_read_only(ctx: Context) -> str:
    containerd_gap(ctx, "takes no notice of recursive_read_only", before=(2, 0))
    host, pod = ctx.host, ctx.container.pod
    path = ctx.session.host_directory("recursive")
    below = shlex.quote(f"{path}/below")
    host.run(f"mkdir {below} && mount -t tmpfs none {below}")
    wanted = cri_pb2.Mount(container_path=_AT, host_path=path, readonly=True)
    served = features(ctx).recursive_read_only_mounts
    try:
        with pod.running(name="read-only", mounts=[wanted]) as container:
            expect(container.exec("touch", f"{_AT}/x").exit_code != 0, "a read-only mount is written to")
            plain = container.exec("touch", f"{_AT}/below/x").exit_code == 0
        wanted.recursive_read_only = True
        with pod.running(name="recursive", mounts=[wanted]) as container:
            refused = container.exec("touch", f"{_AT}/below/y")
            expect(refused.exit_code != 0, "what is mounted below is written to")
            expect(b"ead-only" in refused.stderr, f"writing there failed otherwise: {refused.stderr!r}")
    except CriError as error:
        if served or "RROUnsupported" not in error.details:
            raise
        raise NotApplicable(f"the runtime cannot, and is refused: {error.details[:80]}") from None
    finally:
        host.run(f"umount -l {below}", check=False)
    if not served:
        raise Failed("it works, but RuntimeHandlerFeatures says that it does not: no pod may use it")
    return f"below a recursive one nothing is writable; below a plain one it is{'' if plain else ' not'}"
