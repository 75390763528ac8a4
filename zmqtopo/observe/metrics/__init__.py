"""The metrics of a running topology, in the text formats of Prometheus and OpenMetrics.

prometheus-client writes a sample in 10 microseconds, a third of a second for 1,000 devices; here the labels of a device
are written once, which makes it a tenth of that. What is written is read by that package, and by Prometheus, in tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple

from zmqtopo.observe.metrics.processes import Process, processes

Kind = Literal["counter", "gauge", "info"]
Sample = tuple[str, float]
"""Labels, as they stand between braces, and a value."""

STATES: Final = ("starting", "running", "paused", "backoff", "stopping", "stopped", "failed")
FLOWS: Final = ("in_to_out", "out_to_in", "mon")
FIGURES: Final = ("messages", "bytes", "dropped", "blocked", "blocked_time", "last", "waiting")
"""What the verb ``counters`` of the control socket says of each flow; times in nanoseconds."""


Devices = list[tuple[str, dict[str, Any]]]
"""The labels of each device, and what ``ps`` says of it."""


class Family(NamedTuple):
    """A metric: its name without the ending that its type gives it, and what it says."""

    name: str
    kind: Kind
    help: str
    samples: Iterable[Sample]


class Exposition:
    """Writes the metrics of a topology again and again; what has not changed is written once."""

    def __init__(self) -> None:
        self._answer: dict[str, Any] | None = None
        self._devices: Devices = []
        self._rows: list[tuple[str, int, int]] = []
        """Labels of each flow, the number of its device, and where its figures begin."""
        self._static: dict[bool, str] = {}

    def text(self, answer: dict[str, Any], counters: list[list[int]] | None = None, *,
             openmetrics: bool = False) -> bytes:
        """The metrics, from the topology's answer to ``ps``, and newer ``counters`` of the same devices, if there are.

        It reads what the system knows of the processes of the topology.
        """
        if answer is not self._answer:
            self._begin(answer)
        topology = f'topology="{escaped(answer["topology"])}"'
        figures = counters if counters is not None else [_figures(device) for device in answer["devices"]]
        if openmetrics not in self._static:
            self._static[openmetrics] = _text(
                (*_devices(self._devices), *_peers(self._devices), *_topology(topology, answer)), openmetrics)
        moving = _text((*_flows(self._rows, figures), *_processes(topology, processes(answer))), openmetrics)
        end = "# EOF\n" if openmetrics else ""
        return f"{moving}{self._static[openmetrics]}{end}".encode()

    def _begin(self, answer: dict[str, Any]) -> None:
        self._answer = answer
        self._static = {}
        topology = f'topology="{escaped(answer["topology"])}"'
        self._devices = [(f'{topology},device="{escaped(device["name"])}"', device) for device in answer["devices"]]
        self._rows = [
            (f'{labels},flow="{flow}"', number, at * len(FIGURES)) for number, (labels, device) in
            enumerate(self._devices) for at, flow in enumerate(FLOWS) if flow != "mon" or device["sockets"]["mon"]
        ]


def exposition(answer: dict[str, Any], *, openmetrics: bool = False) -> bytes:
    """The metrics of a topology, from its answer to ``ps``."""
    return Exposition().text(answer, openmetrics=openmetrics)


def escaped(value: object) -> str:
    """The value of a label."""
    return str(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _text(families: Iterable[Family], openmetrics: bool) -> str:
    return "".join(f"{line}\n" for family in families for line in _lines(family, openmetrics=openmetrics))


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


def _figures(device: dict[str, Any]) -> list[int]:
    """What the verb ``counters`` says of a device, from what ``ps`` says."""
    found: list[int] = []
    for name in FLOWS:
        flow = device["counters"][name]
        found += (flow["messages"], flow["bytes"], flow["dropped"], flow["blocked"], round(flow["blocked_time"] * 1e9),
                  round((flow["last"] or 0) * 1e9), int(flow["waiting"]))
    return found


def _flows(rows: list[tuple[str, int, int]], figures: list[list[int]]) -> Iterator[Family]:
    def family(name: str, kind: Kind, what: str, figure: str) -> Family:
        at = FIGURES.index(figure)
        return Family(name, kind, what, [(labels, figures[number][flow + at]) for labels, number, flow in rows])

    def seconds(name: str, kind: Kind, what: str, figure: str) -> Family:
        one = family(name, kind, what, figure)
        there = one.samples if kind == "counter" else [sample for sample in one.samples if sample[1]]
        return one._replace(samples=[(labels, value / 1e9) for labels, value in there])

    yield family("zmqtopo_messages", "counter", "Messages that were passed on.", "messages")
    yield family("zmqtopo_bytes", "counter", "Bytes of all frames that were passed on.", "bytes")
    yield family("zmqtopo_messages_dropped", "counter", "Messages that could not be passed on; where several read from "
                 "one PUB or XPUB, at least so many.", "dropped")
    yield family("zmqtopo_blocked", "counter", "Times that a message had to wait for room.", "blocked")
    yield seconds("zmqtopo_blocked_seconds", "counter", "Time in which a message waited for room.", "blocked_time")
    yield family("zmqtopo_blocked", "gauge", "Whether a message waits for room now.", "waiting")
    yield seconds("zmqtopo_last_message_timestamp_seconds", "gauge", "Unix time of the last message.", "last")


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
                if value is not None and device["sockets"][socket]:
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
