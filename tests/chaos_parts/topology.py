"""What runs: devices of every type and pair, in threads and processes, alone and in chains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath

from chaos_parts import paths, publishing, requests
from chaos_parts.paths import Path

RUNS = {"thread": "thread", "process": "process", "shared": "process/shared"}

SOCKETS = {
    "streamer": ("PULL", "PUSH"),
    "forwarder": ("XSUB", "XPUB"),
    "queue": ("ROUTER", "DEALER"),
    "monitored_queue": ("ROUTER", "DEALER"),
}

ANY = "tcp://127.0.0.1:*"

NARROW = "{hwm: 5, sndbuf: 4096, rcvbuf: 4096}"

ROOMY = "{hwm: 5000}"

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


@dataclass(frozen=True)
class Stream:
    """A device, or a chain of as many as there are places to run, and the traffic that goes through."""

    name: str
    type: str
    sockets: tuple[str, str]
    runs: tuple[str, ...]
    """Those of a chain are called NAME-1, NAME-2 and so on."""
    path: type[Path]
    options: str = "{}"
    mon: str = ""
    """The type of that socket, and behind it its options."""

    @property
    def devices(self) -> list[str]:
        return [self.name] if len(self.runs) == 1 else [f"{self.name}-{number + 1}" for number in range(len(self.runs))]

    @property
    def is_mirrored(self) -> bool:
        """Whether messages come in at out."""
        return self.sockets[0] in ("XPUB", "DEALER") and self.sockets[1] in ("XSUB", "ROUTER")

    @property
    def path_options(self) -> dict[int, int]:
        return {NARROW: paths.NARROW, ROOMY: paths.ROOMY}.get(self.options, {})


def streams() -> Iterator[Stream]:
    """All of them. The queues of the streamers hold less than what is under way."""
    kinds: dict[str, type[Path]] = {"streamer": paths.Push, "forwarder": publishing.Publish}
    for type_, sockets in SOCKETS.items():
        for place, run in RUNS.items():
            options = NARROW if type_ == "streamer" else "{}" if place == "thread" else ROOMY
            yield Stream(f"{type_}-{place}", type_, sockets, (run,), kinds.get(type_, requests.Request), options,
                         "PUSH" if type_ == "monitored_queue" else "")
    yield Stream("relay", "streamer", SOCKETS["streamer"], ("process", "thread", "process"), paths.Push)
    yield from _inproc()
    yield from _other_pairs()


def _inproc() -> Iterator[Stream]:
    """Chains that are joined by inproc."""
    yield Stream("link", "streamer", SOCKETS["streamer"], ("thread",) * 3, paths.Push, ROOMY)
    yield Stream("hop", "queue", SOCKETS["queue"], ("process/hops",) * 2, requests.OverTwo, ROOMY)
    yield Stream("wave", "forwarder", SOCKETS["forwarder"], ("process/hops",) * 2, publishing.Publish, ROOMY)


def _other_pairs() -> Iterator[Stream]:
    """Pairs of sockets that the file names, topics, and monitors that drop."""
    yield Stream("pair", "queue", ("PAIR", "PAIR"), ("thread",), requests.Pair)
    yield Stream("pair-process", "queue", ("PAIR", "PAIR"), ("process/shared",), requests.Pair)
    yield Stream("routers", "monitored_queue", ("ROUTER", "ROUTER"), ("process",), requests.Routers, mon="PUSH")
    yield Stream("mirrored-forwarder", "forwarder", ("XPUB", "XSUB"), ("process",), publishing.Publish, ROOMY)
    yield Stream("mirrored-queue", "queue", ("DEALER", "ROUTER"), ("thread",), requests.Request, ROOMY)
    yield Stream("mirrored-monitored", "monitored_queue", ("DEALER", "ROUTER"), ("process/shared",), requests.Mirrored,
                 ROOMY, mon="PUSH")
    yield Stream("topics", "forwarder", SOCKETS["forwarder"], ("process",), publishing.Topics, ROOMY)
    yield Stream("watched", "monitored_queue", SOCKETS["monitored_queue"], ("thread",), requests.Watched, ROOMY, "PUB")
    yield Stream("watched-little", "monitored_queue", SOCKETS["monitored_queue"], ("process",), requests.Watched,
                 mon=f"PUB {NARROW}")


def text(folder: FilePath, ports: dict[str, str], variant: Variant = Variant()) -> str:
    """The topology: sockets for senders by tcp, on the ports in ``ports`` once they are known, the others by ipc."""
    lines = [HEAD]
    for stream in streams():
        for number, (name, run) in enumerate(zip(stream.devices, stream.runs, strict=True), 1):
            tcp, ipc = f"bind: '{ports.get(name, ANY)}'", f"bind: 'ipc://{folder}/{name}'"
            in_, out = (ipc, tcp) if stream.is_mirrored else (tcp, ipc)
            in_ = in_ if number == 1 else f"connect: {stream.devices[number - 2]}.out"
            out = out if number == len(stream.runs) or stream.name == "relay" else f"bind: 'inproc://{name}'"
            options = f"options: {stream.options}"
            in_options = f"options: {{rcvhwm: {variant.rcvhwm}}}" if name == "relay-2" else options
            lines += [
                f"  {name}:", f"    type: {stream.type}", f"    run: {run}", f"    description: {variant.description}",
                f"    in: {{type: {stream.sockets[0]}, {in_}, {in_options}}}",
                f"    out: {{type: {stream.sockets[1]}, {out}, {options}}}",
            ]
            if stream.mon:
                type_, _, mon_options = stream.mon.partition(" ")
                mon = f"{{type: {type_}, bind: 'ipc://{folder}/{name}-mon', options: {mon_options or '{}'}}}"
                lines.append(f"    mon: {mon}  # zmqtopo: ignore[mon-blocks]")
    if variant.extra:
        lines += [
            "  extra:", "    type: streamer", "    run: process", f"    in: {{bind: '{variant.extra}'}}",
            f"    out: {{bind: 'ipc://{folder}/extra'}}",
        ]
    return "\n".join(lines) + "\n"
