"""Image references, read and completed as Docker does: ``busybox`` is ``docker.io/library/busybox:latest``.

Grammar: the distribution project's reference format, ``[domain/]path[:tag][@digest]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pycri.errors import InvalidArgument
from pycri.images.digests import is_digest

DEFAULT_DOMAIN = "docker.io"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_HEX_ID = re.compile(r"[0-9a-f]{64}")
_MAX_NAME = 255


@dataclass(frozen=True)
class Reference:
    """A complete reference: it has a tag, or a digest, never both."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """Domain and path (``docker.io/library/busybox``)."""
        return f"{self.domain}/{self.path}"

    @property
    def object(self) -> str:
        """What a registry is asked for: the digest or the tag."""
        return self.digest or self.tag

    def at(self, digest: str) -> Reference:
        """The same repository, by digest."""
        return Reference(self.domain, self.path, digest=digest)

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"


def parse(text: str) -> Reference:
    """Read and complete ``text``. With a tag and a digest, the digest counts and the tag is dropped.

    Raises InvalidArgument.
    """
    name, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise _invalid(text, f'"{digest}" is not a sha256 or sha512 digest')
    slash, colon = name.rfind("/"), name.rfind(":")
    tag = ""
    if colon > slash:
        name, tag = name[:colon], name[colon + 1 :]
        if not _TAG.fullmatch(tag):
            raise _invalid(text, f'"{tag}" is not a tag')
    if _HEX_ID.fullmatch(name):
        raise _invalid(text, "64 hexadecimal digits are an image id, not a repository")
    domain, path = _split_domain(name)
    if not _DOMAIN.fullmatch(domain):
        raise _invalid(text, f'"{domain}" is not a registry host')
    if not _PATH.fullmatch(path):
        hint = "; repositories are lower-case" if path != path.lower() else ""
        raise _invalid(text, f'"{path}" is not a repository path{hint}')
    if len(domain) + 1 + len(path) > _MAX_NAME:
        raise _invalid(text, f"the name is longer than {_MAX_NAME} characters")
    if digest:
        return Reference(domain, path, digest=digest)
    return Reference(domain, path, tag=tag or "latest")


def _split_domain(name: str) -> tuple[str, str]:
    """The first part is a host if it has a dot or a port, is ``localhost``, or could not be a path."""
    first, slash, rest = name.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    domain, path = (first, rest) if is_host else (DEFAULT_DOMAIN, name)
    if domain == "index.docker.io":
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = f"library/{path}"
    return domain, path


def _invalid(text: str, why: str) -> InvalidArgument:
    shown = text if len(text) <= 300 else text[:300] + "…"
    return InvalidArgument(f"invalid image reference {shown!r}: {why}")
