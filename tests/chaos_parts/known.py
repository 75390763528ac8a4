"""What is known not to hold yet: left out unless it is asked for by name."""

OPEN: frozenset[str] = frozenset({
    "limit-ipc-descriptors",    # libzmq says on standard error that it aborts
})
"""Names of disturbances."""
