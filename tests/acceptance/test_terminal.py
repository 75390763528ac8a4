"""What comes from outside never reaches a terminal as an order to it: names of files, errors, lines of the log."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .brokers import ANY
from .conftest import Up

EVIL = "x\x1b[31m\x07\x9b2J\u202eevil"
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
A = f"devices:\n  a: {{type: streamer, in: {ANY}, out: {ANY}}}\n"


@pytest.mark.parametrize("arguments", [
    ["ps", EVIL], ["down", EVIL], ["logs", EVIL], ["stop", "it", EVIL], ["reload", EVIL], ["reload", "it", EVIL],
    ["up", EVIL], ["validate", EVIL], ["graph", EVIL], ["config", EVIL], ["convert", EVIL], [EVIL], ["ps", f"--{EVIL}"],
    ["ps", "--format", EVIL], ["explain", EVIL], ["graph", "it.yaml", "-o", f"none/{EVIL}"], ["logs", "it", EVIL],
    ["init", f"none/{EVIL}"], ["up", "--wait", EVIL, "it.yaml"], ["ps"], ["ps", "-a"], ["ps", "it"],
    ["validate", f"{EVIL}.yaml"], ["graph", f"{EVIL}.yaml"], ["graph", "--format", "mermaid", f"{EVIL}.yaml"],
    ["reload", "it", f"{EVIL}.yaml", "--dry-run"], ["config", f"{EVIL}.yaml"], ["init", EVIL],
    ["graph", "--format", "json", f"{EVIL}.yaml"], ["graph", f"{EVIL}.yaml", "--check", EVIL],
], ids=lambda arguments: " ".join(arguments).replace(EVIL, "EVIL"))
def test_harmless(start: Callable[..., Up], zmqtopo: Any, tmp_path: Path, arguments: list[str]) -> None:
    up = start(f"name: it\n{A}", name="file\x1b[31m\u202e" if len(arguments) < 3 else "it").ready()
    (tmp_path / "it.yaml").write_text(A)
    (tmp_path / f"{EVIL}.yaml").write_text(
        "name: it\ndescription: \"\\e[31m\\a\\x9b2J\\u202Eevil\"\n" + A.replace(
            "type: streamer", 'type: streamer, description: "\\e[31m\\x9b2J\\u202Eevil"', 1))
    done = zmqtopo(*arguments)
    assert not HARMFUL.search(done.stdout + done.stderr), done
    up.stop()


def test_the_name_of_who_holds_a_port(zmqtopo: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (tmp_path / "it.yaml").write_text(A.replace("127.0.0.1:*", f"127.0.0.1:{port}", 1))
        comm = Path("/proc/self/comm")
        before = comm.read_text() if comm.exists() else ""
        try:
            if before:
                comm.write_text("x\x1b[31m\n")
            done = zmqtopo("validate", "--probe", "it.yaml")
        finally:
            if before:
                comm.write_text(before)
    assert "port-in-use" in done.stdout + done.stderr
    assert not HARMFUL.search(done.stdout + done.stderr)
