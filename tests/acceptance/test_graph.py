"""``zmqtopo graph`` as its users run it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zmqtopo.cli import main

INSTALLED = shutil.which("zmqtopo", path=str(Path(sys.executable).parent))
COMMAND = [INSTALLED] if INSTALLED else [sys.executable, "-m", "zmqtopo"]

TOPOLOGY = """\
name: feed
devices:
  ingest:
    type: monitored_queue
    in: {type: PULL, bind: tcp://*:5563}
    out: {type: PUSH, bind: tcp://*:5564}
    mon: {bind: tcp://*:5565}
peers:
  source: {type: PUSH, connect: ingest.in}
  viewer: {type: SUB, connect: ingest.mon}
"""
BAD = TOPOLOGY.replace("5564", "5563")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "feed.yaml").write_text(TOPOLOGY)
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path


def graph(
    folder: Path, *arguments: str, text: str | None = None, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "graph", *arguments], input=text, capture_output=True, text=True, timeout=60, cwd=folder,
        check=False, env=os.environ if path is None else {**os.environ, "PATH": path},
    )


def test_the_drawing_goes_to_standard_output(folder: Path) -> None:
    done = graph(folder, "feed.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith('digraph "feed" {\n')
    assert done.stdout.count(" -> ") == 3
    assert '"device:ingest":"mon":e -> "peer:viewer"' in done.stdout
    assert done.stdout == graph(folder, "--format", "dot", "-", text=TOPOLOGY).stdout


def test_the_drawing_goes_to_a_file(folder: Path) -> None:
    done = graph(folder, "feed.yaml", "-o", "feed.dot")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (folder / "feed.dot").read_text() == graph(folder, "feed.yaml").stdout


def test_a_file_that_cannot_be_written(folder: Path) -> None:
    done = graph(folder, "feed.yaml", "-o", "nowhere/feed.dot")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "zmqtopo: error: cannot write to nowhere/feed.dot: No such file or directory\n"


def test_errors_are_drawn_red_but_never_into_a_file(folder: Path) -> None:
    (folder / "old.dot").write_text("as it was")
    for output in ([], ["-o", "old.dot"]):
        done = graph(folder, "bad.yaml", *output)
        assert done.returncode == 78
        assert done.stderr.startswith("bad.yaml:6:29: error: ")
        assert ("#c62828" in done.stdout) is (output == [])
    assert (folder / "old.dot").read_text() == "as it was"


def test_a_file_that_is_no_topology_is_not_drawn(folder: Path) -> None:
    (folder / "list.yaml").write_text("- 1\n")
    for name in ("list.yaml", "missing.yaml"):
        done = graph(folder, name)
        assert (done.returncode, done.stdout) == (78, "")
        assert done.stderr.startswith(f"{name}:1:1: error: ")


@pytest.mark.parametrize("form", ["dot", "mermaid", "json"])
def test_a_warning_is_drawn_amber(folder: Path, form: str) -> None:
    (folder / "feed.yaml").write_text(TOPOLOGY.replace("5564", "564"))
    done = graph(folder, "feed.yaml", "--format", form)
    assert done.returncode == 0
    assert "[privileged-port]" in done.stderr
    if form == "json":
        assert [edge["problems"] for edge in json.loads(done.stdout)["edges"] if "problems" in edge] == [
            ["privileged-port"]]
    else:
        assert "#b26a00" in done.stdout
        assert "#c62828" not in done.stdout


@pytest.mark.parametrize(("name", "start"), [
    ("feed.dot", 'digraph "feed" {\n'), ("feed.gv", 'digraph "feed" {\n'), ("feed", 'digraph "feed" {\n'),
    ("feed.mmd", '---\ntitle: "feed"\n---\nflowchart LR\n'), ("feed.JSON", '{\n  "directed": true,\n'),
])
def test_the_name_of_the_file_says_the_format(folder: Path, name: str, start: str) -> None:
    assert graph(folder, "feed.yaml", "-o", name).returncode == 0
    assert (folder / name).read_text().startswith(start)


def test_the_format_says_it_better(folder: Path) -> None:
    assert graph(folder, "feed.yaml", "-o", "feed.dot", "--format", "mermaid").returncode == 0
    assert (folder / "feed.dot").read_text() == graph(folder, "feed.yaml", "--format", "mermaid").stdout


# -- a committed drawing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [
    ["feed.dot"], ["feed.mmd"], ["feed.json"], ["a drawing", "--format", "mermaid"],
    ["feed.json", "--focus", "ingest"],
])
def test_a_committed_drawing_is_compared(folder: Path, options: list[str]) -> None:
    name, *others = options
    check = ["feed.yaml", "--check", name, *others]
    remedy = f"run: zmqtopo graph feed.yaml {' '.join([*others, '-o', repr(name) if ' ' in name else name])}\n"
    done = graph(folder, *check)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"zmqtopo: {name} is not there; {remedy}")
    assert graph(folder, "feed.yaml", "-o", name, *others).returncode == 0
    done = graph(folder, *check)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (folder / name).write_bytes((folder / name).read_bytes().replace(b"\n", b"\r\n"))
    assert graph(folder, *check).returncode == 0
    (folder / "feed.yaml").write_text(TOPOLOGY.replace("viewer", "spectator"))
    before = (folder / name).read_bytes()
    done = graph(folder, *check)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"zmqtopo: {name} is out of date; {remedy}")
    assert (folder / name).read_bytes() == before


def test_nothing_is_compared_with_a_bad_file(folder: Path) -> None:
    graph(folder, "feed.yaml", "-o", "feed.dot")
    done = graph(folder, "bad.yaml", "--check", "feed.dot")
    assert (done.returncode, done.stdout) == (78, "")
    assert "out of date" not in done.stderr


@pytest.mark.parametrize(("arguments", "words"), [
    (["--check", "feed.svg"], "a committed svg cannot be checked, since it depends on the version of Graphviz"),
    (["--check", "feed.dot", "-o", "feed.dot"], "not allowed with argument"),
    (["-o", "feed.foo"], "feed.foo: cannot tell the format from '.foo'; use --format, or one of the endings "
     ".dot, .gv, .json, .mermaid, .mmd, .png or .svg"),
    (["--check", "feed.jpg"], "feed.jpg: cannot tell the format from '.jpg'"),
    (["-o", "feed.yaml", "--format", "dot"], "feed.yaml is the topology itself"),
    (["-o", "./feed.yaml", "--format", "dot"], "./feed.yaml is the topology itself"),
    (["--focus", "ingset"], "feed.yaml has no device 'ingset'; did you mean 'ingest'?"),
    (["--focus", "viewer"], "feed.yaml has no device 'viewer'\n"),
])
def test_a_usage_error(folder: Path, arguments: list[str], words: str) -> None:
    done = graph(folder, "feed.yaml", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert (folder / "feed.yaml").read_text() == TOPOLOGY


def test_focus_is_a_neighbourhood(folder: Path) -> None:
    (folder / "two.yaml").write_text(
        TOPOLOGY.replace("peers:", "  other: {type: queue, in: {bind: tcp://*:1025}, out: {bind: tcp://*:1026}}\npeers:"))
    nodes = json.loads(graph(folder, "two.yaml", "--format", "json", "--focus", "ingest").stdout)["nodes"]
    assert [node["name"] for node in nodes] == ["ingest", "source", "viewer", "tcp://*:5564"]
    assert not any("beyond" in node for node in nodes)
    (folder / "more.yaml").write_text(
        TOPOLOGY.replace("peers:", "  next: {type: forwarder, in: {connect: ingest.out}, out: {bind: tcp://*:1026}}\npeers:"))
    nodes = json.loads(graph(folder, "more.yaml", "--format", "json", "--focus", "ingest").stdout)["nodes"]
    assert {node["name"]: node["beyond"] for node in nodes if "beyond" in node} == {"next": 1}


# -- a drawing inside Markdown --------------------------------------------------------------------------------------

OTHER = "devices:\n  echo: {type: queue, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5002}}\n"
HAND_MADE = "```mermaid\nsequenceDiagram\n  Alice->>Bob: hello\n```\n"


@pytest.mark.parametrize("form", ["mermaid", "dot", "json"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("margin", ["", "  "])
def test_only_the_fenced_drawing_is_replaced(folder: Path, form: str, end: str, margin: str) -> None:
    """The mode and the bytes around it stay, also those that are not UTF-8."""
    other = graph(folder, "-", "--format", form, text=OTHER).stdout
    above = f"# Feed  {end}\t{end}{HAND_MADE}```{form}{end}{other}```{end}- a{end}\n{margin}~~~{form} x{end}".encode()
    below = f"{margin}~~~{end}caf".encode() + b"\xe9 last line without end"

    def page(drawing: str) -> bytes:
        return above + "".join(f"{margin}{line}{end}" for line in drawing.splitlines()).encode() + below

    old, new = graph(folder, "feed.yaml", "--format", form).stdout, TOPOLOGY.replace("viewer", "spectator")
    readme = folder / "README.md"
    readme.write_bytes(page(old))
    readme.chmod(0o640)
    assert graph(folder, "feed.yaml", "--check", "README.md").returncode == 0
    (folder / "feed.yaml").write_text(new)
    done = graph(folder, "feed.yaml", "--check", "README.md")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("; run: zmqtopo graph feed.yaml -o README.md\n")
    assert readme.read_bytes() == page(old)
    done = graph(folder, "feed.yaml", "-o", "README.md")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert readme.read_bytes() == page(graph(folder, "feed.yaml", "--format", form).stdout)
    assert readme.stat().st_mode & 0o777 == 0o640
    assert graph(folder, "feed.yaml", "--check", "README.md").returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "bad.yaml", "feed.yaml"]


@pytest.mark.parametrize("page", [
    "<!-- zmqtopo: feed.yaml -->\n\n```mermaid\nflowchart LR\n  old\n```\n" + HAND_MADE,
    HAND_MADE + "<!-- zmqtopo: other.yaml -->\n```mermaid\n```\n```mermaid\n```\n",
])
def test_a_marker_or_an_empty_block_is_a_place_for_a_drawing(folder: Path, page: str) -> None:
    (folder / "README.md").write_text(page)
    assert graph(folder, "feed.yaml", "-o", "README.md").returncode == 0
    drawing = graph(folder, "feed.yaml", "--format", "mermaid").stdout
    start = page.rindex("```mermaid\n```") if page.startswith(HAND_MADE) else page.index("```mermaid")
    expected = page[:start] + f"```mermaid\n{drawing}```\n" + (HAND_MADE if not page.startswith(HAND_MADE) else "")
    assert (folder / "README.md").read_text() == expected


def test_a_new_markdown_file_has_only_the_drawing(folder: Path) -> None:
    assert graph(folder, "feed.yaml", "--check", "new.md").returncode == 1
    assert graph(folder, "feed.yaml", "-o", "new.md").returncode == 0
    drawing = graph(folder, "feed.yaml", "--format", "mermaid").stdout
    assert (folder / "new.md").read_text() == f"```mermaid\n{drawing}```\n"
    assert graph(folder, "feed.yaml", "--check", "new.md").returncode == 0


@pytest.mark.parametrize(("page", "words"), [
    ("# Nothing\n", "README.md has no drawing of feed.yaml: add the line <!-- zmqtopo: feed.yaml --> above "
     "the block ```mermaid that is to be it, which may be empty\n"),
    (HAND_MADE, "README.md has no drawing of feed.yaml"),
    ("```json\n{\"nodes\": 1, \"edges\": 2, \"directed\": 3}\n```\n", "README.md has no drawing of feed.yaml"),
    ("<!-- zmqtopo: other.yaml -->\n```mermaid\n```\n", "README.md has no drawing of feed.yaml"),
    ("```mermaid\n```\n\n```dot\n```\n", "at the lines 1 and 4; or choose with --format, put the line "
     "<!-- zmqtopo: feed.yaml --> above"),
    ("DRAWING\nDRAWING", "README.md has more than one block that can be the drawing of feed.yaml, at the lines"),
    ("```mermaid\n", "README.md:1: the block of the drawing is not closed"),
])
@pytest.mark.parametrize("option", ["-o", "--check"])
def test_without_one_place_nothing_is_written(folder: Path, page: str, words: str, option: str) -> None:
    drawing = graph(folder, "feed.yaml", "--format", "mermaid").stdout
    page = page.replace("DRAWING", f"```mermaid\n{drawing}```\n")
    (folder / "README.md").write_text(page)
    done = graph(folder, "feed.yaml", option, "README.md")
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert (folder / "README.md").read_text() == page


@pytest.mark.parametrize(("name", "content"), [
    ("package.json", '{"nodes": []}'), ("notes.dot", "digraph mine { a -> b }\n"), ("mine.mmd", HAND_MADE),
    ("other.yaml", OTHER), ("logo.svg", "<svg/>"), ("notes", "my notes"),
])
def test_a_file_that_is_not_a_drawing_is_left(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    done = graph(folder, "feed.yaml", "--format", "mermaid", "-o", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{name} is not a drawing by zmqtopo graph and is left as it is; give -o another name" in done.stderr
    assert (folder / name).read_text() == content


@pytest.mark.parametrize("form", ["mermaid", "dot", "json"])
def test_a_drawing_of_ours_is_replaced(folder: Path, form: str) -> None:
    assert graph(folder, "-", "--format", form, "-o", "drawing", text=OTHER).returncode == 0
    assert graph(folder, "feed.yaml", "--format", form, "-o", "drawing").returncode == 0
    assert (folder / "drawing").read_text() == graph(folder, "feed.yaml", "--format", form).stdout


# -- pictures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["svg", "png"])
def test_without_graphviz_a_picture_is_a_clear_message(folder: Path, form: str) -> None:
    done = graph(folder, "feed.yaml", "-o", f"feed.{form}", path=str(folder))
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr == (
        f"zmqtopo: error: {form} is drawn by Graphviz, and its program dot is not installed: install it (apt install "
        "graphviz, dnf install graphviz, brew install graphviz), or choose --format dot, mermaid or json\n")
    assert not (folder / f"feed.{form}").exists()


def test_a_graphviz_that_fails_is_quoted(folder: Path) -> None:
    broken = folder / "dot"
    broken.write_text("#!/bin/sh\necho 'no plugin for png' >&2\nexit 3\n")
    broken.chmod(0o755)
    done = graph(folder, "feed.yaml", "-o", "feed.png", path=f"{folder}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr == f"zmqtopo: error: Graphviz could not draw this ({broken}): no plugin for png\n"


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed, and only its dot can draw DOT")
@pytest.mark.parametrize(("form", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_graphviz_draws_it(folder: Path, form: str, start: bytes) -> None:
    assert graph(folder, "feed.yaml", "-o", f"feed.{form}").returncode == 0
    drawing = (folder / f"feed.{form}").read_bytes()
    assert drawing.startswith(start)
    printed = subprocess.run([*COMMAND, "graph", "feed.yaml", "--format", form], capture_output=True, timeout=60,
                             cwd=folder, check=True)
    assert (printed.stdout, printed.stderr) == (drawing, b"")


TOPOLOGIES = sorted((Path(__file__).parents[2] / "topologies").glob("*.yaml"))


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem)
@pytest.mark.parametrize("form", ["dot", "mermaid", "json"])
def test_the_examples_are_drawn_without_a_word_and_without_red(
    folder: Path, capsys: pytest.CaptureFixture[str], path: Path, form: str
) -> None:
    done = graph(folder, str(path), "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    assert not re.search("#c62828|#b26a00", done.stdout)
    # Another process has other hashes, hence sets in another order, and draws the same.
    assert main(["graph", str(path), "--format", form]) == 0
    assert capsys.readouterr().out == done.stdout
