"""The catalogue of rules: importing it enters every rule into `RULES`, family by family."""

from __future__ import annotations

from zmqtopo.checks import (
    access,
    delivery,
    endpoints,
    flow,
    inproc,
    monitor,
    options,
    pairs,
    partners,
    security,
    unusable,
)
from zmqtopo.checks.rule import RULES, Finding, Rule

__all__ = [
    "RULES", "Finding", "Rule", "access", "delivery", "endpoints", "flow", "inproc", "monitor", "options", "pairs",
    "partners", "security", "unusable",
]
