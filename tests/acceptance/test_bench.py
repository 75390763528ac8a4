"""``zmqtopo bench`` as its users run it, with loads as small as they may be."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from zmqtopo.bench.cases import CONTESTANTS, TELLING, cases

from .conftest import COMMAND, DEADLINE, children

PIPELINE = Path(__file__).parents[2] / "topologies" / "pipeline.yaml"
SHORT = ["--messages", "2000", "--rounds", "1"]


# -- a fixed rate ----------------------------------------------------------------------------------------------------


def test_a_rate_says_how_long_messages_were_on_their_way(tmp_path: Path) -> None:
    def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, "bench", *SHORT, *arguments], capture_output=True, text=True, timeout=60,
                              check=False, cwd=tmp_path)

    events = PIPELINE.with_name("kv-events.yaml")
    done = bench(str(events), "--rate", "20000", "--size", "200", "--subscribers", "2", "--format", "json",
                 "--contestant", "direct,zmqtopo.process")
    assert (done.returncode, done.stderr) == (0, "")
    (case,) = json.loads(done.stdout)["cases"]
    assert case["load"] == {"sinks": 2, "topics": 1000, "readers": 0, "rate": 20000}
    assert [result["contestant"] for result in case["results"]] == ["direct", "zmqtopo.process"]
    for result in case["results"]:
        times = [result["latency_us"][name]["median"] for name in ("p50", "p99", "p99.9")]
        assert 0 < times[0] <= times[1] <= times[2]
        assert result["loss"]["median"] == 0
        assert result["messages_per_second"]["median"] <= 21_000
        assert result["of_zmq_proxy"] is None
    done = bench("--rate", "20000", "--contestant", "zmqtopo.thread")
    assert done.returncode == 0
    assert "forwarder, 16 B, tcp, 10 subscribers, 1,000 topics, 20,000 a second (1 round)" in done.stdout
    assert "queue, 16 B" not in done.stdout.replace("monitored_queue, 16 B", "")
    assert "p99.9" in done.stdout
    assert "messages/s" in done.stdout
    (tmp_path / "calls.yaml").write_text("devices:\n  calls: {type: queue, in: {bind: 'tcp://127.0.0.1:*'}, "
                                         "out: {bind: 'tcp://127.0.0.1:*'}}\n")
    for arguments in (["--pattern", "queue,streamer"], ["calls.yaml"]):
        done = bench("--rate", "20000", *arguments)
        assert done.returncode == 2
        assert "--rate is for devices that pass messages one way" in done.stderr


# -- the usual cases -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def usual() -> Iterator[tuple[dict[str, Any], ElementTree.Element]]:
    """What a bench without cases of its own gives, as JSON and as a picture."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "usual.svg"
        done = subprocess.run(
            [*COMMAND, "bench", *SHORT, "--format", "json", "--plot", str(picture)], capture_output=True, timeout=60,
            check=False, cwd=folder, env=os.environ | {"TMPDIR": folder},
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert [path.name for path in Path(folder).iterdir()] == ["usual.svg"]
        yield json.loads(done.stdout), ElementTree.parse(picture).getroot()


def test_every_contestant_has_its_numbers(usual: tuple[dict[str, Any], Any]) -> None:
    whole, _ = usual
    assert whole["complete"] is True
    found = {case["title"]: [result["contestant"] for result in case["results"]] for case in whole["cases"]}
    assert found == {case.title: list(case.contestants) for wishes in TELLING for case in cases(wishes)}
    for case in whole["cases"]:
        for result in case["results"]:
            assert (result["rounds"], result["error"]) == (1, None)
            rate = result["messages_per_second"]
            assert 0 < rate["min"] == rate["median"] == rate["max"]
            if result["contestant"] == "direct":
                assert result["cpu_us_per_message"] is None
            else:
                assert result["cpu_us_per_message"]["median"] > 0


def test_nothing_is_lost_but_by_publishers(usual: tuple[dict[str, Any], Any]) -> None:
    for case in usual[0]["cases"]:
        for result in case["results"]:
            if case["pattern"] in ("queue", "latency"):
                times = [result["latency_us"][name]["median"] for name in ("p50", "p99", "p99.9")]
                assert 0 < times[0] <= times[1] <= times[2]
                assert result["loss"] is None
            elif case["pattern"] == "forwarder":
                assert 0 <= result["loss"]["median"] < 1
            else:
                assert result["loss"]["median"] == 0
                assert result["latency_us"] is None


def test_copies_are_read_where_somebody_reads(usual: tuple[dict[str, Any], Any]) -> None:
    for case in usual[0]["cases"]:
        for result in case["results"]:
            has_mon = result["contestant"] not in ("direct", "zmqtopo.plain")
            if case["pattern"] == "monitored_queue" and case["load"]["readers"] and has_mon:
                assert 0 < result["copies"]["median"] <= 1
            else:
                assert result["copies"] is None


def test_the_picture_has_a_bar_for_each(usual: tuple[dict[str, Any], ElementTree.Element]) -> None:
    whole, svg = usual
    bars = [element for element in svg.iter() if element.get("class") == "bar"]
    assert len(bars) == sum(len(case["results"]) for case in whole["cases"])
    assert all(float(bar.attrib["width"]) > 0 for bar in bars)


def test_the_machine_is_named(usual: tuple[dict[str, Any], Any]) -> None:
    machine = usual[0]["machine"]
    assert list(machine) == ["cpu", "cores", "system", "python", "pyzmq", "libzmq", "zmqtopo"]
    assert all(machine.values())


# -- what one asks for -----------------------------------------------------------------------------------------------


def test_a_table_for_people(zmqtopo: Callable[..., Any]) -> None:
    done = zmqtopo("bench", "--pattern", "latency", "--transport", "inproc", "--contestant", "zmq.proxy,zmqtopo.thread",
                   "--messages", "500", "--rounds", "2")
    assert (done.returncode, done.stderr) == (0, "")
    figure = r"[\d.,]+"
    assert re.fullmatch(
        rf"""latency, 16 B, inproc, one request at a time
 +requests/s +min to max +zmq\.proxy = 1 +CPU µs +p50 µs +p99 µs +p99\.9 µs
  zmq\.proxy +{figure} +{figure} to {figure} +1\.00 +{figure} +{figure} +{figure} +{figure}
  zmqtopo\.thread +{figure} +{figure} to {figure} +\d\.\d\d +{figure} +{figure} +{figure} +{figure}

.*, \d+ cores?, .*, zmqtopo .*
""",
        done.stdout,
    ), done.stdout


def test_the_devices_of_a_topology(zmqtopo: Callable[..., Any]) -> None:
    done = zmqtopo("bench", str(PIPELINE), *SHORT, "--format", "json", "--contestant", "direct,zmqtopo.thread")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)["cases"]
    assert [(case["title"], [result["contestant"] for result in case["results"]]) for case in found] == [
        (title, ["direct", "zmqtopo.thread"]) for title in (
            "collect (streamer), 16 B, tcp to inproc", "watch (monitored_queue), 16 B, inproc, 1 reader on mon",
            "deliver (streamer), 16 B, inproc to tcp",
        )
    ]
    assert all(result["loss"]["median"] == 0 for case in found for result in case["results"])


