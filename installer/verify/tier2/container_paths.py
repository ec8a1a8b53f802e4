"""Masked and read-only paths."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.containers import security
from installer.verify.context import Context


@check(
    "container.paths",
    tier=2,
    title="Masks paths and makes paths read-only",
    proves="masked_paths (a file, a directory) and readonly_paths, which the kubelet fills in; empty is none",
    fix="the container's OCI linux.maskedPaths and linux.readonlyPaths",
)
def container_paths(ctx: Context) -> str:
    linux = security(masked_paths=["/etc/group", "/home"], readonly_paths=["/tmp", "/proc/sys"])
    with ctx.container.pod.running(name="paths", linux=linux) as container:
        expect_equal(container.output("cat", "/etc/group"), "", "the content of a masked file")
        expect_equal(container.output("ls", "-A", "/home"), "", "the content of a masked directory")
        expect("/home" in container.output("cat", "/proc/mounts"), "the directory is not covered")
        refused = container.exec("touch", "/tmp/x")
        expect(refused.exit_code != 0, "a read-only path is written to")
        expect(b"ead-only" in refused.stderr, f"writing there failed otherwise: {refused.stderr!r}")
        container.output("touch", "/root/x")
    open_paths = ctx.container.output("cat", "/proc/mounts")
    for path in ("/proc/kcore", "/proc/sys"):
        expect(f" {path} " not in open_paths, f"{path} is covered, though no path was asked for")
    return "a file and a directory masked, /tmp read-only; none where none are given (procMount: Unmasked)"
