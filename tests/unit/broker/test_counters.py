"""The block of numbers that a loop writes: what its words mean, and that it outlives a process."""

from __future__ import annotations

import os
import time

import pytest

from zmqtopo.broker.counters import CounterBlock, Flow, Segment
from zmqtopo.loop import BLOCK_SIZE
from zmqtopo.loop._loop import LINE_WORDS, STATES

FRESH = Flow(messages=0, bytes=0, dropped=0, blocked=0, blocked_time=0.0, waiting=False, last=None)


def write(block: CounterBlock, *words: int, line: int) -> None:
    view = memoryview(block.memory).cast("q")
    view[line * LINE_WORDS : line * LINE_WORDS + len(words)] = memoryview(
        b"".join(word.to_bytes(8, "little", signed=True) for word in words)
    ).cast("q")


@pytest.mark.parametrize("shared", [False, True])
def test_a_fresh_block(shared: bool) -> None:
    block = CounterBlock(Segment() if shared else None)
    counters = block.read()
    assert (counters.in_to_out, counters.out_to_in, counters.mon) == (FRESH, FRESH, FRESH)
    assert block.state is None
    assert BLOCK_SIZE == 4 * LINE_WORDS * 8


@pytest.mark.parametrize(("line", "role"), [(1, "in_to_out"), (2, "out_to_in"), (3, "mon")])
def test_each_line_is_a_flow(line: int, role: str) -> None:
    block = CounterBlock()
    write(block, 1, 2, 3, 4, 5_000_000_000, 0, 1_700_000_000_500_000_000, line=line)
    flow = Flow(1, 2, 3, 4, 5.0, False, 1_700_000_000.5)
    counters = block.read()
    assert getattr(counters, role) == flow
    assert [counters.in_to_out, counters.out_to_in, counters.mon].count(FRESH) == 2


def test_what_waits_now_counts_until_now() -> None:
    block = CounterBlock()
    since = time.clock_gettime_ns(time.CLOCK_MONOTONIC) - 2_000_000_000
    write(block, 0, 0, 0, 1, 1_000_000_000, since, 0, line=1)
    flow = block.read().in_to_out
    assert flow.waiting
    assert 3.0 <= flow.blocked_time < 4.0


@pytest.mark.parametrize(("word", "state"), STATES.items())
def test_states(word: int, state: str) -> None:
    block = CounterBlock()
    write(block, word, line=0)
    assert block.state == state


def test_a_shared_block_is_one_memory() -> None:
    block = CounterBlock(Segment())
    segment = block.segment
    assert segment is not None
    copy = CounterBlock(Segment(fd=os.dup(segment.fd)))
    write(copy, 7, line=1)
    assert block.read().in_to_out.messages == 7
    del copy
    assert block.read().in_to_out.messages == 7
    fd = segment.fd
    del block, segment
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(fd)


def test_blocks_of_one_segment_are_apart() -> None:
    segment = Segment(3)
    first, second, third = (CounterBlock(segment, index) for index in range(3))
    write(second, 5, line=1)
    assert [block.read().in_to_out.messages for block in (first, second, third)] == [0, 5, 0]
    pickled = CounterBlock(Segment(fd=os.dup(segment.fd)), 1)
    assert pickled.read().in_to_out.messages == 5
