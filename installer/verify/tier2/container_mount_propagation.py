"""Mounts that appear later, in either direction."""

from __future__ import annotations

import shlex

from installer.verify.check import check, expect
from installer.verify.containers import security
from installer.verify.context import Context
from pycri._generated import cri_pb2

_AT = "/mnt/propagation"
_SEEN = f"{_AT}/late/seen"


@check(
    "container.mount-propagation",
    tier=2,
    title="Propagates mounts as asked: not at all, from the host, both ways",
    proves="Mount.propagation: PRIVATE, HOST_TO_CONTAINER, BIDIRECTIONAL",
    fix="CSI drivers depend on it: the daemon must run in the host's mount namespace, with / shared",
)
def container_mount_propagation(ctx: Context) -> str:
    host, pod = ctx.host, ctx.host_pod
    path = ctx.session.host_directory("propagation")
    quoted = shlex.quote(path)
    host.run(
        f"mount --bind {quoted} {quoted} && mount --make-private {quoted} && mount --make-shared {quoted}"
    )

    def mount(mode: str) -> list[cri_pb2.Mount]:
        return [cri_pb2.Mount(container_path=_AT, host_path=path, propagation=f"PROPAGATION_{mode}")]

    everything = security(privileged=True)
    try:
        with (
            pod.running(name="private", mounts=mount("PRIVATE")) as private,
            pod.running(name="slave", mounts=mount("HOST_TO_CONTAINER")) as slave,
            pod.running(name="both", mounts=mount("BIDIRECTIONAL"), linux=everything) as both,
        ):
            late = f"{quoted}/late"
            host.run(f"mkdir {late} && mount -t tmpfs none {late} && touch {late}/seen")
            expect(slave.exec("test", "-e", _SEEN).exit_code == 0, "HOST_TO_CONTAINER: not seen inside")
            expect(both.exec("test", "-e", _SEEN).exit_code == 0, "BIDIRECTIONAL: not seen inside")
            expect(private.exec("test", "-e", _SEEN).exit_code != 0, "PRIVATE: seen inside")
            both.output(
                "sh", "-c", f"mkdir {_AT}/own && mount -t tmpfs none {_AT}/own && touch {_AT}/own/seen"
            )
            out = host.run(f"test -e {quoted}/own/seen", check=False).code == 0
            expect(out, "BIDIRECTIONAL: a mount made inside is not seen on the host")
    finally:
        host.run(f"umount -R -l {quoted}", check=False)
    return "host's mount seen with HOST_TO_CONTAINER and BIDIRECTIONAL only; the container's own on the host"
