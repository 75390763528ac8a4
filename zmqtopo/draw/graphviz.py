"""DOT to a picture, by the program ``dot`` of Graphviz.

The picture depends on the version of Graphviz and on the fonts of the machine, as the text does not.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import Literal


class NoGraphvizError(Exception):
    """There is no ``dot``, or it has failed; the message says what to do."""


def render(dot: str, form: Literal["svg", "png"]) -> bytes:
    """Return the picture of a text in DOT; raises NoGraphvizError."""
    program = shutil.which("dot")
    if program is None:
        raise NoGraphvizError(
            f"{form} is drawn by Graphviz, and its program dot is not installed: install it (apt install graphviz, "
            "dnf install graphviz, brew install graphviz), or choose --format dot, mermaid or json"
        )
    done = subprocess.run([program, f"-T{form}"], input=dot.encode(), capture_output=True, check=False)
    if done.returncode != 0 or not done.stdout:
        said = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
        raise NoGraphvizError(f"Graphviz could not draw this ({program}): {said}")
    return done.stdout
