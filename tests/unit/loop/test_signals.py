"""Signals while the loop has Python's main thread: handlers run soon, and what they raise ends the loop."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

# The loop must have the main thread, so each program has a process of its own. Its ends live in a thread.
FRAME = """
import json, os, signal, socket, sys, threading, time
import zmq
from zmqtopo.broker.control import Control
from zmqtopo.loop import relay

context = zmq.Context()
context.linger = 0
control = Control()
handled = threading.Event()
signal.signal(signal.SIGUSR1, lambda *_: handled.set())
main = threading.current_thread().ident
ins, outs = context.socket(zmq.PULL), context.socket(zmq.PUSH)
ins.rcvhwm = outs.sndhwm = 0
ins.bind("inproc://in"); outs.bind("inproc://out")
result = {}

def ends():
    push, pull = context.socket(zmq.PUSH), context.socket(zmq.PULL)
    push.sndhwm = pull.rcvhwm = 0
    push.connect("inproc://in"); pull.connect("inproc://out")
    BODY
    push.close(); pull.close()
    control.ask(b"n", 5)

thread = threading.Thread(target=ends)
thread.start()
before = signal.set_wakeup_fd(-1)
try:
    relay(ins, outs, control=control.worker.fileno())
    result["ended"] = "told"
except KeyboardInterrupt:
    result["ended"] = "KeyboardInterrupt"
result["restored"] = signal.set_wakeup_fd(-1) == before
ins.close(); outs.close(); control.worker.close()
thread.join()
context.term()
print(json.dumps(result))
"""


def run(body: str) -> dict[str, Any]:
    program = FRAME.replace("BODY", body.strip("\n").replace("\n", "\n    "))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert not done.stderr
    return json.loads(done.stdout)


BUSY_THEN_IDLE = """
control.ask(b"p", 5)
for _ in range(100_000):
    push.send(b"x")
control.ask(b"r", 5)
signal.pthread_kill(main, signal.SIGUSR1)
result["handled"] = handled.wait(5)
"""

AGAIN_AND_AGAIN = """
result["handled"] = True
for _ in range(200):
    handled.clear()
    signal.pthread_kill(main, signal.SIGUSR1)
    result["handled"] = result["handled"] and handled.wait(5)
push.send(b"x")
result["alive"] = pull.poll(5000) and pull.recv() == b"x"
"""

INTERRUPTED_IDLE = """
control.ask(b"r", 5)
signal.pthread_kill(main, signal.SIGINT)
control.owner.settimeout(5)
result["closed"] = control.owner.recv(1) == b""
"""

INTERRUPTED_UNDER_LOAD = """
ended = threading.Event()
def produce():
    while not ended.is_set():
        if push.poll(10, zmq.POLLOUT):
            try:
                push.send(b"sixteen bytes...", zmq.DONTWAIT)
            except zmq.Again:
                pass    # the other end closed in between
push.sndhwm = 1000
producer = threading.Thread(target=produce)
producer.start()
for _ in range(10_000):
    assert pull.poll(5000) and pull.recv()
signal.pthread_kill(main, signal.SIGINT)
control.owner.settimeout(5)
result["closed"] = control.owner.recv(1) == b""
ended.set()
producer.join()
"""


@pytest.mark.parametrize("body", [BUSY_THEN_IDLE, AGAIN_AND_AGAIN], ids=["busy then idle", "again and again"])
def test_a_handler_runs_whatever_the_loop_was_doing(body: str) -> None:
    result = run(body)
    assert result.pop("alive", True)
    assert result == {"handled": True, "ended": "told", "restored": True}


@pytest.mark.parametrize("body", [INTERRUPTED_IDLE, INTERRUPTED_UNDER_LOAD], ids=["idle", "under load"])
def test_what_a_handler_raises_ends_the_loop(body: str) -> None:
    assert run(body) == {"ended": "KeyboardInterrupt", "restored": True, "closed": True}
