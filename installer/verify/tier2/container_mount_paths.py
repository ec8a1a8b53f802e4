"""Host paths that are missing, files, and links."""

from __future__ import annotations

import shlex

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from pycri._generated import cri_pb2


@check(
    "container.mount-paths",
    tier=2,
    title="Mounts a file, a link's target and a path that is made first",
    proves=(
        "Mount.host_path: a file; a symbolic link is followed; a missing directory is made. Inner over outer"
    ),
    fix="the kubelet's hostPath volumes and subPath files rely on it",
)
def container_mount_paths(ctx: Context) -> str:
    path = ctx.session.host_directory("paths")
    quoted = shlex.quote(path)
    ctx.host.run(
        f"cd {quoted} && mkdir real inner && echo real > real/name && echo file > file && ln -s real link"
    )
    mounts = [
        # the inner one first: the order of the request is not that of mounting
        cri_pb2.Mount(container_path="/mnt/outer/inner", host_path=f"{path}/inner"),
        cri_pb2.Mount(container_path="/mnt/outer", host_path=f"{path}/link"),
        cri_pb2.Mount(container_path="/etc/a-file", host_path=f"{path}/file", readonly=True),
        cri_pb2.Mount(container_path="/mnt/made", host_path=f"{path}/missing/deep"),
    ]
    ctx.host.run(f"mkdir {quoted}/real/inner")
    with ctx.container.pod.running(name="mount-paths", mounts=mounts) as container:
        expect_equal(container.output("cat", "/etc/a-file"), "file\n", "a mounted file")
        expect_equal(container.output("cat", "/mnt/outer/name"), "real\n", "a file behind a link")
        container.output("sh", "-c", "echo x > /mnt/outer/inner/x; echo y > /mnt/made/y")
    found = ctx.host.run(f"cd {quoted} && ls inner missing/deep").text
    expect("x" in found.split(), "a mount inside of another one does not lead to its own path")
    expect("y" in found.split(), "a missing host path was not made")
    return "file, link, missing directory, mount in a mount"
