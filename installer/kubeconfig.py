"""A cluster's administrator credentials in a kubeconfig of one's own.

The form is client-go's: lists of named clusters, users and contexts
(https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from installer.errors import UsageError

_LISTS: Final = ("clusters", "contexts", "users")
_ELSEWHERE: Final = "choose another --output"


def renamed(admin_conf: str, name: str, server: str | None = None) -> dict[str, Any]:
    """kubeadm's admin.conf with its one cluster, user and context called after the cluster.

    Every kubeadm cluster calls them alike, so two could not be in one file. ``server`` replaces the API
    server's URL. Raises UsageError for what is no kubeconfig.
    """
    document = _parse(admin_conf, "admin.conf")
    try:
        cluster = dict(document["clusters"][0]["cluster"])
        user = document["users"][0]["user"]
    except (KeyError, IndexError, TypeError) as error:
        raise UsageError(f"admin.conf has no cluster or no user: {error}", step="kubeconfig") from error
    if server is not None:
        cluster["server"] = server
    context = {"cluster": name, "user": f"{name}-admin"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": f"{name}-admin", "user": user}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
    }


def merged(existing: str, new: dict[str, Any], path: Path, *, switch: bool) -> dict[str, Any]:
    """``new`` put into a file's text: entries of the same name replaced, all others as they are.

    ``switch`` makes it the current context; without, only where there is none. Raises UsageError for a file
    that is no kubeconfig: it is not ours to overwrite.
    """
    document: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
    if existing.strip():
        document = _parse(existing, str(path))
    for key in _LISTS:
        entries = document.get(key) or []
        if not isinstance(entries, list):
            raise UsageError(f"{path}: {key} is not a list", fix=f"correct it, or {_ELSEWHERE}")
        names = {entry["name"] for entry in new[key]}
        others = [entry for entry in entries if not (isinstance(entry, dict) and entry.get("name") in names)]
        document[key] = [*others, *new[key]]
    if switch or not document.get("current-context"):
        document["current-context"] = new["current-context"]
    return document


def default_path() -> Path:
    """Where kubectl would write: the first file of $KUBECONFIG, or ~/.kube/config."""
    first = next((part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part), "")
    return Path(first or "~/.kube/config").expanduser()


def write(document: dict[str, Any], path: Path) -> None:
    """Write it whole, 0600 whatever was there, or not at all. Raises UsageError."""
    path = path.resolve()  # of a link, the file
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
        try:
            with os.fdopen(descriptor, "w") as stream:
                stream.write(text(document))
                stream.flush()
                os.fsync(stream.fileno())
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", fix=_ELSEWHERE) from error


def text(document: dict[str, Any]) -> str:
    """The document as YAML."""
    return yaml.safe_dump(document, sort_keys=False)


def _parse(content: str, where: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise UsageError(f"{where} is no YAML: {error}", fix=f"correct it, or {_ELSEWHERE}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{where} is no kubeconfig", fix=f"correct it, or {_ELSEWHERE}")
    return document
