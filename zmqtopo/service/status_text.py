"""How a device is described to people, from what ``ps --format json`` says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from zmqtopo.config.wording import listing, printable
from zmqtopo.supervisor.losses import UNSENT, StopReport

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def stop_summary(device: dict[str, Any]) -> str:
    """What has become of a device, and of the messages that it was given."""
    forth, back, mon = (device["counters"][flow] for flow in ("in_to_out", "out_to_in", "mon"))
    parts = [f"{forth['messages']:,} messages in to out", f"{back['messages']:,} out to in"]
    if forth["dropped"] or back["dropped"]:
        parts.append(f"{dropped(forth, back)} dropped")
    if device["type"] == "monitored_queue" or mon["messages"] or mon["dropped"]:
        parts.append(f"{mon['messages']:,} copies to mon")
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


def dropped(*flows: dict[str, Any], write: Callable[[int], str] = "{:,}".format) -> str:
    """How many messages were dropped, exactly or as a lower bound; `write` is how the number is written."""
    told = write(sum(flow["dropped"] for flow in flows))
    return told if all(flow["dropped_exact"] for flow in flows) else f"at least {told}"


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


def duration(seconds: float | None) -> str:
    """``3d 4h``, ``12s``: the two largest units."""
    if seconds is None:
        return ""
    left = int(seconds)
    parts: list[str] = []
    for size, unit in _UNITS:
        if left >= size or (unit == "s" and not parts):
            parts.append(f"{left // size}{unit}")
            left %= size
    return " ".join(parts[:2])


def number(value: float) -> str:
    """``12``, ``3.4k``, ``56M``: at most four characters."""
    for unit in ("", "k", "M", "G"):
        if value < 999.5:
            return f"{value:.0f}{unit}" if value >= 10 or not unit else f"{value:.1f}{unit}"
        value /= 1000
    return f"{value:.0f}T"


def state(device: dict[str, Any]) -> str:
    """The state, and whether messages wait for somebody to take them."""
    flows = device["counters"]
    full = [word for flow, word in (("in_to_out", "out"), ("out_to_in", "in"), ("mon", "mon"))
            if flows[flow]["waiting"] and device["state"] == "running"]
    parts = [device["state"], *([f"{' and '.join(full)} full"] if full else []),
             *(["out of open files"] if device.get("warning") else [])]
    return ", ".join(parts)


def one_line(text: str | None) -> str:
    """A text of somebody else's, safe for a terminal."""
    return printable(text or "")
