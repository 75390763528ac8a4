from __future__ import annotations

import pytest

from zmqtopo.bench.results import CaseResults
from zmqtopo.bench.table import number, table

WHOLE = """\
streamer, 16 B, tcp
                  messages/s              min to max  zmq.proxy = 1  CPU µs
  zmq.proxy        2,000,000  1,000,000 to 2,500,000           1.00     0.4
  zmqtopo.thread   4,000,000  4,000,000 to 4,000,000           2.00     0.2
  direct           2,000,000                                   0.80
  direct: it is gone
  zmq.monitored_queue: it <never> was & is not

latency, 16 B, tcp, one request at a time
                   requests/s        min to max  CPU µs  p50 µs  p99 µs  p99.9 µs
  zmqtopo.process      10,000  10,000 to 10,000      50     100     200       300

forwarder, 16 B, tcp, 10 subscribers, 1,000 topics (1 round)
             messages/s  zmq.proxy = 1  CPU µs   lost  copies read
  zmq.proxy       9,000           1.00    55.6  10.0%        50.0%

Fast & <Small>, 1 core, Linux 6, CPython 3.12, pyzmq 27, libzmq 4.3, zmqtopo 0.1
"""


def test_the_tables(
    streamer: CaseResults, latency: CaseResults, forwarder: CaseResults, machine: dict[str, str | int]
) -> None:
    assert table([streamer, latency, forwarder], machine) == WHOLE


def test_columns_stand_under_their_heads(streamer: CaseResults, machine: dict[str, str | int]) -> None:
    lines = table([streamer], machine).splitlines()[1:4]
    for column in ("messages/s", "min to max", "zmq.proxy = 1", "CPU µs"):
        end = lines[0].index(column) + len(column)
        assert all(line[end - 1] != " " and line[end : end + 2].strip() == "" for line in lines)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (0.21437, "0.214"), (5.0, "5"), (52.34, "52.3"), (999.4, "999"), (1234, "1,230"),
     (999.7, "1,000"), (9996, "10,000"), (4_835_112, "4,840,000"), (12_345_678.9, "12,300,000")],
)
def test_three_digits_count(value: float, words: str) -> None:
    assert number(value) == words
