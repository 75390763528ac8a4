"""What a scrape costs: how long it takes, and what a stream loses while somebody scrapes four times a second.

    python tests/bench_scrape.py [DEVICES]

A stream of 16-byte messages goes through one of the devices as fast as it can, in windows of two seconds with and
without scrapes by turns, so that the drift of a shared machine is the same for both. What is told is the median of the
ratios of neighbours.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import zmq

from zmqtopo.control.client import connect

WINDOW = 2.0
"""Seconds."""
PAIRS = 12
SCRAPES = 4
"""A second."""


def push(address: str) -> None:
    socket = zmq.Context().socket(zmq.PUSH)
    socket.connect(address)
    while True:
        socket.send(b"0123456789abcdef", copy=True)


def pull(address: str) -> None:
    socket = zmq.Context().socket(zmq.PULL)
    socket.connect(address)
    while True:
        socket.recv()


def scrape(host: str) -> float:
    began = time.perf_counter()
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("GET", "/metrics")
    assert connection.getresponse().read().startswith(b"# HELP")
    connection.close()
    return time.perf_counter() - began


def messages(client: object) -> int:
    return int(client.devices()[0]["counters"]["in_to_out"]["messages"])     # type: ignore[attr-defined]


def rate(client: object, host: str, scraped: list[float] | None) -> float:
    """Messages a second through the device, with or without scrapes."""
    ended = threading.Event()

    def scrapes() -> None:
        due = time.monotonic()
        while not ended.is_set() and scraped is not None:
            scraped.append(scrape(host))
            due += 1 / SCRAPES
            ended.wait(max(due - time.monotonic(), 0))

    thread = threading.Thread(target=scrapes)
    first, began = messages(client), time.perf_counter()
    thread.start()
    time.sleep(WINDOW)
    last, took = messages(client), time.perf_counter() - began
    ended.set()
    thread.join()
    return (last - first) / took


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ZMQTOPO_STATE_DIR"] = folder
        lines = ['http: "127.0.0.1:*"', "devices:",
                 '  d: {type: streamer, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "tcp://127.0.0.1:*"}}']
        lines += [f'  d{i}: {{type: streamer, in: {{bind: "inproc://i{i}"}}, out: {{bind: "inproc://o{i}"}}}}'
                  for i in range(count - 1)]
        Path(folder, "it.yaml").write_text("\n".join(lines) + "\n")
        command = [sys.executable, "-m", "zmqtopo"]
        subprocess.run([*command, "up", "-d", "it.yaml"], cwd=folder, check=True, capture_output=True)
        try:
            with connect("it") as client:
                host = client.ask("ps")["http"]["url"].removeprefix("http://").rstrip("/")
                scrape(host)
                alone = [scrape(host) for _ in range(20) if not time.sleep(0.25)]
                bound = client.devices()[0]["endpoints"]
                ends = [multiprocessing.get_context("spawn").Process(target=do, args=(bound[role][0],), daemon=True)
                        for do, role in ((push, "in"), (pull, "out"))]
                for end in ends:
                    end.start()
                while messages(client) < 1000:
                    time.sleep(0.1)
                beside: list[float] = []
                ratios, rates = [], []
                for _ in range(PAIRS):
                    without, during = rate(client, host, None), rate(client, host, beside)
                    rates.append(without)
                    ratios.append(during / without)
                for end in ends:
                    end.kill()
                print(f"{count:,} devices, load {os.getloadavg()[0]:.1f}")
                print(f"a scrape alone: median {statistics.median(alone):.3f} s, longest {max(alone):.3f} s")
                print(f"beside a stream: median {statistics.median(beside):.3f} s, longest {max(beside):.3f} s")
                print(f"stream: {statistics.median(rates):,.0f} messages a second; with {SCRAPES} scrapes a second "
                      f"{statistics.median(ratios):.3f} of that ({min(ratios):.3f} to {max(ratios):.3f})")
        finally:
            subprocess.run([*command, "down", "--force", "it"], check=False, capture_output=True)


if __name__ == "__main__":
    main()
