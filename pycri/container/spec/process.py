"""The first process of a container: arguments, environment, directory, user (OCI ``process``)."""

from __future__ import annotations

from typing import Any

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.container.spec import apparmor, capabilities, resources, users

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def of_container(
    config: cri.ContainerConfig, image: dict[str, Any], hostname: str, user: users.User
) -> dict[str, Any]:
    """``image`` is the ``config`` object of the OCI image configuration. Raises InvalidArgument."""
    context = config.linux.security_context
    process: dict[str, Any] = {
        "args": _arguments(config, image),
        "env": _environment(config, image, hostname),
        "cwd": _directory(config.working_dir or image.get("WorkingDir") or "/"),
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": [*user.groups]},
        "capabilities": capabilities.of_container(context.capabilities, context.privileged),
        "noNewPrivileges": context.no_new_privs,
        "oomScoreAdj": resources.oom_score_adj(config.linux.resources.oom_score_adj),
    }
    if config.tty:
        process["terminal"] = True
    profile = apparmor.of_container(context)
    if profile:
        process["apparmorProfile"] = profile
    return process


def user_of(config: cri.ContainerConfig, image: dict[str, Any], files: users.UserFiles) -> users.User:
    """Whom the CRI and the image say the process runs as. Raises InvalidArgument."""
    context = config.linux.security_context
    gid = context.run_as_group.value if context.HasField("run_as_group") else None
    by_id = context.HasField("run_as_user")
    user = str(context.run_as_user.value) if by_id else context.run_as_username
    if gid is not None and not user:
        raise errors.InvalidArgument("run_as_group needs run_as_user or run_as_username")
    strict = context.supplemental_groups_policy == cri.Strict
    return users.resolve(
        user or str(image.get("User") or ""), gid, files, context.supplemental_groups, strict
    )


def _arguments(config: cri.ContainerConfig, image: dict[str, Any]) -> list[str]:
    """As Kubernetes defines it: a command of the pod's drops the image's arguments too."""
    command, arguments = [*config.command], [*config.args]
    if not command:
        command = [*(image.get("Entrypoint") or ())]
        arguments = arguments or [*(image.get("Cmd") or ())]
    if not command + arguments:
        raise errors.InvalidArgument("neither the pod nor the image names a command to run")
    if any("\0" in word for word in command + arguments):
        raise errors.InvalidArgument("an argument contains a NUL byte")
    return command + arguments


def _environment(config: cri.ContainerConfig, image: dict[str, Any], hostname: str) -> list[str]:
    """Later settings of a name replace earlier ones, in place."""
    found: dict[str, str] = {}
    given = [_PATH, f"HOSTNAME={hostname}", *(["TERM=xterm"] if config.tty else [])]
    asked = [f"{item.key}={_text(item)}" for item in config.envs]
    for setting in [*given, *(image.get("Env") or ()), *asked]:
        name = setting.partition("=")[0]
        if not name or "\0" in setting:
            raise errors.InvalidArgument(f"{setting!r} cannot be an environment variable")
        found[name] = setting
    return [*found.values()]


def _text(item: cri.KeyValue) -> str:
    """Values are bytes since CRI 0.36.3, but the OCI spec is JSON: it can carry UTF-8 only."""
    try:
        return item.value.decode()
    except UnicodeDecodeError:
        raise errors.InvalidArgument(
            f'the value of environment variable "{item.key}" is not UTF-8, which OCI runtimes cannot be given'
        ) from None


def _directory(path: str) -> str:
    if not path.startswith("/"):
        raise errors.InvalidArgument(f'the working directory "{path}" must be absolute')
    return path
