"""What each verb does, in order: the table of contents of the installer."""

from __future__ import annotations

from installer.phases.artifacts import Artifacts
from installer.phases.base import Phase
from installer.phases.connect import Connect
from installer.phases.gate import Gate
from installer.phases.preflight import Preflight
from installer.phases.runtime import Runtime

PREFLIGHT: tuple[Phase, ...] = (Connect(), Preflight())

UP: tuple[Phase, ...] = (
    Connect(),
    Preflight(),
    Artifacts(),
    Runtime(),
    Gate(),
)
