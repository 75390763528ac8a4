"""What is known not to hold yet: left out unless it is asked for by name."""

OPEN: frozenset[str] = frozenset({
    "counted drops",            # by a PUB monitor
    "limit-ipc-descriptors",    # libzmq says on standard error that it aborts
})
"""Names of disturbances, and of what is looked at."""