# -- what cannot be measured -----------------------------------------------------------------------------------------


def test_a_file_with_problems(zmqtopo: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("devices: {it: {type: streamer, in: {bind: 'tcp://*:70000'}, out: {}}}\n")
    done = zmqtopo("bench", "bad.yaml")
    assert (done.returncode, done.stdout) == (78, "")
    assert "port 70000" in done.stderr
    assert "[no-endpoint]" in done.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("devices: {}", "it.yaml has no devices"),
        ("devices: {it: {type: queue, in: {type: PAIR, bind: 'inproc://a'}, out: {type: PAIR, bind: 'inproc://b'}}}",
         "zmqtopo.process and zmqtopo.plain cannot do it (queue), 16 B, inproc, 1 client with 16 requests each, "
         "1 worker; choose others with --contestant"),
    ],
)
def test_nothing_to_measure(zmqtopo: Callable[..., Any], tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "it.yaml").write_text(text)
    done = zmqtopo("bench", "it.yaml", "--contestant", "zmqtopo.process,zmqtopo.plain")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"zmqtopo: error: there is nothing to measure: {reason}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pattern", "streamr"], "there is no pattern 'streamr'; did you mean streamer?"),
        (["--transport", "tpc"], "there is no transport 'tpc'; did you mean tcp?"),
        (["--contestant", "direct,nng"], "there is no contestant 'nng'; there are direct, zmq.proxy"),
        (["--size", "8"], "not a size from 16 (bytes) to 64MiB"),
        (["--size", "16kib"], "units are B, kB, MB, KiB and MiB"),
        (["--size", "16,1GB"], "'1GB' is not a size"),
        (["--rounds", "0"], "'0' is not a number from 1 to 1,000"),
        (["--time", "soon"], "'soon' is not a time"),
        (["--time", "1", "--messages", "100"], "not allowed with"),
        ([str(PIPELINE), "--pattern", "queue"], "--pattern is for a bench without FILE"),
        (["--subscribers", "1,,3"], "'' is not a number"),
        (["--subscribers", "3", "--pattern", "queue,latency"], "--subscribers is for forwarders, and there is none"),
        (["--topics", "3", str(PIPELINE)], "--topics is for forwarders, and there is none"),
        (["--plot", "it.png"], "'it.png' does not end in .svg"),
        (["--plot", "-"], "'-' does not end in .svg"),
    ],
)
def test_what_is_no_wish(zmqtopo: Callable[..., Any], arguments: list[str], words: str) -> None:
    done = zmqtopo("bench", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_a_plot_that_cannot_be_written(zmqtopo: Callable[..., Any]) -> None:
    done = zmqtopo("bench", "--plot", "nowhere/it.svg")     # said before two minutes have gone
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "zmqtopo: error: cannot write to nowhere/it.svg: No such file or directory\n"


def test_a_plot_in_the_place_of_a_folder(zmqtopo: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "it.svg").mkdir()
    done = zmqtopo("bench", "--plot", "it.svg")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "zmqtopo: error: cannot write to it.svg: Is a directory\n"


def test_a_plot_that_is_there_is_kept_until_there_is_another(zmqtopo: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "it.svg").write_text("old")
    assert zmqtopo("bench", "--plot", "it.svg", "missing.yaml").returncode == 78
    assert (tmp_path / "it.svg").read_text() == "old"


def test_too_few_files(zmqtopo: Callable[..., Any]) -> None:
    limited = ["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh", *COMMAND]
    done = subprocess.run(
        [*limited, "bench", "--pattern", "queue", "--contestant", "direct,zmq.proxy", *SHORT], capture_output=True,
        text=True, timeout=60, check=False,
    )
    assert done.returncode == 1
    reason = "one process needs 73 open files, and may have 64; raise the limit: ulimit -n"
    case = "queue, 16 B, tcp, 32 clients with 16 requests each, 8 workers"
    assert done.stderr == "".join(f"zmqtopo: error: {case}: {who}: {reason}\n" for who in ("direct", "zmq.proxy"))


# -- while it runs ---------------------------------------------------------------------------------------------------


class Bench:
    """A bench that runs, with a terminal for its stderr."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self._terminal, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, "bench", *arguments], stdout=subprocess.PIPE, stderr=theirs, cwd=folder, process_group=0,
            env=os.environ | {"TMPDIR": str(folder), "COLUMNS": "200"},
        )
        os.close(theirs)
        self.said = ""

    def wait_for(self, words: str) -> None:
        """Listen until these words stand on the terminal."""
        deadline = time.monotonic() + DEADLINE
        while words not in self.said:
            assert select.select([self._terminal], [], [], max(deadline - time.monotonic(), 0))[0], self.said
            self.said += os.read(self._terminal, 65536).decode()

    def worker(self, name: str) -> int:
        """The worker of that name."""
        for pid in children(self.process.pid):
            if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[-2] == name.encode():
                return pid
        raise LookupError(name)

    def end(self, code: int) -> str:
        """Wait for its end, after which nothing is left; its result."""
        below = children(self.process.pid)
        result, _ = self.process.communicate(timeout=DEADLINE)
        assert self.process.returncode == code, self.said
        while select.select([self._terminal], [], [], 0)[0]:
            try:
                self.said += os.read(self._terminal, 65536).decode()
            except OSError:     # EIO: the other end is closed, by the workers too
                break
        assert not any(Path(f"/proc/{pid}").exists() for pid in below)
        assert list(self.folder.iterdir()) == []
        return result.decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        os.close(self._terminal)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    started: list[Bench] = []

    def run(*arguments: str) -> Bench:
        started.append(Bench(tmp_path, *arguments))
        return started[-1]

    yield run
    for bench in started:
        bench.close()


def test_interrupted_it_shows_what_there_is(run: Callable[..., Bench]) -> None:
    bench = run("--pattern", "latency,queue", "--transport", "ipc", "--time", "0.05", "--rounds", "1000",
                "--contestant", "direct,zmqtopo.process")
    bench.wait_for("round 3")
    bench.process.send_signal(signal.SIGINT)
    table = bench.end(130)
    assert bench.said.endswith("zmqtopo: interrupted; what had been measured:\r\n")
    assert [line for line in table.splitlines() if line.startswith(("latency", "queue"))] == [
        "latency, 16 B, ipc, one request at a time",
        "queue, 16 B, ipc, 32 clients with 16 requests each, 8 workers",
    ]
    assert len(re.findall(r"^  (?:direct|zmqtopo\.process) +[\d.,]+ ", table, re.MULTILINE)) == 4


def test_the_bar_moves_on_a_terminal(run: Callable[..., Bench]) -> None:
    bench = run("--pattern", "streamer", "--transport", "inproc", *SHORT, "--contestant", "direct,zmqtopo.thread")
    bench.end(0)
    bars = bench.said.split("\r\x1b[K")
    assert bars[1] == f"[{'.' * 24}] 0/2  round 1: streamer, 16 B, inproc: direct"
    assert re.fullmatch(r"\[#{12}\.{12}\] 1/2, 0:0\d left  round 1: streamer, 16 B, inproc: zmqtopo\.thread", bars[2])
    assert bars[3:] == [""]


def test_terminated_it_leaves_nothing(run: Callable[..., Bench]) -> None:
    bench = run("--pattern", "streamer", "--transport", "ipc", "--time", "5", "--contestant", "zmqtopo.process")
    bench.wait_for("zmqtopo.process")
    bench.process.send_signal(signal.SIGTERM)
    assert bench.end(128 + signal.SIGTERM) == ""


def test_without_its_terminal_it_goes_on_after_nohup(tmp_path: Path) -> None:
    bench = subprocess.Popen(
        ["nohup", *COMMAND, "bench", "--pattern", "latency", "--transport", "inproc", "--contestant", "direct",
         "--rounds", "2", "--time", "0.3", "--format", "json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd=tmp_path,
    )
    deadline = time.monotonic() + DEADLINE
    while not children(bench.pid):
        assert time.monotonic() < deadline
        threading.Event().wait(0.002)
    bench.send_signal(signal.SIGHUP)
    result, _ = bench.communicate(timeout=DEADLINE)
    assert bench.returncode == 0
    assert json.loads(result)["complete"] is True


def test_killed_it_takes_its_workers_along(run: Callable[..., Bench]) -> None:
    bench = run("--pattern", "streamer", "--transport", "inproc", "--time", "0.05", "--rounds", "1000",
                "--contestant", "direct")
    bench.wait_for("round 2")
    worker = bench.worker("direct")
    bench.process.kill()
    bench.process.communicate(timeout=DEADLINE)
    deadline = time.monotonic() + DEADLINE
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < deadline
        threading.Event().wait(0.002)


def test_a_killed_device_is_named_and_the_others_go_on(run: Callable[..., Bench]) -> None:
    bench = run("--pattern", "latency", "--time", "0.1", "--rounds", "4", "--format", "json",
                "--contestant", "direct,zmq.proxy")
    bench.wait_for("round 2: latency, 16 B, tcp, one request at a time: zmq.proxy")
    victim = bench.worker("zmq.proxy")
    os.kill(victim, signal.SIGKILL)
    whole = json.loads(bench.end(1))
    reason = f"process {victim} (zmq.proxy) ended by SIGKILL"
    assert f"zmqtopo: error: latency, 16 B, tcp, one request at a time: zmq.proxy: {reason}\r\n" in bench.said
    assert whole["complete"] is False
    (case,) = whole["cases"]
    assert [(r["contestant"], r["rounds"], r["error"]) for r in case["results"]] == [
        ("direct", 4, None), ("zmq.proxy", 1, reason),
    ]


def test_the_help_names_all_there_is(zmqtopo: Callable[..., Any]) -> None:
    shown = " ".join(zmqtopo("bench", "--help").stdout.split())
    assert all(contestant in shown for contestant in CONTESTANTS)
