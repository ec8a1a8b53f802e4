"""Where labs keep things: state in XDG_STATE_HOME, caches in XDG_CACHE_HOME, inventories in the project."""

from __future__ import annotations

import os
from pathlib import Path

DEFAULT_NAME = "lab"


def state_root() -> Path:
    """One directory per lab, each 0700."""
    return _home("XDG_STATE_HOME", ".local/state") / "nodestrap" / "labs"


def cache_root() -> Path:
    """Root file systems, disk images and downloaded packages, shared by all labs of this user."""
    return _home("XDG_CACHE_HOME", ".cache") / "nodestrap" / "lab"


def inventory_directory(name: str) -> Path:
    """`inventories/lab` of the checkout this code runs from (or of the working directory, when installed)."""
    checkout = Path(__file__).resolve().parents[2]
    base = checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()
    return base / "inventories" / ("lab" if name == DEFAULT_NAME else f"lab-{name}")


def templates() -> Path:
    """templates/lab, from the checkout or from the installed wheel."""
    checkout, package = Path(__file__).resolve().parents[2], Path(__file__).resolve().parents[1]
    for base in (checkout, package / "ansible_content"):
        if (base / "templates" / "lab").is_dir():
            return base / "templates" / "lab"
    raise FileNotFoundError(f"templates/lab is neither in {checkout} nor in {package}/ansible_content")


def _home(variable: str, fallback: str) -> Path:
    # The XDG base directory specification: a relative path is invalid and must be ignored.
    given = os.environ.get(variable, "")
    return Path(given) if given.startswith("/") else Path.home() / fallback
