"""Every rule there is, with its words, family by family."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, get_args

from zmqtopo.checks.ignore import UNUSED
from zmqtopo.checks.machine import MACHINE
from zmqtopo.checks.rules import RULES
from zmqtopo.config.rules import READING, SCHEMA, Explanation, Family

FAMILIES: Final[tuple[Family, ...]] = get_args(Family)

CATALOGUE: Final[Mapping[str, Explanation]] = MappingProxyType({
    rule.name: rule
    for rule in sorted((*READING, UNUSED, *SCHEMA, *RULES.values(), *MACHINE), key=lambda r: FAMILIES.index(r.family))
})
