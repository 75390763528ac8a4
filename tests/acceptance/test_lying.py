"""Some connections of tests/lying.py; a user runs it with 80,000."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "lying.py"


def test_a_good_client_is_served_beside_lying_ones() -> None:
    # A slow machine is no fault of the device; how quick it is says the program when it is run by itself.
    command = [sys.executable, PROGRAM, "--connections", "2000", "--p99", "1000"]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}    # its parts lie beside it
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert not done.stderr
    figures = json.loads(done.stdout)
    assert done.returncode == 0, figures
    assert figures["missing"] == figures["restarts"] == 0
    assert figures["answers"] > 10
