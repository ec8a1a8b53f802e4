"""Release files for the nodes: found, checked and cached on the controller.

``resolve`` is the one verb: a component from its source (``distro``, ``directory`` or ``upstream``) to a
file in the cache whose sha256 is known. ``build_pycri_archive`` makes the one artifact that is ours.
Nothing reaches a node that did not pass through here.
"""

from installer.artifacts.progress import Progress, silent
from installer.artifacts.pycri_archive import build_pycri_archive
from installer.artifacts.resolve import resolve
from installer.artifacts.spec import COMPONENTS, SOURCES, Artifact, ArtifactSpec

__all__ = [
    "COMPONENTS",
    "SOURCES",
    "Artifact",
    "ArtifactSpec",
    "Progress",
    "build_pycri_archive",
    "resolve",
    "silent",
]
