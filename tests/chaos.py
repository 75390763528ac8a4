"""Devices of every type in threads and processes, under numbered traffic, and much that goes wrong with them.

Run it with ``python tests/chaos.py --minutes 20 --seed 1``. In each episode something is done while messages pass: a
worker is killed, aborted or stopped, a device paused, restarted or stopped, the file changed and loaded again; commands
meet; a client comes, goes or means harm; the system runs out of something. ``--only hostile`` does nothing but what is
called so, or begins so. Then the senders are silent until all that can arrive has arrived, and every message is
accounted for: none comes twice, none out of order on its path, none is lost but by a crash, with the receiver in whose
queue it was or on its way to a socket that closed, and of each sender no more than what was under way, which the queues
could hold. Copies for a PUB monitor may be dropped, when the device counts some of them. Answers to a queue that has
stopped go nowhere. Strangers cost nobody a message. The seed decides what is done; the machine, when. Ends with 1
after the first episode with a fault. For Linux.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chaos_parts.disturbances import USUAL, WITH_MESSAGES_UNDER_WAY, Disturbance
from chaos_parts.hostile import HOSTILE
from chaos_parts.known import OPEN
from chaos_parts.limits import LIMITS
from chaos_parts.meetings import MEETINGS
from chaos_parts.paths import DEEP_WINDOW
from chaos_parts.world import World

UNDER_TRAFFIC: dict[str, Disturbance] = {**USUAL, **HOSTILE, **MEETINGS, **LIMITS}


def episode(world: World, chosen: list[str]) -> None:
    """Do one to three of the chosen disturbances, or one with messages under way; wait for silence; account."""
    names: list[str] = []
    under_way = sorted(WITH_MESSAGES_UNDER_WAY.keys() & set(chosen))
    under_traffic = sorted(UNDER_TRAFFIC.keys() & set(chosen))
    if world.random.random() < 0.3:
        world.deepen()
    if under_way and (not under_traffic or world.random.random() < 0.3):
        names.append(world.random.choice(under_way))
        world.excuses += WITH_MESSAGES_UNDER_WAY[names[0]](world)
    else:
        for _ in range(world.random.randint(1, 3)):
            world.flow()
            names.append(world.random.choice(under_traffic))
            world.excuses += UNDER_TRAFFIC[names[-1]](world)
    world.settle(names)


def report(world: World, seed: int, seconds: float) -> dict[str, Any]:
    """The figures of a run."""
    ledgers = [
        ledger for path in world.traffic.paths
        for of_one in (*path.ledgers.values(), *path.retired.values()) for ledger in of_one
    ]
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "episodes": world.episodes,
        "messages": {
            name: sum(getattr(ledger, name) for ledger in ledgers) for name in ("sent", "arrived", "lost", "unasked")
        },
        "under_way_at_most": DEEP_WINDOW,
        "disturbances": {name: asdict(loss) for name, loss in sorted(world.losses.items())},
        "faults": world.faults,
    }


def show(figures: dict[str, Any]) -> None:
    """The same for people."""
    messages = figures["messages"]
    print(f"seed {figures['seed']}: {figures['episodes']} episodes in {figures['seconds']:g} s; {messages['sent']:,} "
          f"messages sent, {messages['arrived']:,} arrived, {messages['lost']:,} lost, {messages['unasked']:,} for "
          "clients that had gone")
    for name, loss in figures["disturbances"].items():
        lost = ", ".join(f"{number:,} {kind}" for kind, number in sorted(loss["lost"].items()) if number) or "nothing"
        print(f"{loss['times']:6,} x {name}: lost in these episodes: {lost}")
    most = max((loss["most_of_one_sender"] for loss in figures["disturbances"].values()), default=0)
    print(f"of one sender {most} at a time at most, when {figures['under_way_at_most']} were under way")
    for fault in figures["faults"][:20]:
        print(f"fault: {fault}")
    if len(figures["faults"]) > 20:
        print(f"and {len(figures['faults']) - 20:,} faults more; --format json has them all")


def main() -> int:
    """Run for a while and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="do nothing but this, or what "
                        "begins so; may be given several times")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    args = parser.parse_args()
    every = [*UNDER_TRAFFIC, *WITH_MESSAGES_UNDER_WAY]
    chosen = [name for name in every if name.startswith(tuple(args.only))] if args.only else sorted({*every} - OPEN)
    if not chosen:
        parser.error(f"--only takes {', '.join(every)}")
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        world = World(Path(folder), random.Random(args.seed))
        try:
            world.settle([])
            while time.monotonic() < start + args.minutes * 60 and not world.faults:
                episode(world, chosen)
            figures = report(world, args.seed, time.monotonic() - start)
        finally:
            world.close()
    if args.format == "json":
        print(json.dumps(figures, indent=2))
    else:
        show(figures)
    return int(bool(figures["faults"]))


if __name__ == "__main__":
    sys.exit(main())
