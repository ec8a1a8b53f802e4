"""Where the Ansible side lies: beside the package in a checkout, inside it when installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def content_dir(kind: str) -> Path:
    """The directory of ``roles``, ``playbooks`` or ``templates``."""
    installed = _PACKAGE / "ansible_content" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind
