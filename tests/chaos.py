"""Devices of every type in threads and processes, under numbered traffic, and much that goes wrong with them.

Run it with ``python tests/chaos.py --minutes 20 --seed 1``. In each episode something is done while messages pass: a
worker is killed or stopped, a device paused, restarted or stopped, the file changed and loaded again, a client comes or
goes. Then the senders are silent until all that can arrive has arrived, and every message is accounted for: none comes
twice, none out of order on its path, none is lost but by a crash, with the receiver in whose queue it was or on its way
to a socket that closed, and of each sender no more than what was under way, which the queues could hold. Answers to a
queue that has stopped go nowhere. The seed decides what is done; the machine, when. Ends with 1 after the first episode
with a fault. For Linux.
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

from chaos_parts.disturbances import UNDER_TRAFFIC, WITH_MESSAGES_UNDER_WAY
from chaos_parts.paths import DEEP_WINDOW
from chaos_parts.world import World


def episode(world: World) -> None:
    """Disturb, wait for silence, account."""
    names: list[str] = []
    if world.random.random() < 0.3:
        world.deepen()
    if world.random.random() < 0.3:
        names.append(world.random.choice(sorted(WITH_MESSAGES_UNDER_WAY)))
        world.excuses += WITH_MESSAGES_UNDER_WAY[names[0]](world)
    else:
        for _ in range(world.random.randint(1, 3)):
            world.flow()
            names.append(world.random.choice(sorted(UNDER_TRAFFIC)))
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
    parser.add_argument("--format", choices=("text", "json"), default="text")
    args = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        world = World(Path(folder), random.Random(args.seed))
        try:
            world.settle([])
            while time.monotonic() < start + args.minutes * 60 and not world.faults:
                episode(world)
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
