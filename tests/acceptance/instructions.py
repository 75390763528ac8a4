"""What the loop itself costs a message, counted by valgrind: a figure that a busy machine does not move.

Run as a program it passes messages through the loop, case by case; `per_message` runs that program under callgrind.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import zmq

COUNT = 6_000
"""Messages of a case; what its start and end cost is shared by so many."""

CASES = {
    "streamer": (zmq.PULL, zmq.PUSH, None, False, 1),
    "streamer, tapped by nobody": (zmq.PULL, zmq.PUSH, None, False, 1),
    "streamer, tapped by one without room": (zmq.PULL, zmq.PUSH, None, False, 1),
    "streamer, 3 frames": (zmq.PULL, zmq.PUSH, None, False, 3),
    "queue": (zmq.ROUTER, zmq.DEALER, None, False, 1),
    "monitored, nobody reads": (zmq.PULL, zmq.PUSH, zmq.XPUB, False, 1),
    "monitored, one reads": (zmq.PULL, zmq.PUSH, zmq.XPUB, True, 1),
}
"""Types of in, out and mon, whether somebody reads from mon, and frames of a message."""


class Cost(NamedTuple):
    """For one message: instructions of the loop's own code, and how often it calls libzmq."""

    instructions: float
    calls: float


def per_message(folder: Path) -> dict[str, Cost]:
    """Measure each case of CASES; callgrind's files go to ``folder``, a new one from each start of the loop."""
    done = subprocess.run(
        [
            "valgrind", "--tool=callgrind", "--dump-before=__pyx_pw_*zmqtopo*run",
            f"--callgrind-out-file={folder / 'callgrind'}", sys.executable, __file__,
        ],
        capture_output=True, text=True, timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{COUNT}\n" * len(CASES), "not every message arrived"
    # The file without a number is the last; the first one ends where the loop was first called.
    files = [folder / f"callgrind.{i + 2}" for i in range(len(CASES) - 1)] + [folder / "callgrind"]
    costs = (_read(file.read_text()) for file in files)
    return {case: Cost(*(n / COUNT for n in cost)) for case, cost in zip(CASES, costs, strict=True)}


def _read(profile: str) -> tuple[int, int]:
    """Instructions of the loop's shared object, and calls from it into libzmq (valgrind's callgrind format manual)."""
    names: dict[tuple[str, str], str] = {}
    here: dict[str, str] = {}
    instructions = calls = 0
    called = False
    for line in profile.splitlines():
        if match := re.fullmatch(r"(c?)(ob|fn|fi|fe|fl)=\((\d+)\)(?: (.*))?", line):
            callee, kind, number, name = match.groups()
            kind = "fl" if kind in ("fi", "fe") else kind
            name = names.setdefault((kind, number), name or "")
            here[callee + kind] = name
            if not callee and kind == "fn":
                here.pop("cob", None)
        elif line.startswith("calls="):
            called = True
            if _is_loop(here["ob"]) and here.get("cfn", "").startswith("zmq_"):
                calls += int(line[6:].split()[0])
        elif line[:1] in "+-*0123456789" and line:
            if not called and _is_loop(here["ob"]):
                instructions += int(line.split()[1])
            called = False
    return instructions, calls


def _is_loop(shared_object: str) -> bool:
    return Path(shared_object).name.startswith("_loop.")


def run(case: str) -> None:
    """Pass COUNT messages through the loop, all of which wait for it, and print how many arrived."""
    from zmqtopo.broker.control import Control
    from zmqtopo.loop import relay

    in_type, out_type, mon_type, reads, frames = CASES[case]
    context: Any = zmq.Context(0)       # inproc needs no I/O thread, and threads would make the count vary
    control = Control()

    def socket(type_: int, address: str, *, binds: bool, **options: int) -> Any:
        made = context.socket(type_)
        made.linger = 0
        made.hwm = 0
        for option, value in options.items():
            made.setsockopt(getattr(zmq, option.upper()), value)
        (made.bind if binds else made.connect)(address)
        return made

    in_socket, out_socket = socket(in_type, "inproc://in", binds=True), socket(out_type, "inproc://out", binds=True)
    tap = socket(zmq.XPUB, "inproc://tap", binds=True, sndhwm=1) if "tapped" in case else None
    if "without room" in case:
        slow = socket(zmq.SUB, "inproc://tap", binds=False, rcvhwm=1)
        for topic in (b"\1", b"\2", b"\3"):
            slow.subscribe(topic)
    mon = socket(mon_type, "inproc://mon", binds=True) if mon_type is not None else None
    sender = socket(zmq.PUSH if in_type == zmq.PULL else zmq.DEALER, "inproc://in", binds=False)
    receiver = socket(zmq.PULL if out_type == zmq.PUSH else zmq.DEALER, "inproc://out", binds=False)
    if reads:
        reader = socket(zmq.SUB, "inproc://mon", binds=False)
        reader.subscribe(b"")
    for _ in range(COUNT):
        sender.send_multipart([b"sixteen bytes..."] * frames)
    control.send(b"s")      # which costs a message one call more, to see whose it is
    relay(in_socket, out_socket, mon, control=control.worker.fileno(), prefix_in=b"in",
          taps=(tap.underlying if tap is not None else 0, 0))
    arrived = 0
    while receiver.poll(0):
        receiver.recv_multipart()
        arrived += 1
    print(arrived)
    control.close()
    context.destroy()


if __name__ == "__main__":
    for case in CASES:
        run(case)
