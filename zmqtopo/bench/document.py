"""Results for programs: one JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from zmqtopo.bench.results import CaseResults, Result, Spread
from zmqtopo.config.wording import escaped_json


def document(cases: Iterable[CaseResults], machine: dict[str, str | int], *, complete: bool) -> str:
    """The document; ``complete`` says whether every measurement was made.

    Its shape: ``{"zmqtopo", "machine": {...}, "complete", "cases": [{"pattern", "title", "device", "transport", "size",
    "load": {...}, "results": [{"contestant", "rounds", "messages_per_second": {"median", "min", "max"},
    "of_zmq_proxy", "cpu_us_per_message", "latency_us": {"p50", "p99", "p99.9"}, "loss", "copies", "error"}]}]}``.
    What does not apply is null. ``of_zmq_proxy`` is messages a second in proportion to those of zmq.proxy in the same
    round, so that its median is that of the rounds' ratios. Of one round median, min and max are the same.
    """
    whole = {
        "zmqtopo": machine["zmqtopo"],
        "machine": machine,
        "complete": complete,
        "cases": [_case(found) for found in cases],
    }
    return escaped_json(json.dumps(whole, indent=2, ensure_ascii=False)) + "\n"


def _case(found: CaseResults) -> dict[str, Any]:
    case = found.case
    return {
        "pattern": case.pattern,
        "title": case.title,
        "device": {"name": case.device.name, "type": case.device.type,
                   **{socket.role: socket.type for socket in case.device.sockets}},
        "transport": case.transport,
        "size": case.size,
        "load": asdict(case.load),
        "results": [_result(result) for result in found.results],
    }


def _result(result: Result) -> dict[str, Any]:
    latency = result.latency
    return {
        "contestant": result.contestant,
        "rounds": result.rounds,
        "messages_per_second": _spread(result.rate),
        "of_zmq_proxy": _spread(result.ratio),
        "cpu_us_per_message": _spread(result.cpu),
        "latency_us": None if latency is None else {name: _spread(spread) for name, spread in latency.items()},
        "loss": _spread(result.loss),
        "copies": _spread(result.copies),
        "error": result.error or None,
    }


def _spread(spread: Spread | None) -> dict[str, float] | None:
    return None if spread is None else {name: float(f"{value:.6g}") for name, value in asdict(spread).items()}
