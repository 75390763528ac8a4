from __future__ import annotations

import json
import re
import time
from typing import Any

from zmqtopo.observe.top.columns import BY_NAME, Order
from zmqtopo.observe.top.plain import Output, run

from .looks import Script, device, seen

SETTINGS: dict[str, Any] = {"interval": 0.001, "count": 1, "as_json": False, "width": None, "several": False}


def printed(
    watch: Script, order: Order | None = None, *, goes_on: bool = True, notes: tuple[str, ...] = (), **settings: Any
) -> list[str]:
    out: list[str] = []
    noted: list[str] = []
    assert run(watch, Output(out.append, noted.append, time.sleep), order or Order(), **SETTINGS | settings) is goes_on
    assert noted == list(notes)
    return out


def looks(*times: int) -> Script:
    return Script(*([seen(at, device("b", in_to_out={"messages": 10 * at}), device("a"))] for at in times))


def test_one_table_has_rates() -> None:
    table, = printed(looks(1, 2))
    heads, b, a = table.splitlines()
    assert heads.split()[:3] == ["DEVICE", "STATE", "IN/s"]
    assert b.split()[:3] == ["b", "running", "10"]
    assert a.split()[:3] == ["a", "running", "0"]


def test_several_tables_say_when() -> None:
    first, second = printed(looks(1, 2, 3), count=2)
    assert re.fullmatch(r"\d\d:\d\d:\d\d", first.splitlines()[0])
    assert second.endswith("\n\n")


def test_they_are_sorted_and_filtered() -> None:
    table, = printed(looks(1, 2), Order(BY_NAME["device"], filter="streamer"))
    assert [line[0] for line in table.splitlines()] == ["D", "a", "b"]
    table, = printed(looks(1, 2), Order(filter="b"))
    assert [line[0] for line in table.splitlines()] == ["D", "b"]


def test_a_narrow_terminal_is_told_what_is_left_out() -> None:
    table, = printed(looks(1, 2), width=40)
    assert max(map(len, table.splitlines()[:-1])) <= 40
    assert table.splitlines()[-1] == "(40 columns: no room for B/s, BLOCKED%, PEERS, CPU%, RSS and LAST)"


def test_json_is_an_object_a_line() -> None:
    text, = printed(looks(1, 2), as_json=True)
    b, a = map(json.loads, text.splitlines())
    assert list(b) == [
        "time", "topology", "device", "type", "state", "full", "in_per_second", "out_per_second", "bytes_per_second",
        "blocked", "dropped", "dropped_exact", "peers", "cpu", "rss", "pid", "last_message", "error",
    ]
    assert (b["device"], b["in_per_second"], b["topology"]) == ("b", 10, "it")
    assert (a["device"], a["in_per_second"], a["cpu"]) == ("a", 0, None)


def test_a_device_that_is_new_has_no_rates_yet() -> None:
    text, = printed(Script([seen(1, device("a"))], [seen(2, device("a"), device("new"))]), as_json=True)
    a, new = map(json.loads, text.splitlines())
    assert a["in_per_second"] == 0
    assert new["in_per_second"] is None


def test_nothing_runs() -> None:
    assert printed(Script([]), goes_on=False) == []


def test_nothing_runs_any_more() -> None:
    assert len(printed(Script(*looks(1, 2).looks, []), goes_on=False, count=None)) == 1


def test_one_that_does_not_answer_is_told_of_once() -> None:
    silent = seen(2, device("a"), problem="it, process 7, does not answer")
    shown = printed(Script([seen(1, device("a"))], [seen(2, device("a"))], [silent], [silent], [seen(9, device("a"))]),
                    count=4, as_json=True, notes=("it, process 7, does not answer",))
    assert [json.loads(text)["state"] for text in shown] == ["running", None, None, "running"]
