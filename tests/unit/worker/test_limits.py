"""Limits of a device as options of its sockets."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq

from zmqtopo import load
from zmqtopo.worker.limits import limit_options


@pytest.mark.parametrize(("handshake", "expected"), [
    ("100ms", 100), ("1ms", 1), ("0.4ms", 1), ("0", 0), ("2000000s", 2_000_000_000), ("30s", None),
])
def test_a_short_handshake_is_not_without_limit(tmp_path: Path, handshake: str, expected: int | None) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("devices: {d: {type: queue, in: {bind: inproc://a}, out: {bind: inproc://b}, "
                    f"limits: {{handshake: {handshake}}}}}}}")
    device = load(file).devices["d"]
    assert dict(limit_options(device, device.in_)).get(zmq.HANDSHAKE_IVL) == expected
