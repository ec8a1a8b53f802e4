"""Image references as the CRI spells them."""

from __future__ import annotations


def familiar(reference: str) -> str:
    """A reference with registry, and with a tag when it has neither tag nor digest: as in Image.repo_tags."""
    first, slash, rest = reference.partition("/")
    if not slash:
        reference = f"docker.io/library/{reference}"
    elif "." not in first and ":" not in first and first != "localhost":
        reference = f"docker.io/{first}/{rest}"
    if "@" in reference or ":" in reference.rpartition("/")[2]:
        return reference
    return f"{reference}:latest"


def repository(reference: str) -> str:
    """The reference without tag and digest."""
    name = familiar(reference).partition("@")[0]
    head, _, last = name.rpartition("/")
    return f"{head}/{last.partition(':')[0]}"
