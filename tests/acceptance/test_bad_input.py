"""Every mistake gives one clear message and the documented exit code, whatever the verb."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import pytest
import zmq

from .conftest import COMMAND

Run = Callable[..., Any]

VERBS = {"validate": 1, "graph": 78, "config": 78, "up": 78}
"""Each verb that reads a file, with its exit code for a bad one."""


def each(names: Iterable[str], with_every_verb: Collection[str]) -> list[tuple[str, str]]:
    """Every name with ``up``, which must start nothing, and some with the other verbs, which read in the same way."""
    return [(verb, name) for name in names for verb in VERBS if verb == "up" or name in with_every_verb]


BOMB = "x-0: &x0 [a, a, a, a, a, a, a, a, a, a]\n" + "".join(
    f"x-{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 12)
) + "devices: *x11\n"

FILES = {
    "malformed": (b"devices:\n  a: {type: streamer\n  b: c\n", "yaml-syntax"),
    "tabs": (b"devices:\n\ta: 1\n", "yaml-syntax"),
    "binary": (bytes(range(256)) * 64, "yaml-syntax"),
    "executable": (Path(sys.executable).read_bytes()[:100_000], "yaml-syntax"),
    "zeros": (bytes(10_000), "yaml-syntax"),
    "utf16-without-mark": ("devices: {}\n".encode("utf-16-le"), "yaml-syntax"),
    "empty": (b"", "missing-key"),
    "blank": (b"\n \n# nothing\n", "missing-key"),
    "a-list": (b"- a\n- b\n", "wrong-type"),
    "a-word": (b"hello\n", "wrong-type"),
    "deep-flow": (b"devices: " + b"[" * 100_000, "yaml-unsafe"),
    "deep-block": (b"".join(b" " * i + b"a:\n" for i in range(1000)), "yaml-unsafe"),
    "bomb": (BOMB.encode(), "yaml-unsafe"),
    "circle": (b"devices: &a {b: *a}\n", "yaml-unsafe"),
    "tag": (b"devices: !!python/object/apply:os.system [id]\n", "yaml-unsafe"),
    "nothing-right": (b"devices: {a: {type: x, in: 5}}\nwrong: 1\n", "unknown-key"),
    "newer": (b"version: 2\ndevices: {}\n", "unsupported-version"),
    "undefined": (b"devices: {a: {type: '${NO_SUCH_VARIABLE:?is needed}', in: {bind: a}, out: {bind: b}}}\n",
                  "undefined-variable"),
}


def report(done: Any, code: int) -> str:
    """What a bad file gave, wherever this verb says it, once it is sure that nothing else was said."""
    assert done.returncode == code, done.stderr
    said: str = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "Error(" not in said
    assert len(said) < 10_000
    return said


@pytest.mark.parametrize(("verb", "name"), each(FILES, ["malformed", "binary", "empty", "bomb"]))
def test_a_bad_file(zmqtopo: Run, tmp_path: Path, verb: str, name: str) -> None:
    content, rule = FILES[name]
    (tmp_path / "it.yaml").write_bytes(content)
    began = time.monotonic()
    said = report(zmqtopo(verb, "it.yaml"), VERBS[verb])
    assert time.monotonic() - began < 10
    assert said.startswith("it.yaml:") or "\nit.yaml:" in said
    assert f"[{rule}]" in said
    assert ": ready" not in said


NO_FILES = {
    "missing.yaml": "missing.yaml:1:1: error: there is no such file",
    "no/such/folder.yaml": "no/such/folder.yaml:1:1: error: there is no such file",
    ".": ".:1:1: error: this is a folder and not a file",
    "/dev/zero": "/dev/zero:1:1: error: the file is larger than 32 MiB",
    "": "error: ",
    "x" * 300: "error: the file cannot be read: File name too long",
    "loop": "error: the file cannot be read: Too many levels of symbolic links",
    "it.yaml/more": "error: the file cannot be read: Not a directory",
}


@pytest.mark.parametrize(("verb", "path"), each(NO_FILES, ["missing.yaml"]))
def test_what_is_no_file(zmqtopo: Run, tmp_path: Path, verb: str, path: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "it.yaml").write_text("devices: {}")
    assert NO_FILES[path] in report(zmqtopo(verb, path), VERBS[verb])


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_without_permission(zmqtopo: Run, tmp_path: Path, verb: str) -> None:
    path = tmp_path / "it.yaml"
    path.write_text("devices: {}")
    path.chmod(0)
    if os.access(path, os.R_OK):
        # Root may read everything but the memory of a process that is not there to be read.
        path = Path("/proc/self/mem")
    said = report(zmqtopo(verb, str(path)), VERBS[verb])
    assert "error: the file may not be read: no permission" in said or "error: the file cannot be read" in said


NONSENSE = {"words": b"nonsense ", "signs": b"{[(&*!|>'\"%@`\n", "pairs": b"a: b\n", "items": b"- \n"}


@pytest.mark.parametrize(("verb", "name"), each(NONSENSE, ["words"]))
def test_a_hundred_megabytes_of_nonsense(zmqtopo: Run, tmp_path: Path, verb: str, name: str) -> None:
    piece = NONSENSE[name]
    with (tmp_path / "it.yaml").open("wb") as file:
        for _ in range(100):
            file.write(piece * (1_000_000 // len(piece)))
    began = time.monotonic()
    said = report(zmqtopo(verb, "it.yaml"), VERBS[verb])
    assert time.monotonic() - began < 5
    assert "larger than" in said


@pytest.mark.parametrize("verb", VERBS)
def test_standard_input(zmqtopo: Run, verb: str) -> None:
    assert report(zmqtopo(verb, "-", data=b"devices: [\n"), VERBS[verb]).startswith("<stdin>:")
    assert zmqtopo(verb, "-", data=b"devices: {}\n").returncode == 0


@pytest.mark.parametrize(("arguments", "words"), [
    (["vaildate", "x"], "there is no verb 'vaildate'; did you mean 'validate'?"),
    (["nonsense"], "there is no verb 'nonsense'"),
    ([""], "there is no verb ''"),
    (["--nonsense"], "there is no option '--nonsense'"),
    (["up", "--abort", "it.yaml"], "there is no option '--abort'"),
    *[([verb], "there is no topology.yaml in this folder; did you mean it.yaml?") for verb in VERBS],
    *[([verb, "--nonsense", "it.yaml"], "there is no option '--nonsense'") for verb in VERBS],
    *[([verb, "it.yaml", "more"], "unexpected argument 'more'") for verb in VERBS if verb not in ("validate", "up")],
    (["up", "it.yaml", "more"], "several topologies run in the background only: add -d"),
    (["validate", "--format", "nonsense", "it.yaml"], "invalid choice: 'nonsense'"),
    (["graph", "--format", "nonsense", "it.yaml"], "invalid choice: 'nonsense'"),
    (["graph", "-o"], "expected one argument"),
])
def test_usage(zmqtopo: Run, tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "it.yaml").write_text("devices: {}")
    done = zmqtopo(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_that_cannot_be_written(zmqtopo: Run, tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text("devices: {}")
    done = zmqtopo("graph", "it.yaml", "-o", "no/such/folder/it.dot")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "zmqtopo: error: cannot write to no/such/folder/it.dot: No such file or directory\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only some systems have a device that is always full")
@pytest.mark.parametrize("arguments", [["config", "it.yaml"], ["schema"], ["graph", "it.yaml"], ["--version"]])
def test_a_full_disk(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "it.yaml").write_text("devices: {}")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, *arguments], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (
        1, b"zmqtopo: error: cannot write to standard output: No space left on device\n"
    )


def test_a_variable_that_only_running_needs(zmqtopo: Run, tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text(
        "devices: {a: {type: streamer, in: {bind: '${NO_SUCH_VARIABLE}'}, out: {bind: inproc://x}}}"
    )
    assert zmqtopo("validate", "it.yaml").returncode == 0
    said = report(zmqtopo("up", "it.yaml"), 78)
    assert "error: " in said
    assert "NO_SUCH_VARIABLE" in said


def test_nothing_to_run(zmqtopo: Run, tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text("devices: {}")
    done = zmqtopo("up", "it.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "zmqtopo: it: nothing to run\n")


@pytest.mark.parametrize(("closed", "arguments", "code", "said"), [
    (">&-", ["graph", "it.yaml"], 0, ""),
    (">&-", ["validate", "-"], 1, ""),
    ("2>&-", ["graph", "no.yaml"], 78, ""),
    ("2>&-", ["validat", "it.yaml"], 2, ""),
    ("<&-", ["validate", "it.yaml"], 0, ""),
    ("<&-", ["graph", "-"], 78, "<stdin>:1:1: error: the file is empty"),
    ("<&- >&- 2>&-", ["up", "it.yaml"], 0, ""),
])
def test_a_standard_stream_that_is_closed(
    tmp_path: Path, closed: str, arguments: list[str], code: int, said: str
) -> None:
    (tmp_path / "it.yaml").write_text("devices: {}\n")
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, *arguments], cwd=tmp_path, input=b"", capture_output=True,
        check=False, timeout=60,
    )
    assert done.returncode == code, done
    assert done.stderr.decode().startswith(said)
    assert b"Traceback" not in done.stdout + done.stderr


def test_up_reads_standard_input(start: Run, tmp_path: Path) -> None:
    topology = tmp_path / "topology"
    topology.write_text('devices: {a: {type: streamer, in: {bind: "tcp://127.0.0.1:*"}, '
                        'out: {bind: "tcp://127.0.0.1:*"}, run: process}}')
    with topology.open("rb") as stdin:
        up = start(None, stdin=stdin).ready()
    assert up.addresses["a.in"]
    up.stop()


def test_version(zmqtopo: Run) -> None:
    done = zmqtopo("--version")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("zmqtopo ", f"pyzmq {zmq.__version__}", f"libzmq {zmq.zmq_version()}",
                  f"Python {'.'.join(map(str, sys.version_info[:3]))}"):
        assert words in done.stdout


def test_ctrl_c_while_it_reads(tmp_path: Path) -> None:
    for verb in VERBS:
        process = subprocess.Popen([*COMMAND, verb, "-"], cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(b"#" * 1_000_000)       # more than a pipe holds: when it is written, somebody reads
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (130, b"", b"")
