"""Which systems a bundle is for: a distribution's release on an architecture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from installer.cluster.facts import ARCHITECTURES, HostFacts, facts_from_answer
from installer.errors import UsageError

# What each release calls its packages' archive, by os-release's ID and major version.
SUITES: Final = {
    ("debian", "12"): "bookworm",
    ("debian", "13"): "trixie",
    ("ubuntu", "22"): "jammy",
    ("ubuntu", "24"): "noble",
}
_MACHINES: Final = {architecture: machine for machine, architecture in ARCHITECTURES.items()}


@dataclass(frozen=True)
class Target:
    """``debian-12/amd64``."""

    os_id: str
    os_major: str
    architecture: str

    def __str__(self) -> str:
        return f"{self.os_id}-{self.os_major}/{self.architecture}"

    @property
    def packages(self) -> str:
        """The path, within a bundle, of its OS packages."""
        return f"packages/{self.os_id}-{self.os_major}-{self.architecture}.tar.gz"

    @property
    def facts(self) -> HostFacts:
        """What is known of a host of which no more is known."""
        release = {"ID": self.os_id, "VERSION_ID": self.os_major, "PRETTY_NAME": str(self)}
        answer = {"os_release": release, "machine": _MACHINES[self.architecture]}
        return facts_from_answer(answer, sent=0.0, received=0.0)


def parse(text: str) -> Target:
    """Raises UsageError; without an architecture it is amd64."""
    found = re.fullmatch(r"([a-z]+)-(\d+)(?:\.\d+)*(?:/(\w+))?", text)
    if found is None or (found[3] or "amd64") not in _MACHINES:
        raise UsageError(
            f"{text!r} is no target",
            fix="write debian-12/amd64, ubuntu-24/arm64: os-release's ID and version",
        )
    return Target(found[1], found[2], found[3] or "amd64")


def of_facts(facts: HostFacts) -> Target:
    """The target that a host is."""
    return Target(facts.os_id, facts.os_major, facts.architecture or facts.machine)
