"""The command inside this process: what it imports, what it says, what it returns."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zmqtopo.cli import VERBS, load, main
from zmqtopo.cli.manual import EXAMPLES, EXIT_CODES
from zmqtopo.cli.output import OutputError, emit

GOOD = "devices: {}\n"
BAD = "devices:\n  a: {type: streamer, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5001}}\n"


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return str(path)


@pytest.mark.parametrize(("arguments", "words"), [
    (["valdate"], "there is no verb 'valdate'; did you mean 'validate'?"),
    (["nothing-like-it"], "there is no verb 'nothing-like-it'"),
    (["--versoin"], "there is no option '--versoin'; did you mean '--version'?"),
    (["validate"], "there is no topology.yaml in this folder; name a FILE"),
    (["validate", "--formta=json", "x"], "there is no option '--formta'; did you mean '--format'?"),
    (["validate", "--str", "x"], "there is no option '--str'"),
    (["validate", "--format", "xml", "x"], "invalid choice: 'xml'"),
    (["validate", "--format", "junt", "x"], "invalid choice: 'junt'; did you mean 'junit'?"),
    (["graph", "--format", "markdwn", "x"], "invalid choice: 'markdwn'; write dot, mermaid, json, svg or png"),
    (["init", "--kind", "PubSub"], "invalid choice: 'PubSub'; did you mean 'pubsub'?"),
    (["graph", "x", "y"], "unexpected argument 'y'"),
    (["graph", "x", "-f", "y"], "one file at a time: y and x"),
    (["validate", "-f", "json"], "-f is for a file, and there is none that is called json; write --format json"),
    (["-f", "x.yaml", "schema"], "schema takes no topology file"),
    (["ps", "--json"], "there is no option '--json'; use --format json"),
    (["validate", "--no-trunc", "x"], "there is no option '--no-trunc'"),
    (["schema", "x"], "unexpected argument 'x'"),
])
def test_a_usage_error_says_what_was_meant(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr()
    assert end.value.code == 2
    assert words in said.err
    assert said.out == ""


def test_no_verb_prints_the_help_and_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert all(f"  {verb} " in said.err for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: zmqtopo {verb} ")
    assert "\nexit codes:\n" in said
    assert re.search(r"^ +0  \w", said, re.MULTILINE)
    assert re.search(r"^ +2  a mistake in the arguments$", said, re.MULTILINE)
    assert re.search(rf"\nexample:\n  .*zmqtopo {verb}\b", said)
    assert main(["help", verb]) == 0
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("verb", VERBS)
def test_the_example_of_a_verb_is_right(verb: str) -> None:
    words = shlex.split(EXAMPLES[verb].removeprefix('eval "$(').removesuffix(')"').partition(" > ")[0])
    assert words[:2] == ["zmqtopo", verb]
    load(verb)[1].parse(words[2:])


def test_every_verb_has_its_exit_codes_and_an_example() -> None:
    assert (set(EXAMPLES), set(EXIT_CODES)) == (set(VERBS), set(VERBS))


@pytest.mark.parametrize("arguments", [
    ("validate", "--", "-x.yaml"), ("validate", "--strict", "--", "-x.yaml", "it.yaml"),
    ("validate", "it.yaml", "--", "-x.yaml"), ("validate", "--", "it.yaml"), ("config", "--", "-x.yaml"),
    ("graph", "--format", "json", "--", "-x.yaml"), ("graph", "--", "--wait"), ("ps", "--", "-x.yaml"),
])
def test_behind_two_dashes_nothing_is_an_option(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-x.yaml", "it.yaml", "--wait"):
        (tmp_path / name).write_text("devices: {}\n")
    assert main(arguments) == (69 if arguments[0] == "ps" else 0)
    assert ("-x.yaml" in capsys.readouterr().err) == (arguments[0] == "ps")


def test_two_dashes_are_no_argument_and_one_is_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"devices: {}\n")))
    assert main(["validate", "--", "-"]) == 0
    for arguments, words in ((["validate", "--"], "there is no topology.yaml in this folder"),
                             (["graph", "x", "--", "-y"], "unexpected argument '-y'")):
        with pytest.raises(SystemExit):
            main(arguments)
        assert words in capsys.readouterr().err


def modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stderr.split())


def test_importing_the_package_imports_nothing_heavy() -> None:
    loaded = modules_after("import zmqtopo")
    assert {m for m in loaded if m.startswith("zmqtopo")} == {"zmqtopo"}
    assert not loaded & {"zmq", "yaml", "jsonschema", "networkx", "argparse", "dataclasses"}


def test_validate_needs_neither_zmq_nor_networkx(good: str) -> None:
    loaded = modules_after(f"import zmqtopo.cli\nassert zmqtopo.cli.main(['validate', {good!r}]) == 0")
    assert not loaded & {"zmq", "networkx", "zmqtopo.supervisor", "zmqtopo.worker", "zmqtopo.broker",
                         "zmqtopo.devices", "zmqtopo.loop", "zmqtopo.cli.up"}


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch, good: str) -> None:
    def interrupted(args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("zmqtopo.cli.validate.run", interrupted)
    assert main(["validate", good]) == 130


def test_an_error_of_ours_is_a_traceback(monkeypatch: pytest.MonkeyPatch, good: str) -> None:
    def broken(args: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("zmqtopo.cli.validate.run", broken)
    with pytest.raises(ZeroDivisionError):
        main(["validate", good])


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
    assert main(["validate", "--format", "concise", "-"]) == 1
    assert capsys.readouterr().out.startswith("<stdin>:2:")


def test_a_result_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write to .*: No such file or directory"):
        emit("x", str(tmp_path / "nowhere" / "file"))


def test_a_tree_without_the_compiled_loop_says_what_builds_it(tmp_path: Path) -> None:
    import zmqtopo

    source = Path(zmqtopo.__file__).parent
    shutil.copytree(source, tmp_path / "tree" / "zmqtopo", ignore=shutil.ignore_patterns("_loop.*so", "__pycache__"))
    schemas = tmp_path / "tree" / "zmqtopo" / "schemas"
    if not schemas.exists():    # a source tree keeps them beside the package
        shutil.copytree(source.parent / "schemas", schemas)
    path = tmp_path / "it.yaml"
    path.write_text("devices: {a: {type: streamer, in: {bind: 'tcp://127.0.0.1:*'}, out: {bind: 'ipc://*'}}}\n")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "zmqtopo", "up", path], env=os.environ | {"PYTHONPATH": str(tmp_path / "tree")},
        capture_output=True, text=True, timeout=60, check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "zmqtopo: error: zmqtopo's loop is not compiled in this source tree; " \
        "build it with: pip install -e .\n"
