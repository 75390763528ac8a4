"""The pages of ``zmqtopo explain`` say nothing that is not so: topologies are checked, commands are those there are."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from zmqtopo.checks import examine_text
from zmqtopo.checks.catalogue import CATALOGUE
from zmqtopo.cli import VERBS, load
from zmqtopo.report.pages import pages

from .documents import PAGES, ROOT, blocks, page, prose, table

DOCUMENTS = [ROOT / "README.md", *PAGES]
TOP_LEVEL = set(json.loads((ROOT / "schemas" / "topology.schema.json").read_text("utf-8"))["properties"])

document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def explain(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-P", "-m", "zmqtopo", "explain", *arguments], capture_output=True,
                          encoding="utf-8", timeout=60, check=False)


# -- the command -----------------------------------------------------------------------------------------------------


def test_the_package_has_every_page() -> None:
    assert list(pages()) == [path.stem for path in PAGES]
    assert "pyzmq" in pages()


def test_a_page_is_printed_for_a_terminal_and_as_it_stands() -> None:
    done = explain("pyzmq")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("pyzmq: zmqtopo.devices instead of zmq.devices\n=====")
    assert "\n    device.bind_in(\"tcp://127.0.0.1:*\")\n" in done.stdout
    assert "```" not in done.stdout
    page = ROOT / "zmqtopo" / "pages" / "pyzmq.md"
    assert explain("pyzmq", "--format", "markdown").stdout == page.read_text("utf-8")


def test_pages_and_rules_together() -> None:
    done = explain("mon-type", "pyzmq")
    assert done.stdout.startswith("mon-type (error, socket)\n")
    assert "\npyzmq: zmqtopo.devices instead" in done.stdout
    done = explain("mon-type", "pyzmq", "--format", "markdown")
    assert "# pyzmq: " in done.stdout
    assert "### mon-type\n" in done.stdout


def test_the_list_has_topics_and_rules() -> None:
    listed = explain().stdout
    topics = listed.partition("\n\n")[0].splitlines()
    assert topics[0] == "topics"
    assert [line.split()[0] for line in topics[1:]] == list(pages())
    assert all(f"  {rule} " in listed for rule in CATALOGUE)


def test_a_mistyped_topic() -> None:
    done = explain("pyzmk")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no topic and no rule 'pyzmk'; did you mean 'pyzmq'?" in done.stderr


# -- what the pages say ----------------------------------------------------------------------------------------------


@document
def test_it_begins_with_its_only_title(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.match(r"# \S.*\n\n", text)
    assert len(re.findall(r"^# ", prose(text), re.MULTILINE)) == 1
    title = text.splitlines()[0].removeprefix("# ")
    assert len(title) <= 60, "it stands in the list of topics, behind the name of the topic"


@document
def test_its_topologies_are_good(path: Path) -> None:
    for block in blocks(path.read_text("utf-8")):
        if block.language != "yaml":
            continue
        content = yaml.safe_load(block.text)
        if not isinstance(content, dict) or not set(content) - {"<<"} <= TOP_LEVEL:
            continue
        text = block.text if "devices" in content else f"{block.text}\ndevices: {{}}\n"
        problems = [problem for problem in examine_text(text, path.name, environ={}).problems
                    if problem.severity == "error"]
        assert problems == []


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command of zmqtopo on a console line, without what the shell does with its output."""
    for block in blocks(text):
        if block.language in ("console", "sh"):
            for line in block.text.splitlines():
                for part in re.split(r"&&|\|(?!\|)", line.removeprefix("$ ")):
                    if part.lstrip().startswith("zmqtopo ") and (line.startswith("$ ") or block.language == "sh"):
                        words = shlex.split(re.sub(r"\s\d?>.*|\s&$", "", part), comments=True)
                        yield words[1:]


@document
def test_its_commands_are_those_of_the_command_line(path: Path) -> None:
    for verb, *arguments in commands(path.read_text("utf-8")):
        if not verb.startswith("-"):
            assert verb in VERBS, verb
            load(verb)[1].parse(arguments)      # raises SystemExit with a message


@document
def test_the_commands_in_its_sentences_have_verbs_and_options_that_are_there(path: Path) -> None:
    for command in re.findall(r"`zmqtopo ([^`]+)`", prose(path.read_text("utf-8"))):
        verb, *words = command.split()
        if verb == "VERB" or verb.startswith("-"):
            continue
        assert verb in VERBS, command
        known = {"--help", "-h", "-"}.union(*(action.option_strings for action in load(verb)[1].actions))
        for word in words:
            if word.startswith("-"):
                assert word.partition("=")[0].strip("[]") in known, command


@document
def test_its_programs_are_python(path: Path) -> None:
    for block in blocks(path.read_text("utf-8")):
        if block.language == "python":
            compile(block.text, path.name, "exec")


def anchors(path: Path) -> set[str]:
    """What a forge makes of the headings of a page."""
    headings = re.findall(r"^#{1,6} (.+)$", prose(path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@document
def test_its_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text("utf-8"))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@document
def test_its_tables_have_as_many_cells_in_every_row(path: Path) -> None:
    for rows in re.findall(r"(?:^\|.*\n)+", prose(path.read_text("utf-8")), re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows.splitlines()}) == 1, rows


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_it_fits_a_terminal(path: Path) -> None:
    """But for the lines of blocks, which are as long as they are."""
    shown = explain(path.stem).stdout
    written = {line for block in blocks(path.read_text("utf-8")) for line in block.text.splitlines()}
    too_long = [line for line in shown.splitlines() if len(line) > 88 and line[4:] not in written]
    assert too_long == []
    assert "**" not in shown
    assert "](" not in shown


def test_the_map_of_the_code_names_what_is_there() -> None:
    (stages,) = [block.text for block in blocks(page("code")) if not block.language]
    packages = ROOT / "zmqtopo"        # a wheel has no source of the loop
    folders = "|".join(path.name for path in packages.iterdir() if path.is_dir())
    named = re.findall(rf"(?<![\w`])(?:config/\w+|{folders})(?=[ ,\n])", stages)
    assert len(named) == 11
    places = [path for _, where in table(page("code"), "what", "where")
              for path in re.findall(r"`([\w/]+(?:/[\w.]+)+)`", where)]
    assert len(places) > 15
    for place in (*named, *places):
        if "VERB" not in place and "TOPIC" not in place:
            assert (packages / place).exists() or (ROOT / place).exists(), place


def test_the_table_of_commands_has_verbs_that_are_there() -> None:
    rows = table(page("commands"), "command", "does", "exit code")
    assert {row[0].split()[1].strip("`") for row in rows} <= set(VERBS)
