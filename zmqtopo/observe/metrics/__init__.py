"""The metrics of a running topology, in the text formats of Prometheus and OpenMetrics.

prometheus-client writes a sample in 10 microseconds, a third of a second for 1,000 devices; here the labels of a device
are written once, which makes it a tenth of that. What is written is read by that package, and by Prometheus, in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple

from zmqtopo.observe.metrics.processes import Process, processes

Kind = Literal["counter", "gauge", "info"]
Sample = tuple[str, float]
"""Labels, as they stand between braces, and a value."""

STATES: Final = ("starting", "running", "paused", "backoff", "stopping", "stopped", "failed")
FLOWS: Final = ("in_to_out", "out_to_in", "mon")


class Family(NamedTuple):
    """A metric: its name without the ending that its type gives it, and what it says."""

    name: str
    kind: Kind
    help: str
    samples: Iterable[Sample]


def exposition(answer: dict[str, Any], *, openmetrics: bool = False) -> bytes:
    """The metrics of a topology, from its answer to ``ps``; reads what the system knows of its processes."""
    topology = f'topology="{escaped(answer["topology"])}"'
    devices = [(f'{topology},device="{escaped(device["name"])}"', device) for device in answer["devices"]]
    families = [*_flows(devices), *_devices(devices), *_peers(devices), *_topology(topology, answer),
                *_processes(topology, processes(answer))]
    lines = [line for family in families for line in _lines(family, openmetrics=openmetrics)]
    if openmetrics:
        lines.append("# EOF")
    return ("\n".join(lines) + "\n").encode()


def escaped(value: object) -> str:
    """The value of a label."""
    return str(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _lines(family: Family, *, openmetrics: bool) -> Iterator[str]:
    ending = {"counter": "_total", "info": "_info", "gauge": ""}[family.kind]
    name = f"{family.name}{ending}"
    kind: str = family.kind
    said = name
    if openmetrics:
        said = family.name
        if said == "zmqtopo_blocked" and kind == "counter":
            said, kind = name, "unknown"    # there a counter may not have the name of a gauge, zmqtopo_blocked
    elif kind == "info":
        kind = "gauge"
    samples = [f"{name}{{{labels}}} {value}" for labels, value in family.samples]
    if samples:
        yield f"# HELP {said} {family.help}"
        yield f"# TYPE {said} {kind}"
        yield from samples


Devices = list[tuple[str, dict[str, Any]]]


def _flows(devices: Devices) -> Iterator[Family]:
    rows = [
        (f'{labels},flow="{flow}"', device["counters"][flow]) for labels, device in devices for flow in FLOWS
        if flow != "mon" or device["sockets"]["mon"]
    ]

    def family(name: str, kind: Kind, what: str, key: str, write: Callable[[Any], float] = lambda it: it) -> Family:
        return Family(name, kind, what, [(labels, write(flow[key])) for labels, flow in rows if flow[key] is not None])

    yield family("zmqtopo_messages", "counter", "Messages that were passed on.", "messages")
    yield family("zmqtopo_bytes", "counter", "Bytes of all frames that were passed on.", "bytes")
    yield family("zmqtopo_messages_dropped", "counter", "Messages that could not be passed on; where several read from "
                 "one PUB or XPUB, at least so many.", "dropped")
    yield family("zmqtopo_blocked", "counter", "Times that a message had to wait for room.", "blocked")
    yield family("zmqtopo_blocked_seconds", "counter", "Time in which a message waited for room.", "blocked_time")
    yield family("zmqtopo_blocked", "gauge", "Whether a message waits for room now.", "waiting", int)
    yield family("zmqtopo_last_message_timestamp_seconds", "gauge", "Unix time of the last message.", "last")


def _devices(devices: Devices) -> Iterator[Family]:
    endings = [(state, f',state="{state}"') for state in STATES]
    yield Family("zmqtopo_device_state", "gauge", "Whether the device is in this state.", [
        (labels + ending, int(device["state"] == state)) for labels, device in devices for state, ending in endings])
    yield Family("zmqtopo_device_restarts", "counter", "Times that it was started again because it had ended.",
                 [(labels, device["restarts"]) for labels, device in devices])
    yield Family("zmqtopo_device_start_time_seconds", "gauge", "Unix time at which it began to run.",
                 [(labels, device["started"]) for labels, device in devices if device["started"] is not None])
    yield Family("zmqtopo_device", "info", "What it is.", [
        (f'{labels},type="{device["type"]}",run="{escaped(device["run"])}",in="{device["sockets"]["in"]}",'
         f'out="{device["sockets"]["out"]}"', 1) for labels, device in devices])


def _peers(devices: Devices) -> Iterator[Family]:
    def of(key: str) -> Iterator[tuple[str, Any]]:
        for labels, device in devices:
            for socket, value in (device.get(key) or {}).items():
                if value is not None:
                    yield f'{labels},socket="{socket}"', value

    yield Family("zmqtopo_peers", "gauge", "Connections that are open.", of("peers"))
    yield Family("zmqtopo_connections", "counter", "Connections that were made.", of("connections"))
    yield Family("zmqtopo_handshake_failures", "counter", "Connections that were refused or did not come to be.", (
        (f'{labels},reason="{escaped(reason)}"', count) for labels, reasons in of("handshake_failures")
        for reason, count in reasons.items()))


def _topology(labels: str, answer: dict[str, Any]) -> Iterator[Family]:
    last = answer.get("reload") or {"successful": True, "at": answer["started"]}
    yield Family("zmqtopo_config_last_reload_successful", "gauge", "Whether the last reload, or the start, succeeded.",
                 [(labels, int(last["successful"]))])
    yield Family("zmqtopo_config_last_reload_timestamp_seconds", "gauge", "Unix time of the last reload, or the start.",
                 [(labels, last["at"])])
    yield Family("zmqtopo_build", "info", "What runs it.", [
        (f'{labels},version="{escaped(answer["release"])}",pyzmq="{escaped(answer["pyzmq"])}",'
         f'libzmq="{escaped(answer["libzmq"])}"', 1)])


def _processes(topology: str, found: list[Process]) -> Iterator[Family]:
    rows = [(topology if one.name is None else f'{topology},process="{escaped(one.name)}"', one) for one in found]
    yield Family("process_cpu_seconds", "counter", "Processor time of the process.",
                 [(labels, one.cpu) for labels, one in rows])
    yield Family("process_resident_memory_bytes", "gauge", "Memory that it has in use.",
                 [(labels, one.resident) for labels, one in rows])
    yield Family("process_virtual_memory_bytes", "gauge", "Memory that it has mapped.",
                 [(labels, one.virtual) for labels, one in rows])
    yield Family("process_start_time_seconds", "gauge", "Unix time at which it was started.",
                 [(labels, one.started) for labels, one in rows])
    yield Family("process_open_fds", "gauge", "Open file descriptors.",
                 [(labels, one.open_files) for labels, one in rows if one.open_files is not None])
    yield Family("process_max_fds", "gauge", "File descriptors that it may have.",
                 [(labels, one.most_files) for labels, one in rows if one.most_files is not None])
