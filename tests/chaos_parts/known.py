"""What is known not to hold yet: left out unless it is asked for by name."""

OPEN: frozenset[str] = frozenset({
    "counted drops",
})
"""Names of disturbances, and of what is looked at."""
