"""Environment and working directory."""

from __future__ import annotations

from installer.verify.check import check, expect, expect_equal
from installer.verify.context import Context
from installer.verify.shared_pod import ENVIRONMENT, WORKING_DIR


@check(
    "container.environment",
    tier=1,
    title="Commands get the environment and working directory asked for",
    proves="ContainerConfig.envs (byte for byte) and working_dir, for the main process and for ExecSync",
    fix="the container's OCI process and that of an exec must be made from the same config",
)
def container_environment(ctx: Context) -> str:
    raw = ctx.container.exec("sh", "-c", "cat /proc/1/environ; echo; cat /proc/self/environ").stdout
    for who, block in zip(("the main process", "a command executed"), raw.split(b"\n", 1), strict=True):
        found = dict(each.partition(b"=")[::2] for each in block.split(b"\0"))
        for key, value in ENVIRONMENT.items():
            expect_equal(found.get(key.encode()), value.encode(), f"{key} of {who}")
        expect(b"PATH" in found, f"{who} has no PATH from the image")
    expect_equal(ctx.container.output("pwd").strip(), WORKING_DIR, "the directory of a command executed")
    main = ctx.container.output("readlink", "/proc/1/cwd").strip()
    expect_equal(main, WORKING_DIR, "the directory of the main process")
    return f"{len(ENVIRONMENT)} variables, one with quotes and spaces; {WORKING_DIR}"
