"""Pod and container configurations from JSON files, with the CRI's own field names.

crictl reads YAML too. A node has no YAML library, so that YAML is refused with a message; JSON is what its
documentation shows.
"""

from __future__ import annotations

import base64
import json
import sys
import uuid
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from pycri._generated import cri_pb2 as cri
from pycri.ctl.errors import CtlError

_Config = TypeVar("_Config", bound=Message)


def pod_config(path: str) -> cri.PodSandboxConfig:
    """A pod's; it gets a uid if it has none. Raises CtlError: unreadable, or without name or namespace."""
    config = _read(path, cri.PodSandboxConfig())
    if not (config.metadata.name and config.metadata.namespace):
        raise CtlError(f"{path}: metadata has no name, or no namespace", code=2)
    if not config.metadata.uid:
        config.metadata.uid = str(uuid.uuid4())
    return config


def container_config(path: str) -> cri.ContainerConfig:
    """A container's. Raises CtlError: unreadable, or without name or image."""
    config = _read(path, cri.ContainerConfig())
    if not config.metadata.name:
        raise CtlError(f"{path}: metadata has no name", code=2)
    if not config.image.image:
        raise CtlError(f"{path}: image names no image", code=2)
    config.image.user_specified_image = config.image.user_specified_image or config.image.image
    return config


def _read(path: str, config: _Config) -> _Config:
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CtlError(f"{path} cannot be read: {error}", code=2) from None
    except ValueError as error:
        why = "YAML is not read here, only JSON" if path.endswith((".yaml", ".yml")) else str(error)
        raise CtlError(f"{path} is no JSON: {why}", code=2) from None
    if not isinstance(value, dict):
        raise CtlError(f"{path} holds no JSON object", code=2)
    _encode_values(value)
    try:
        return ParseDict(value, config)
    except ParseError:
        pass
    config.Clear()
    try:
        ParseDict(value, config, ignore_unknown_fields=True)
    except ParseError as error:
        raise CtlError(f"{path}: {error}", code=2) from None
    print(f"warning: {path} has fields that the CRI does not know; they are ignored", file=sys.stderr)
    return config


def _encode_values(value: dict[str, Any]) -> None:
    """Values of environment variables are bytes in the CRI, which JSON wants in base64; people write text."""
    variables = value.get("envs")
    for variable in variables if isinstance(variables, list) else []:
        if isinstance(variable, dict) and isinstance(variable.get("value"), str):
            variable["value"] = base64.b64encode(variable["value"].encode()).decode()
