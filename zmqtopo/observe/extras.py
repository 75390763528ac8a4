"""Packages that the base install does without, and what is said where one of them is missing."""

from __future__ import annotations

from importlib.util import find_spec


class MissingExtraError(Exception):
    """A package of an extra is not installed; the message says how to install it."""


def require(extra: str, module: str, what: str) -> None:
    """Raise MissingExtraError unless ``module`` of the extra is there; ``what`` needs it. Imports nothing."""
    if find_spec(module) is None:
        raise MissingExtraError(
            f"{what} needs the package {module}, which is not installed; "
            f"install it with: pip install 'zmqtopo[{extra}]'"
        )
