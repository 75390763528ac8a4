"""What shells complete: each of them for real, with a terminal, a running topology and the TAB key."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zmqtopo.cli import VERBS, main
from zmqtopo.cli.completion import candidates

DEADLINE = 20.0

TOPOLOGY = """
devices:
  ingest: {type: streamer, in: {bind: tcp://127.0.0.1:*}, out: {bind: tcp://127.0.0.1:*}}
  orders: {type: queue, in: {bind: tcp://127.0.0.1:*}, out: {bind: tcp://127.0.0.1:*}}
"""


def words(*line: str) -> list[str]:
    return [word for word, _ in candidates(line)]


# -- what is offered -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "expected"), [
    (["va"], ["validate"]),
    (["re"], ["restart", "resume", "record", "replay", "recording", "reload"]),
    (["--v"], ["--version"]),
    (["help", "va"], ["validate"]),
    (["-q", "--no-color", "va"], ["validate"]),
    (["-f", ""], [":yaml"]),
    (["-f", "x.yaml", "va"], ["validate"]),
    (["nonsense", ""], []),
    (["graph", "--form"], ["--format"]),
    (["graph", "--format", "--out"], []),           # it stands where a value belongs
    (["graph", "--format", "m"], ["mermaid"]),
    (["graph", "--format=m"], ["--format=mermaid"]),
    (["graph", "--nonsense=m"], []),
    (["graph", "--format", "dot", "--form"], []),     # once is enough
    (["graph", ""], [":yaml"]),
    (["convert", ""], [":files"]),
    (["convert", "-f", ""], [":files"]),
    (["up", "-f", ""], [":yaml"]),
    (["bench", "--contestant", "zmqtopo.pl"], ["zmqtopo.plain"]),
    (["bench", "--transport=tcp,ip"], ["--transport=tcp,ipc"]),
    (["bench", "--transport", "tcp,t"], []),
    (["ps", "-o", ""], ["wide", "json", "text"]),
    (["logs", "it", "--level", ""], ["info", "warning", "error"]),
    (["logs", "it", "--since", "y"], ["yesterday"]),
    (["explain", "linge"], ["linger"]),
    (["graph", "x.yaml", ""], []),
    (["graph", "-o", ""], [":files"]),
    (["graph", "--check", ""], [":files"]),
    (["graph", "--focus", ""], []),                 # a device of which file?
    (["validate", "a.yaml", "b.yaml", "c"], [":yaml"]),
    (["validate", "--", "--st"], [":yaml"]),
    (["explain", "port"], ["port-in-use"]),
    (["explain", "port-in-use", "port"], []),
    (["up", "--wait", ""], [":yaml"]),              # its value may be left out, and comes with = otherwise
    (["reload", "it", ""], [":yaml"]),
    (["down", "one", ""], [":yaml"]),
    (["completion", ""], ["bash", "zsh", "fish"]),
    (["completion", "bash", ""], []),
    (["pause", "--format", "json", ""], [":yaml"]),
])
def test_what_may_come_next(line: list[str], expected: list[str]) -> None:
    assert words(*line) == expected


def test_every_verb_can_be_completed() -> None:
    assert words("") == list(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_the_options_of_the_help_are_offered(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    explained = re.findall(r"^  (?:-\w(?: [A-Z]+)?, )?(--[\w-]+)", capsys.readouterr().out, re.MULTILINE)
    assert explained
    assert [word for word in words(verb, "-") if word.startswith("--")] == explained


def test_no_topology(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZMQTOPO_STATE_DIR", str(tmp_path))
    assert words("ps", "") == [":yaml"]
    assert words("pause", "nobody", "") == []
    (tmp_path / "t.yaml").write_text(TOPOLOGY)
    assert words("pause", str(tmp_path / "t.yaml"), "in") == []


# -- real shells -----------------------------------------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A command ``zmqtopo`` in PATH, and a folder for running topologies."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "zmqtopo").write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m zmqtopo "$@"\n')
    (folder / "zmqtopo").chmod(0o755)
    (tmp_path / "run").mkdir(mode=0o700)
    kept = ("LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
    keep = {name: os.environ[name] for name in kept if name in os.environ}
    return keep | {
        "PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "TERM": "dumb", "PS1": "$ ",
    }


@pytest.fixture
def running(environment: dict[str, str], tmp_path: Path) -> Iterator[None]:
    """The topology ``market`` runs."""
    (tmp_path / "market.yaml").write_text(TOPOLOGY)
    up = subprocess.Popen(["zmqtopo", "up", "market.yaml"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE,
                          text=True)
    assert up.stderr is not None
    said = []
    for line in up.stderr:
        said.append(line)
        if ": ready, " in line:
            break
    else:
        pytest.fail("".join(said))
    yield
    up.send_signal(signal.SIGTERM)
    up.stderr.read()
    up.stderr.close()
    assert up.wait(DEADLINE) == 0


class Terminal:
    """A shell in a terminal of its own."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self.fd, theirs = pty.openpty()
        self._process = subprocess.Popen(command, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs,
                                         start_new_session=True)
        os.close(theirs)
        self._seen = ""

    def type(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def wait_for(self, pattern: str) -> str:
        """The next of what the shell shows that is like this; what came before is forgotten."""
        deadline = time.monotonic() + DEADLINE
        while not (match := re.search(pattern, self._seen)):
            if not select.select([self.fd], [], [], max(deadline - time.monotonic(), 0))[0]:
                pytest.fail(f"no {pattern!r} in {self._seen!r}")
            self._seen += os.read(self.fd, 65536).decode(errors="replace").replace("\a", "")
        self._seen = self._seen[match.end():]
        return match[0]

    def completes(self, line: str, expected: str) -> None:
        """Type a line and TAB; the shell goes on with it to ``expected``. The line is then thrown away."""
        self.type(f"{line}\t")
        self.wait_for(re.escape(expected))
        self.type("\x15")       # Ctrl-U
        self.type("echo DO''NE\n")
        self.wait_for("DONE")

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(DEADLINE)
        os.close(self.fd)


@pytest.fixture
def terminal(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    opened: list[Terminal] = []

    def start(shell: str) -> Terminal:
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed")
        command = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}[shell]
        opened.append(Terminal(command, tmp_path, environment))
        if shell == "zsh":
            opened[-1].type("unsetopt zle_bracketed_paste; autoload -U compinit && compinit -u -D\n")
        # As the head of each script says: zsh takes no comments in eval, bash 3.2 nothing in source <().
        load = {"bash": 'eval "$(zmqtopo completion bash)"', "zsh": "source <(zmqtopo completion zsh)"}[shell]
        opened[-1].type(f"{load}; echo REA''DY\n")
        opened[-1].wait_for("READY")
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_tab_key(shell: str, terminal: Callable[[str], Any], running: None, tmp_path: Path) -> None:
    (tmp_path / "local.yaml").touch()
    (tmp_path / "localized.txt").touch()
    here = terminal(shell)
    here.completes("zmqtopo vali", "validate ")
    here.completes("zmqtopo graph --form", "--format ")
    here.completes("zmqtopo graph --format mer", "mermaid ")
    here.completes("zmqtopo graph --format=mer", "--format=mermaid ")
    here.completes("zmqtopo pause mark", "market")      # the topology, or its file
    here.completes("zmqtopo pause market ing", "ingest ")
    here.completes("zmqtopo pause market ingest o", "orders ")
    here.completes("zmqtopo validate loc", "local.yaml ")       # before other files that begin so
    here.completes("zmqtopo validate localiz", "localized.txt ")
    here.completes("zmqtopo pause -f market.yaml ing", "ingest ")
    here.completes("zmqtopo -f market.yaml pause ing", "ingest ")
    here.completes("zmqtopo bench --contestant dir", "direct")
    here.completes("bin/zmqtopo expl", "explain ")


def test_fish(running: None, environment: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    (tmp_path / "local.yaml").touch()
    (tmp_path / "localized.txt").touch()

    def complete(line: str) -> list[str]:
        script = f"zmqtopo completion fish | source; complete -C '{line}'"
        done = subprocess.run(["fish", "--no-config", "-c", script], cwd=tmp_path, env=environment, check=True,
                              capture_output=True, text=True, timeout=60)
        assert done.stderr == ""
        return [line.partition("\t")[0] for line in done.stdout.splitlines()]

    assert complete("zmqtopo vali") == ["validate"]
    assert complete("zmqtopo graph --format mer") == ["mermaid"]
    assert complete("zmqtopo graph --format=mer") == ["--format=mermaid"]
    assert set(complete("zmqtopo pause mark")) == {"market", "market.yaml"}
    assert complete("zmqtopo pause market ") == ["ingest", "orders"]
    assert complete("zmqtopo pause market ingest ") == ["orders"]
    assert complete("zmqtopo validate lo") == ["local.yaml"]
    assert complete("zmqtopo validate localiz") == ["localized.txt"]
    assert complete("zmqtopo pause -f market.yaml ing") == ["ingest"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_has_no_error_of_syntax(shell: str, environment: dict[str, str], tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = subprocess.run(["zmqtopo", "completion", shell], env=environment, check=True, capture_output=True).stdout
    done = subprocess.run([shell, "-n", "/dev/stdin"], input=script, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(("shell", "yours"), [
    ("/bin/bash", '; yours is bash: eval "$(zmqtopo completion bash)"'),
    ("/usr/bin/zsh", "; yours is zsh: source <(zmqtopo completion zsh)"),
    ("/bin/fish", "; yours is fish: zmqtopo completion fish | source"), ("/bin/dash", ""), ("", ""),
])
def test_without_a_shell_it_says_which(environment: dict[str, str], shell: str, yours: str) -> None:
    done = subprocess.run(["zmqtopo", "completion"], env=environment | {"SHELL": shell}, capture_output=True, text=True,
                          check=False, timeout=DEADLINE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"error: name a shell, bash, zsh or fish{yours}\n")
