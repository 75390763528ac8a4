from __future__ import annotations

import time

import pytest

from zmqtopo.observe.top.columns import BY_NAME, COLUMNS, Order, by_name, layout, state_text
from zmqtopo.observe.top.rows import Row, Rows
from zmqtopo.report.visible import width

from .looks import device, seen


def rows() -> list[Row]:
    """Three devices that differ in everything, in the order of a file."""
    one, two = Rows(), [
        seen(1, *(device(name) for name in "bca"), processor={"b": (78, 0.0), "c": (78, 0.0)}),
        seen(2, device("b", in_to_out={"messages": 10, "bytes": 5, "dropped": 3, "last": 30.0},
                    peers={"in": 1, "out": 0}),
             device("c", state="failed", type="queue", in_to_out={"messages": 30}, out_to_in={"messages": 4}),
             device("a", in_to_out={"messages": 20, "waiting": True, "blocked_time": 0.5}, pid=80,
                    peers={"in": 1, "out": 2, "mon": None}),
             processor={"b": (78, 0.1), "c": (78, 0.4)}, memory={77: 1000, 80: 2000}),
    ]
    one.update(two[:1])
    return one.update(two[1:])


def names(order: Order) -> str:
    return "".join(row.name for row in order.apply(rows()))


def test_without_a_column_rows_stay_as_in_the_file() -> None:
    assert names(Order()) == "bca"
    assert names(Order(reverse=True)) == "acb"


@pytest.mark.parametrize(("column", "sorted_", "reversed_"), [
    ("device", "abc", "cba"),
    ("state", "cab", "bac"),        # failed, full, running
    ("in", "cab", "bac"),
    ("out", "cba", "bac"),
    ("bytes", "bca", "cab"),
    ("blocked", "abc", "bca"),
    ("dropped", "bca", "cab"),
    ("peers", "abc", "bac"),        # nobody knows of c
    ("cpu", "cba", "bca"),          # nobody knows of a
    ("rss", "abc", "bca"),
    ("last", "bca", "bca"),         # the others never had one
])
def test_sorting(column: str, sorted_: str, reversed_: str) -> None:
    assert names(Order(BY_NAME[column])) == sorted_
    assert names(Order(BY_NAME[column], reverse=True)) == reversed_


@pytest.mark.parametrize(("text", "left"), [
    ("", "bca"), ("  ", "bca"), ("/A", "a"), ("it/b", "b"), ("fail", "c"), ("FULL", "a"), ("queue", "c"),
    ("streamer running", "ba"), ("streamer failed", ""), ("nothing", ""),
])
def test_the_filter_takes_every_word(text: str, left: str) -> None:
    assert names(Order(filter=text)) == left


@pytest.mark.parametrize(("text", "name"), [
    ("in", "in"), ("IN/s", "in"), ("B/s", "bytes"), ("BLOCKED%", "blocked"), ("cpu%", "cpu"), ("RSS", "rss"),
    ("x", "x"),
])
def test_columns_are_named_by_themselves_or_by_their_heads(text: str, name: str) -> None:
    assert by_name(text) == name


def test_the_table_in_full() -> None:
    found = rows()
    plan = layout(found, None)
    assert plan.heads().split() == [column.head for column in COLUMNS]
    assert [plan.line(row).split() for row in found] == [
        ["b", "running", "10", "0", "5", "0", "3", "1/0", "10", "1.0k*", plan.line(found[0]).split()[-1]],
        ["c", "failed", "30", "4", "0", "0", "0", "-", "40", "1.0k*", "-"],
        ["a", "out", "full", "20", "0", "0", "50", "0", "1/2", "-", "2.0k", "-"],
    ]
    assert len({len(plan.line(row)) for row in found} | {len(plan.heads())}) == 1


def test_what_is_unknown_is_a_dash() -> None:
    row, = Rows().update([seen(1, device("a", pid=None, state="stopped"))])
    assert layout([row], None).line(row).split() == ["a", "stopped", *"---", "-", "0", *"----"]


def test_a_lower_bound_has_a_plus() -> None:
    row, = Rows().update([seen(1, device("a", mon={"dropped": 5, "dropped_exact": False}))])
    assert BY_NAME["dropped"].text(row) == "5+"


@pytest.mark.parametrize(("full", "text"), [
    ((), "running"), (("out",), "out full"), (("in",), "in full"), (("mon",), "mon full"), (("in", "out"), "full"),
])
def test_what_is_full(full: tuple[str, ...], text: str) -> None:
    flows = {"out": "in_to_out", "in": "out_to_in", "mon": "mon"}
    row, = Rows().update([seen(1, device("a", **{flows[role]: {"waiting": True} for role in full}))])
    assert state_text(row) == text


@pytest.mark.parametrize(("ago", "text"), [
    (0.3, "0s"), (59, "59s"), (61, "1m"), (7300, "2h"), (9e6, "104d"), (-5, "0s"),
])
def test_the_last_message(monkeypatch: pytest.MonkeyPatch, ago: float, text: str) -> None:
    monkeypatch.setattr(time, "time", lambda: 1e9)
    row, = Rows().update([seen(1, device("a", in_to_out={"last": 1e9 - ago}))])
    assert BY_NAME["last"].text(row) == text


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 132, 200])
@pytest.mark.parametrize("longest", [1, 12, 60])
def test_a_line_fits_the_terminal(width: int, longest: int) -> None:
    found = Rows().update([seen(1, device("x" * longest), device("y", state="no such state"))])
    plan = layout(found, width)
    assert len(plan.heads()) <= width
    assert len(plan.line(found[0])) == len(plan.heads())
    left_out = {column.head for column in plan.left_out}
    assert left_out | {column.head for column, _ in plan.columns} == {column.head for column in COLUMNS}
    assert all(head in plan.note() for head in left_out)


def test_what_terminals_have_room_for() -> None:
    found = Rows().update([seen(1, device("x" * 40))])
    assert layout(found, 80).left_out == ()
    assert layout(found, 200).line(found[0]).startswith("x" * 40 + " ")
    assert [column.name for column, _ in layout(found, 40).columns] == ["device", "state", "in", "out", "dropped"]
    assert layout(found, 40).note() == "no room for B/s, BLOCKED%, PEERS, CPU%, RSS and LAST"


def test_names_of_any_script_keep_the_columns_in_line() -> None:
    found = Rows().update([seen(1, device("注文の受け付けと配送"), device("b"))])
    for room in (60, 80, 200):
        plan = layout(found, room)
        assert {width(plan.line(row)) for row in found} == {width(plan.heads())}
        assert width(plan.heads()) <= room
    assert layout(found, 200).line(found[0]).startswith("注文の受け付けと配送 ")
    assert layout(found, 80).line(found[0]).startswith("注文の受け…")


def test_several_topologies_are_told_apart() -> None:
    found = Rows().update([seen(1, device("a"), topology="x"), seen(1, device("a"), topology="y")])
    plan = layout(found, 80, names_topology=True)
    assert [plan.line(row).split()[0] for row in found] == ["x/a", "y/a"]


def test_names_are_harmless_to_a_terminal() -> None:
    row, = Rows().update([seen(1, device("\x1b[31m"))])
    assert layout([row], 80).line(row).isprintable()
