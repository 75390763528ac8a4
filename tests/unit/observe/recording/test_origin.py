from __future__ import annotations

from pathlib import Path

import pytest
import zmq

from zmqtopo.observe.recording import origin


def test_the_file_is_attached_without_its_secrets(tmp_path: Path) -> None:
    path = tmp_path / "it.yaml"
    path.write_text("devices:  # mine\n  a:\n    plain_password: hunter2\n    x: y\n")
    (data,) = origin.attachments(str(path)).values()
    assert data == b"devices:  # mine\n  a:\n    plain_password: *******\n    x: y\n"


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"#" * (origin.LONGEST_FILE + 1)])
def test_what_cannot_be_attached_is_left_out(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "it.yaml").write_bytes(content)
    assert origin.attachments(str(tmp_path / "it.yaml")) == {}
    assert origin.attachments("-") == {}


def test_metadata() -> None:
    said = origin.metadata("it", "/it.yaml", {"overflow": "drop"})
    assert (said["topology"], said["file"], said["overflow"]) == ("it", "/it.yaml", "drop")
    assert said["libzmq"] == zmq.zmq_version()


def test_a_device() -> None:
    device = {"name": "a", "type": "queue", "sockets": {"in": "ROUTER", "out": "DEALER", "mon": None},
              "endpoints": {"in": ["tcp://127.0.0.1:1", "ipc://x"], "out": [], "mon": []}}
    assert origin.descriptions([device]) == {"a": {
        "type": "queue", "in": "ROUTER", "in_endpoints": "tcp://127.0.0.1:1 ipc://x", "out": "DEALER",
        "out_endpoints": "",
    }}
