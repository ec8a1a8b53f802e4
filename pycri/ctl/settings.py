"""Where the runtime is: flags, the environment, ``/etc/crictl.yaml``, else the first socket there is."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from pycri.ctl.errors import CtlError

DEFAULT_PATH: Final = Path("/etc/crictl.yaml")
TIMEOUT: Final = 10.0  # s
_SOCKETS: Final = (
    "/run/pycri/pycri.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
)


@dataclass(frozen=True)
class FileSettings:
    """The keys of the file; with dashes there. ``timeout`` in whole seconds, 0 for the default."""

    runtime_endpoint: str = ""
    image_endpoint: str = ""
    timeout: int = 0
    debug: bool = False
    pull_image_on_create: bool = False
    disable_pull_on_run: bool = False


@dataclass(frozen=True)
class Settings:
    """What is in force. Endpoints are gRPC targets: ``unix:///run/pycri/pycri.sock``."""

    runtime_endpoint: str
    image_endpoint: str
    timeout: float = TIMEOUT
    debug: bool = False
    pull_image_on_create: bool = False
    disable_pull_on_run: bool = False


KEYS: Final = tuple(field.name.replace("_", "-") for field in fields(FileSettings))


def load(options: Namespace) -> Settings:
    """From the global options. Raises CtlError: the file has something that is no setting."""
    path = options.config or os.environ.get("CRI_CONFIG_FILE")
    found = read_file(Path(path) if path else DEFAULT_PATH, must_exist=bool(path))
    runtime = (
        options.runtime_endpoint
        or os.environ.get("CONTAINER_RUNTIME_ENDPOINT")
        or found.runtime_endpoint
        or _first_socket()
    )
    image = options.image_endpoint or os.environ.get("IMAGE_SERVICE_ENDPOINT") or ""
    # A runtime endpoint from the command line is for images too, whatever the file says about another one.
    if not image and not (options.runtime_endpoint or os.environ.get("CONTAINER_RUNTIME_ENDPOINT")):
        image = found.image_endpoint
    return Settings(
        runtime_endpoint=target(runtime),
        image_endpoint=target(image or runtime),
        timeout=options.timeout or float(max(found.timeout, 0)) or TIMEOUT,
        debug=options.debug or found.debug,
        pull_image_on_create=found.pull_image_on_create,
        disable_pull_on_run=found.disable_pull_on_run,
    )


def target(endpoint: str) -> str:
    """gRPC's name of an endpoint; a bare path is a socket. Raises CtlError."""
    if endpoint.startswith("/"):
        return f"unix://{endpoint}"
    if re.fullmatch(r"unix:(//)?/.+", endpoint):
        return endpoint
    if endpoint.startswith("tcp://"):
        return endpoint.removeprefix("tcp://")
    raise CtlError(f"{endpoint!r} is no endpoint: write the path of a socket, or unix:///path", code=2)


def read_file(path: Path, *, must_exist: bool = False) -> FileSettings:
    """The file's settings; none where there is no file. Raises CtlError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if must_exist:
            raise CtlError(f"there is no {path}", code=2) from None
        return FileSettings()
    except (OSError, UnicodeDecodeError) as error:
        raise CtlError(f"{path} cannot be read: {error}", code=2) from None
    settings = FileSettings()
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"(^|\s)#.*$", "", line).rstrip()
        if not bare or bare == "---":
            continue
        key, colon, value = bare.partition(":")
        if not colon or key != key.strip():
            raise CtlError(f"{path}, line {number}: {line!r} is not `key: value`", code=2)
        try:
            settings = changed(settings, key, value.strip().strip("\"'"))
        except CtlError as error:
            raise CtlError(f"{path}, line {number}: {error}", code=2) from None
    return settings


def changed(settings: FileSettings, key: str, value: str) -> FileSettings:
    """The settings with `key`, as it is spelt in the file, set to `value`. Raises CtlError."""
    if key not in KEYS:
        raise CtlError(f"{key!r} is no setting; there are {', '.join(KEYS)}", code=2)
    name = key.replace("-", "_")
    kind = type(getattr(settings, name))
    converted: Any = value
    if kind is bool:
        if value.lower() not in ("true", "false", "1", "0", "t", "f"):
            raise CtlError(f"{key} is {value!r}, neither true nor false", code=2)
        converted = value.lower() in ("true", "1", "t")
    elif kind is int:
        if not re.fullmatch(r"-?\d+", value):
            raise CtlError(f"{key} is {value!r}, not a number of seconds", code=2)
        converted = int(value)
    return replace(settings, **{name: converted})


def _first_socket() -> str:
    return next((path for path in _SOCKETS if Path(path).exists()), _SOCKETS[0])
