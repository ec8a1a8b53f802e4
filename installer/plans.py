"""What each verb does, in order: the table of contents of the installer."""

from __future__ import annotations

from installer.phases.artifacts import Artifacts
from installer.phases.base import Phase
from installer.phases.connect import Connect
from installer.phases.facts import Facts
from installer.phases.gate import Gate
from installer.phases.leave import Leave
from installer.phases.preflight import Preflight
from installer.phases.remove_pods import RemovePods
from installer.phases.reset import Reset
from installer.phases.runtime import Runtime
from installer.phases.ssh_answers import SshAnswers

PREFLIGHT: tuple[Phase, ...] = (Connect(), Preflight())

RESET: tuple[Phase, ...] = (
    Connect(),
    Facts(),
    Leave(),
    RemovePods(),
    Reset(),
    SshAnswers(),
)

UP: tuple[Phase, ...] = (
    Connect(),
    Preflight(),
    Artifacts(),
    Runtime(),
    Gate(),
)
