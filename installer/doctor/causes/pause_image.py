"""The pods' pause image is not on the node and cannot be pulled."""

from __future__ import annotations

import re
from collections.abc import Iterator

from installer.doctor.evidence import Evidence
from installer.doctor.finding import Finding, cause, warning

_CARRIED = "localhost/pycri-pause:"  # pycri unpacks its own for the first pod


def diagnose(evidence: Evidence) -> Iterator[Finding]:
    endpoint = evidence.endpoint
    if endpoint is None or endpoint.sandbox_image is None or endpoint.sandbox_image_present is not False:
        return
    image = endpoint.sandbox_image
    if image.startswith(_CARRIED):
        return
    fix = (
        f"pull it (crictl pull {image}), import it, or set [images] sandbox_image in /etc/pycri/config.toml "
        f"to {_CARRIED}1, which pycri carries, and restart pycri"
    )
    said = _complaint(evidence, image)
    if said is None:  # the first pod may well pull it
        yield warning(f"the pause image {image} is not on the node yet", f"CRI ImageStatus: no {image}", fix)
    else:
        yield cause(f"the pause image {image} is not on the node, and pods cannot start without", said, fix)


def _complaint(evidence: Evidence, image: str) -> str | None:
    pattern = rf"{re.escape(image)}|sandbox image"
    for unit in ("pycri.service", "containerd.service", "kubelet.service"):
        failed = rf"(error|fail|cannot|could not).*({pattern})|({pattern}).*(error|fail|cannot|could not)"
        if line := evidence.line(unit, failed):
            return line
    return None
