"""Connections that lie about themselves, by the ten thousand, and what a good client feels of them.

``python tests/lying.py --connections 80000`` opens connections to a queue one after the other, on each of which a frame
is announced that never comes, noise, half a greeting, or nothing, while a good client asks and measures the time to its
answer. Ends with 1 when an answer is missing, when the device ends, or when p99 is above ``--p99`` milliseconds.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import zmq
from chaos_parts.wire import GREETING, LONG, Stranger, ready

import zmqtopo

FILE = """\
version: 1
devices:
  asked: {type: queue, run: process, in: {bind: 'tcp://127.0.0.1:*'}, out: {bind: 'tcp://127.0.0.1:*'}}
"""

STAY = 200
"""Liars that are connected at a time."""

PATIENCE = 10_000
"""Milliseconds after which an answer will not come."""


def lies(dice: random.Random) -> bytes:
    """What one of them says."""
    lie = struct.pack(">BQ", LONG, dice.choice([1 << 20, (1 << 31) - 1, 1 << 40, (1 << 63) - 1, (1 << 64) - 1]))
    return dice.choice([
        GREETING + ready("DEALER") + lie + b"x", GREETING + lie, GREETING[:dice.randrange(64)],
        b"\xff" + dice.randbytes(200), b"",
    ])


def lie(address: str, count: int, seed: int) -> None:
    """Open so many connections; the oldest goes when there are many."""
    dice = random.Random(seed)
    liars: list[Stranger] = []
    for _ in range(count):
        liars.append(Stranger(address))
        liars[-1].say(lies(dice))
        if len(liars) > STAY:
            liars.pop(0).close()
    for liar in liars:
        liar.close()


def answer(worker: zmq.Socket[bytes], ended: threading.Event) -> None:
    """Send back what comes."""
    while not ended.is_set():
        if worker.poll(100):
            worker.send_multipart(worker.recv_multipart())


def measure(connections: int, seed: int) -> dict[str, Any]:
    """The figures of a run; times to an answer in milliseconds."""
    times: list[float] = []
    ended = threading.Event()
    with tempfile.TemporaryDirectory(prefix="lying-") as folder:
        file = Path(folder, "lying.yaml")
        file.write_text(FILE)
        with zmqtopo.up(file) as running, zmq.Context() as context:
            with context.socket(zmq.DEALER) as client, context.socket(zmq.DEALER) as worker:
                for socket, role in ((client, "in"), (worker, "out")):
                    socket.linger = 0
                    socket.connect(running.address(f"asked.{role}"))
                answering = threading.Thread(target=answer, args=(worker, ended))
                liar = threading.Thread(target=lie, args=(running.address("asked.in"), connections, seed))
                answering.start()
                start = time.monotonic()
                liar.start()
                missing = 0
                while liar.is_alive() and not missing:
                    asked = time.perf_counter()
                    client.send(b"%d" % len(times))
                    if client.poll(PATIENCE):
                        client.recv()
                        times.append((time.perf_counter() - asked) * 1000)
                    else:
                        missing = 1
                    ended.wait(0.001)
                liar.join()
                seconds = time.monotonic() - start
                ended.set()
                answering.join()
            [status] = running.status
    times.sort()
    at = {f"p{share}": round(times[int(len(times) * share / 100)], 2) for share in (50, 99)} if times else {}
    return {"connections": connections, "seconds": round(seconds, 1), "answers": len(times), "missing": missing,
            "restarts": status.restarts, **at, "max": round(times[-1], 2) if times else None}


def main() -> int:
    """Measure and say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--p99", type=float, default=10.0, help="milliseconds")
    args = parser.parse_args()
    figures = measure(args.connections, args.seed)
    print(json.dumps(figures))
    return int(bool(figures["missing"] or figures["restarts"] or figures.get("p99", args.p99) >= args.p99))


if __name__ == "__main__":
    sys.exit(main())
