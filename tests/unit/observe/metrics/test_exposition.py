"""The text of the metrics; what real programs say of it is in tests/acceptance/test_metrics.py."""

from __future__ import annotations

import time
from typing import Any

import pytest

from zmqtopo.observe.metrics import Exposition, escaped, exposition

parser = pytest.importorskip("prometheus_client.parser")

ROLES = ("in_to_out", "out_to_in", "mon")


def device(name: str, **more: Any) -> dict[str, Any]:
    flow = {"messages": 3, "bytes": 10, "dropped": 0, "blocked": 1, "blocked_time": 0.5, "waiting": False, "last": None}
    return {
        "name": name, "type": "streamer", "run": "thread", "state": "running", "pid": None, "restarts": 0,
        "sockets": {"in": "PULL", "out": "PUSH", "mon": None}, "started": 1.5, "error": None,
        "counters": {role: dict(flow) for role in ROLES}, "peers": None, **more,
    }


def answer(*devices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"topology": "it", "pid": None, "release": "1", "pyzmq": "2", "libzmq": "3", "started": 7.0, "reload": None,
            "devices": list(devices), **more}


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parser.text_string_to_metric_families(text.decode()) for sample in family.samples}


@pytest.mark.parametrize("name", ["größe", "作業", 'a"b', "a\\b", "a\nb", '\\"\n', "ends with \\"])
def test_any_label_comes_back_as_it_was(name: str) -> None:
    found = samples(exposition(answer(device(name), topology=name)))
    labels = (("device", name), ("flow", "in_to_out"), ("topology", name))
    assert found["zmqtopo_messages_total", labels] == 3
    assert "\n" not in escaped(name)


def test_counters_that_are_newer_are_used_and_the_rest_is_that_of_ps() -> None:
    told = answer(device("a"), device("b"))
    newer = [[9, 8, 7, 6, 2_500_000_000, 1_000_000_000, 1] * 3, [0] * 21]
    found = samples(Exposition().text(told, newer))

    def value(metric: str, name: str) -> float | None:
        return found.get((metric, (("device", name), ("flow", "in_to_out"), ("topology", "it"))))

    assert [value(f"zmqtopo_{metric}", "a") for metric in (
        "messages_total", "bytes_total", "messages_dropped_total", "blocked_total", "blocked_seconds_total",
        "last_message_timestamp_seconds", "blocked")] == [9, 8, 7, 6, 2.5, 1.0, 1]
    assert value("zmqtopo_messages_total", "b") == 0
    assert value("zmqtopo_last_message_timestamp_seconds", "b") is None


def test_what_has_not_changed_is_written_once_and_what_has_is_written_again() -> None:
    writer = Exposition()
    first = answer(device("a"))
    assert writer.text(first) == writer.text(first) == exposition(first)
    other = answer(device("a", state="failed", started=None))
    assert writer.text(other) == exposition(other)
    assert b"start_time" not in exposition(other)


def test_peers_of_the_sockets_that_are_there() -> None:
    counts = {"in": 1, "out": 2, "mon": 0}
    failures = {role: {"auth": 4} for role in counts}
    text = exposition(answer(device("a", peers=counts, connections=counts, handshake_failures=failures))).decode()
    assert 'zmqtopo_peers{topology="it",device="a",socket="out"} 2' in text
    assert 'zmqtopo_handshake_failures_total{topology="it",device="a",socket="in",reason="auth"} 4' in text
    assert 'socket="mon"' not in text


def test_a_reload_that_failed() -> None:
    text = exposition(answer(reload={"successful": False, "at": 12.5})).decode()
    assert 'zmqtopo_config_last_reload_successful{topology="it"} 0' in text
    assert 'zmqtopo_config_last_reload_timestamp_seconds{topology="it"} 12.5' in text


def test_a_thousand_devices_take_less_than_a_third_of_what_they_may() -> None:
    told = answer(*(device(f"d{number}") for number in range(1000)))
    writer = Exposition()
    writer.text(told)
    began = time.process_time()
    writer.text(told, [[1] * 21] * 1000)
    assert time.process_time() - began < 0.1
