"""``zmqtopo demo``: the first minute, in one terminal."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest
import zmq

from zmqtopo.cli import demo, main

COMMAND = [sys.executable, "-P", "-m", "zmqtopo", "demo"]
DEADLINE = 60


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, encoding="utf-8", timeout=DEADLINE, check=False)


def test_it_says_what_was_counted() -> None:
    done = run("--messages", "20,000")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        r"producer -> tcp://127\.0\.0\.1:\d+ -> collect -> watch -> deliver -> tcp://127\.0\.0\.1:\d+ -> consumer\n"
        r"a copy of each message: watch -> tcp://127\.0\.0\.1:\d+ -> auditor\n\n"
        r"sent             20,000 numbered messages\n"
        r"received         20,000, all there, in order\n"
        r"copies    +[\d,]+( from number [\d,]+ on)?, none missing\n"
        r"[\d.]+ s, [\d,]+ a second with these three programs in Python; .*\n\n"
        r"collect          20,000 in to out, 0 dropped\n"
        r"watch            20,000 in to out, 0 dropped\n"
        r"deliver          20,000 in to out, 0 dropped\n\n"
        r"This was topologies/pipeline\.yaml\. Yours begins with: zmqtopo init; zmqtopo up topology\.yaml\n",
        done.stdout), done.stdout


@pytest.mark.parametrize("number", ["0", "-1", "many", "1.5", "1000000001"])
def test_what_is_not_a_number_of_messages(number: str) -> None:
    done = run(f"--messages={number}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not a whole number from 1 to 1,000,000,000" in done.stderr


def test_ctrl_c_ends_all_of_it() -> None:
    with subprocess.Popen([*COMMAND, "--messages", "1000000000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding="utf-8") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("producer -> ")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE)     # its workers have the same stderr
        assert (process.returncode, said) == (130, "")


def test_a_message_out_of_order_is_noticed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    send = zmq.Socket.send

    def swapped(self: Any, data: Any, *more: Any, **options: Any) -> Any:
        if threading.current_thread().name == "demo producer" and data in (b"5", b"6"):
            data = b"6" if data == b"5" else b"5"
        return send(self, data, *more, **options)

    monkeypatch.setattr(zmq.Socket, "send", swapped)
    assert main(["demo", "--messages", "10"]) == 1
    assert "received              5, after number 4 came 6\n" in capsys.readouterr().out


def test_a_message_that_is_missing_is_noticed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_SILENCE", 0.5)
    send = zmq.Socket.send

    def without_the_last(self: Any, data: Any, *more: Any, **options: Any) -> Any:
        if threading.current_thread().name == "demo producer" and data == b"9":
            return None
        return send(self, data, *more, **options)

    monkeypatch.setattr(zmq.Socket, "send", without_the_last)
    assert main(["demo", "--messages", "10"]) == 1
    assert "received              9, 1 missing\n" in capsys.readouterr().out
