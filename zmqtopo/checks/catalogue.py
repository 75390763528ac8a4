"""Every rule there is, with its words, family by family."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, get_args

from zmqtopo.checks.machine import MACHINE_RULES
from zmqtopo.checks.rules import TOPOLOGY_RULES
from zmqtopo.config.explanations import READING, SCHEMA, UNUSED, Explanation, Family

FAMILIES: Final[tuple[Family, ...]] = get_args(Family)

_ALL: Final[tuple[Explanation, ...]] = (*READING, UNUSED, *SCHEMA, *TOPOLOGY_RULES, *MACHINE_RULES)

CATALOGUE: Final[Mapping[str, Explanation]] = MappingProxyType({
    rule.name: rule
    for rule in sorted(_ALL, key=lambda rule: FAMILIES.index(rule.family))
})
