"""``zmqtopo schema``: the JSON Schema of the file, as it is shipped."""

from __future__ import annotations

import argparse

from zmqtopo.cli.output import emit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(args: argparse.Namespace) -> int:
    """Return 0."""
    from zmqtopo.config.schema.definitions import schema_text

    emit(schema_text())
    return 0
