from __future__ import annotations

from zmqtopo.observe.top.rows import NO_ANSWER, Row, Rows

from .looks import device, seen


def only(rows: list[Row]) -> Row:
    row, = rows
    return row


def test_the_first_look_has_no_rates() -> None:
    row = only(Rows().update([seen(5, device("a", in_to_out={"messages": 3, "dropped": 2, "last": 50.0}))]))
    assert row.rates is None
    assert row.cpu is None
    assert (row.dropped, row.last, row.state) == (2, 50.0, "running")


def test_the_second_one_has() -> None:
    rows = Rows()
    rows.update([seen(5, device("a"), processor={"a": (78, 1.0)})])
    row = only(rows.update([seen(7, device("a", in_to_out={"messages": 50}), processor={"a": (78, 1.5)},
                                 memory={77: 1000})]))
    assert row.rates is not None
    assert row.rates.in_to_out == 25
    assert row.cpu == 0.25
    assert row.memory == 1000
    assert not row.shares


def test_processor_time_of_another_thread_begins_again() -> None:
    rows = Rows()
    rows.update([seen(5, device("a"), processor={"a": (78, 100.0)})])
    assert only(rows.update([seen(6, device("a"), processor={"a": (99, 100.5)})])).cpu is None
    assert only(rows.update([seen(7, device("a"), processor={"a": (99, 100.7)})])).cpu is not None
    assert only(rows.update([seen(8, device("a"))])).cpu is None        # another system, or it has just ended


def test_devices_come_and_go() -> None:
    rows = Rows()
    rows.update([seen(1, device("a"), device("b"))])
    now = rows.update([seen(2, device("b"), device("c", in_to_out={"messages": 1000}))])
    assert [(row.name, row.rates is None) for row in now] == [("b", False), ("c", True)]
    assert [row.name for row in rows.update([])] == []
    again = only(rows.update([seen(9, device("b", in_to_out={"messages": 5}))]))
    assert again.rates is None


def test_what_has_not_answered_stays_as_it_was() -> None:
    rows = Rows()
    first = seen(1, device("a"))
    rows.update([first])
    second = seen(2, device("a", in_to_out={"messages": 9}))
    rows.update([second])
    assert only(rows.update([second])).rates == only(rows.update([second])).rates
    silent = seen(2, device("a", in_to_out={"messages": 9, "waiting": True}), problem="it does not answer")
    row = only(rows.update([silent]))
    assert (row.state, row.rates, row.full) == (NO_ANSWER, None, ())
    row = only(rows.update([seen(4, device("a", in_to_out={"messages": 29}))]))
    assert row.rates is not None
    assert row.rates.in_to_out == 10        # in the two seconds since the last answer


def test_devices_of_one_process_share_its_memory() -> None:
    a, b, c = Rows().update([seen(1, device("a"), device("b"), device("c", pid=80), memory={77: 5, 80: 6})])
    assert (a.shares, b.shares, c.shares) == (True, True, False)
    stopped, other = Rows().update([seen(1, device("a", pid=None), device("b", pid=None), memory={})])
    assert (stopped.memory, stopped.shares, other.shares) == (None, False, False)


def test_what_waits_and_what_is_exact() -> None:
    row = only(Rows().update([seen(1, device(
        "a", in_to_out={"waiting": True}, mon={"waiting": True, "dropped": 4, "dropped_exact": False},
    ))]))
    assert (row.full, row.dropped, row.dropped_exact) == (("out", "mon"), 4, False)
    row = only(Rows().update([seen(1, device("a", state="paused", in_to_out={"waiting": True}))]))
    assert row.full == ()


def test_one_name_in_two_topologies() -> None:
    rows = Rows()
    rows.update([seen(1, device("a"), topology="x"), seen(1, device("a"), topology="y")])
    x, y = rows.update([seen(2, device("a", in_to_out={"messages": 5}), topology="x"),
                        seen(3, device("a"), topology="y")])
    assert x.rates is not None
    assert y.rates is not None
    assert (x.key, x.rates.in_to_out) == (("x", "a"), 5)
    assert (y.key, y.rates.in_to_out) == (("y", "a"), 0)
