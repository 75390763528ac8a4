"""How a device is described to people, from what ``ps --format json`` says of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from zmqtopo.config.wording import count, listing
from zmqtopo.report.figures import dropped
from zmqtopo.supervisor.losses import UNSENT, StopReport


def stop_summary(device: dict[str, Any]) -> str:
    """What has become of a device, and of the messages that it was given."""
    forth, back, mon = (device["counters"][flow] for flow in ("in_to_out", "out_to_in", "mon"))
    parts = [f"{count(forth['messages'], 'message')} in to out", f"{back['messages']:,} out to in"]
    if forth["dropped"] or back["dropped"]:
        parts.append(f"{dropped(forth, back)} dropped")
    if device["type"] == "monitored_queue" or mon["messages"] or mon["dropped"]:
        parts.append(f"{mon['messages']:,} {'copy' if mon['messages'] == 1 else 'copies'} to mon")
        if mon["dropped"]:
            parts.append(f"{dropped(mon)} copies dropped")
    if in_hand := forth["in_hand"] + back["in_hand"]:       # nobody was left to count them as dropped
        parts.append(f"at least {in_hand:,} lost with its process")
    if device.get("forced"):
        parts += _unfinished(device.get("stop"))
    elif device.get("unsent"):
        parts.append(UNSENT)
    return f"{device['state']}; {', '.join(parts)}"


def _unfinished(stop: dict[str, int] | None) -> Iterator[str]:
    """What a stop that did not wait has left undone, as far as there was anything to do."""
    if stop and stop["dropped"]:
        yield "it ended before it had passed on everything"
    if stop and (lost := stop["possibly_lost_per_peer"]):
        yield f"up to {lost:,} for each peer, which libzmq had yet to send, are possibly lost"


def stop_words(device: dict[str, Any]) -> str:
    """What a stop has done with the messages of a device, exactly or with its bound; empty when it had none."""
    stop = device.get("stop")
    return str(StopReport(**stop)) if stop else ""


def rolled_back(restarted: Sequence[str]) -> str:
    """What a reload has left that failed on its way."""
    if not restarted:
        return "everything was restored"
    were = "was" if len(restarted) == 1 else "were"
    return f"everything was restored, but {listing(restarted, 'and')} {were} restarted"
