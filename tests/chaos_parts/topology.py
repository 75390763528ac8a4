"""What runs: a device of every type in a thread, in a process of its own and in a process that it shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RUNS = {"thread": "thread", "process": "process", "shared": "process/shared"}

SOCKETS = {
    "streamer": ("PULL", "PUSH"),
    "forwarder": ("XSUB", "XPUB"),
    "queue": ("ROUTER", "DEALER"),
    "monitored_queue": ("ROUTER", "DEALER"),
}

ANY = "tcp://127.0.0.1:*"

NARROW = "{hwm: 5, sndbuf: 4096, rcvbuf: 4096}"

HEAD = """\
version: 1
name: chaos
defaults: {restart: {policy: on-failure, backoff: [10ms, 100ms], stable_after: 1s}, stop_timeout: 10s}
devices:
"""


@dataclass(frozen=True)
class Variant:
    """What reloads change."""

    description: str = "as at first"
    """Of every device."""
    rcvhwm: int = 1000
    """Of the second device of the chain, which needs another socket for another one."""
    extra: str = ""
    """The address of a device more, which has nothing to do."""


def text(folder: Path, ports: dict[str, str], variant: Variant = Variant()) -> str:
    """The topology: in sockets by tcp, on the ports in ``ports`` once they are known, the others by ipc in ``folder``.

    The queues of streamers hold less than what is under way; ``relay`` is one stream through three devices in as many
    processes.
    """
    lines = [HEAD]
    for type_, (in_, out) in SOCKETS.items():
        for place, run in RUNS.items():
            name = f"{type_}-{place}"
            options = NARROW if type_ == "streamer" else "{}"
            lines += [
                f"  {name}:", f"    type: {type_}", f"    run: {run}", f"    description: {variant.description}",
                f"    in: {{type: {in_}, bind: '{ports.get(name, ANY)}', options: {options}}}",
                f"    out: {{type: {out}, bind: 'ipc://{folder}/{name}', options: {options}}}",
            ]
            if type_ == "monitored_queue":
                mon = f"{{type: PUSH, bind: 'ipc://{folder}/{name}-mon'}}"
                lines.append(f"    mon: {mon}  # zmqtopo: ignore[mon-blocks]")
    second = f"connect: relay-1.out, options: {{rcvhwm: {variant.rcvhwm}}}"
    ins = (f"bind: '{ports.get('relay-1', ANY)}'", second, "connect: relay-2.out")
    for number, (run, in_) in enumerate(zip(("process", "thread", "process"), ins, strict=True), 1):
        name = f"relay-{number}"
        lines += [
            f"  {name}:", "    type: streamer", f"    run: {run}", f"    in: {{{in_}}}",
            f"    out: {{bind: 'ipc://{folder}/{name}'}}", f"    description: {variant.description}",
        ]
    if variant.extra:
        lines += [
            "  extra:", "    type: streamer", "    run: process", f"    in: {{bind: '{variant.extra}'}}",
            f"    out: {{bind: 'ipc://{folder}/extra'}}",
        ]
    return "\n".join(lines) + "\n"
