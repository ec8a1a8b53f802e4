"""Proof of a CRI endpoint by using it: checks in tiers, one per file, run by ``run_tiers``.

Adding a check is adding a file to ``tier0/`` (node and daemon facts), ``tier1/`` (a pod's life),
``tier2/`` (the wider CRI) or ``tier3/`` (the cluster) with one function under ``@check``; ``catalogue.py``
finds it. A check gets a ``Context`` and returns its evidence, or raises ``Failed`` or ``NotApplicable``.
"""

from __future__ import annotations

from installer.verify.check import Check, Failed, NotApplicable
from installer.verify.options import Options
from installer.verify.result import EndpointReport, Outcome, Result
from installer.verify.runner import run_tiers

__all__ = [
    "Check",
    "EndpointReport",
    "Failed",
    "NotApplicable",
    "Options",
    "Outcome",
    "Result",
    "run_tiers",
]
