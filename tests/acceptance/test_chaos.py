"""A few episodes of tests/chaos.py; a user runs it for longer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "chaos.py"


@pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes as Linux tells of them")
@pytest.mark.parametrize("seed", [1, 2])
def test_every_message_is_accounted_for(seed: int) -> None:
    command = [sys.executable, PROGRAM, "--minutes", "0.1", "--seed", str(seed), "--format", "json"]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}    # its parts lie beside it
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=240)
    assert not done.stderr
    figures = json.loads(done.stdout)
    assert figures["faults"] == []
    assert done.returncode == 0
    messages = figures["messages"]
    assert messages["arrived"] > 1000
    assert messages["sent"] == messages["arrived"] + messages["lost"] + messages["unasked"]
    assert figures["disturbances"]
