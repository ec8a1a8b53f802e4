"""Where a cluster's state lies on the controller: ``$XDG_STATE_HOME/nodestrap/clusters/<name>``."""

from __future__ import annotations

import os
from pathlib import Path


def clusters_dir() -> Path:
    """The directory of all clusters' state."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "nodestrap" / "clusters"


def artifact_cache_dir() -> Path:
    """The release files, shared by all clusters."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "nodestrap" / "artifacts"


def _xdg(variable: str, default: str) -> Path:
    """XDG Base Directory: the variable counts only when it is absolute."""
    value = os.environ.get(variable, "")
    return Path(value) if value.startswith("/") else Path.home() / default
