"""A worker whose open files clients use up: the operator is told, and heard."""

from __future__ import annotations

import resource
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how many files a process has open")

FEW = 120


def test_clients_that_do_nothing(start: Callable[..., Any], control: Any) -> None:
    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))

    up = start("devices: {a: {type: streamer, in: {bind: 'tcp://127.0.0.1:*'}, out: {bind: 'tcp://127.0.0.1:*'}}}",
               preexec_fn=lower).ready()
    host, port = up.address("a.in").removeprefix("tcp://").split(":")
    clients = []
    try:
        for _ in range(FEW):
            clients.append(socket.create_connection((host, int(port)), timeout=10))
        said = up.wait_for("open files; with none left no client can connect")
        assert f" of {FEW} open files" in said
        assert said.startswith("zmqtopo: a: process ")
        device = control.ps(code=0)["a"]
        assert "open files" in device["warning"]
        assert "running, out of open files" in control("ps")
        control("pause")
        control("resume")
    finally:
        for client in clients:
            client.close()
    up.stop()
