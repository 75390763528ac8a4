"""Whatever a file holds, ``validate`` answers: problems with a rule, a place in the file and a message.

``ZMQTOPO_FUZZ_CASES=15000 python -m pytest tests/acceptance/test_fuzz.py`` tries a hundred thousand others.
"""

from __future__ import annotations

import io
import json
import os
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zmqtopo.checks import Checked, examine_text
from zmqtopo.checks.catalogue import CATALOGUE
from zmqtopo.cli.init import TEMPLATES
from zmqtopo.config.problem import Problem
from zmqtopo.config.schema.definitions import option_rules, schema
from zmqtopo.config.yaml.source import decode
from zmqtopo.report import github, junit, sarif, text
from zmqtopo.report import json as json_report

CASES = int(os.environ.get("ZMQTOPO_FUZZ_CASES", "200"))
"""Files for each test; the same ones every time, unless there are more."""

SECONDS = 10.0
"""Of the processor: far more than any of these files takes; one that hangs never ends."""

fuzz = settings(max_examples=CASES, derandomize=CASES <= 1000, deadline=None, database=None,
                suppress_health_check=list(HealthCheck))

FOLDER = Path(__file__).parents[2]
GOOD = [path.read_text() for path in sorted((FOLDER / "topologies").glob("*.yaml"))]
GOOD += [words.replace("{file}", "f") for words in TEMPLATES.values()]
EXAMPLES = [rule.bad for rule in CATALOGUE.values()] + [rule.good for rule in CATALOGUE.values()]
BAD = [path.read_text("utf-8", errors="replace") for path in sorted((FOLDER / "tests" / "invalid").glob("*.yaml"))]

# -- what must hold ---------------------------------------------------------------------------------------------------


def lines_of(written: str) -> int:
    return len(written.replace("\r\n", "\n").translate(dict.fromkeys(map(ord, "\r\x85\u2028\u2029"), "\n")).split("\n"))


def answered(written: str, **environ: str) -> Checked:
    """Examine a text and hold the answer against every promise."""
    start = time.process_time()
    checked = examine_text(written, "f.yaml", environ=environ)
    lines = lines_of(written)
    for problem in checked.problems:
        assert problem.rule in CATALOGUE
        assert problem.severity in {"error", CATALOGUE[problem.rule].severity}
        assert problem.message
        assert problem.message.isprintable()
        assert problem.hint.isprintable()
        assert problem.file == "f.yaml"
        for place in (problem.place, problem.other or problem.place):
            assert 1 <= place.line <= lines
            assert 1 <= place.column <= place.end_column
    assert checked.problems == sorted(set(checked.problems), key=lambda problem: problem.sort_key)
    assert checked.topology is not None or checked.has_errors
    reported(checked.problems, checked.lines)
    assert time.process_time() - start < SECONDS
    return checked


def is_harmless(written: str) -> bool:
    """Whether nothing moves a cursor; wide and hard blanks are only blanks."""
    return written.replace("\n", "").isprintable() or all(
        c.isprintable() or c == "\n" or unicodedata.category(c) == "Zs" for c in written)


def reported(problems: Sequence[Problem], lines: Sequence[str]) -> None:
    """Write in every format, and look that nothing has got out."""
    outs = [io.StringIO() for _ in range(5)]
    text.full(problems, {"f.yaml": lines}, outs[0])
    text.concise(problems, outs[1])
    json_report.write(problems, 1, outs[2])
    junit.write({"f.yaml": problems}, {"error"}, outs[3])
    github.write(problems, 1, outs[4])
    for out in outs:
        assert is_harmless(out.getvalue())
    assert outs[1].getvalue().count("\n") == len(problems)
    assert len(json.loads(outs[2].getvalue())["problems"]) == len(problems)
    assert len(Xml.fromstring(outs[3].getvalue().encode()).findall("testsuite/testcase/failure")) == sum(
        problem.severity == "error" for problem in problems)
    *annotations, _ = outs[4].getvalue().splitlines()
    assert len(annotations) == len(problems)
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in annotations)


# -- what files hold --------------------------------------------------------------------------------------------------

KEYS = sorted({key for d in (schema(), *schema()["definitions"].values()) for key in d.get("properties", {})})
WORDS = [*KEYS, *option_rules(), "queue", "forwarder", "streamer", "monitored_queue", "ROUTER", "sub", "thread",
         "process/a", "on-failure", "5s", "1.5h", "4MiB", "a.in", "b.out", "a.mon", "tcp://*:5559", "tcp://[::1]:*",
         "ipc:///tmp/x", "ipc://@a", "inproc://a", "tcp://${HOST:-a}:${PORT}", "${A", "$$", "<<", "x-a", "1:30", "0o17",
         "tcp://", "tcp://a:99999", "udp://239.0.0.1:1", "pgm://a;b:1", "# zmqtopo: ignore[bind-conflict]"]
words = st.sampled_from(WORDS)
scalars = st.one_of(words, st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.none(),
                    st.binary(max_size=6))
values = st.recursive(scalars, lambda below: st.one_of(
    st.lists(below, max_size=4), st.dictionaries(st.one_of(words, st.text(max_size=6)), below, max_size=5),
), max_leaves=25)

SNIPPETS = [*WORDS, "\n", "  ", "\t", ": ", "- ", "[", "]", "{", "}", ",", "&a ", "*a", "!!binary ", "!x ", "|\n",
            ">-\n", "'", '"', "#", "---\n", "...\n", "%YAML 1.2\n", "\\", "\x1b[31m", "\u202e", "\u2028", "\ufeff",
            "\x85", "\0", "é", "\U0010fff3", "??", "? ", "\r", "~", "<<: *a", "${X}", "::error::", "##[error]"]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A topology in which some places were cut out, doubled, exchanged or filled with something else."""
    written = draw(st.sampled_from([*GOOD, *EXAMPLES, *BAD]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(written)))
        end = min(len(written), start + draw(st.integers(0, 30)))
        other = draw(st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=5), st.just(written[start:end] * 2)))
        written = written[:start] + other + written[end:]
    return written


@st.composite
def rearranged(draw: st.DrawFn) -> str:
    """A topology of the right form in which some values were exchanged for others."""
    tree = yaml.safe_load(draw(st.sampled_from(GOOD)).replace("${", "$${"))
    for _ in range(draw(st.integers(1, 4))):
        node: Any = tree
        while isinstance(node, (dict, list)) and node:
            step = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if not isinstance(node[step], (dict, list)) or not node[step] or draw(st.integers(0, 5)) == 0:
                node[step] = draw(values)
                break
            node = node[step]
    return yaml.safe_dump(tree, sort_keys=False, default_flow_style=draw(st.booleans()), allow_unicode=True)


@fuzz
@given(st.lists(st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=4)), max_size=30).map("".join))
def test_any_text(written: str) -> None:
    answered(written)


@fuzz
@given(values)
def test_any_yaml(value: Any) -> None:
    answered(yaml.safe_dump(value, allow_unicode=True))


@fuzz
@given(values)
def test_any_devices(value: Any) -> None:
    answered(yaml.safe_dump({"devices": {"a": value, "b": value}, "peers": value}, allow_unicode=True))


@fuzz
@given(mutated())
def test_a_topology_with_slips(written: str) -> None:
    answered(written, X="\x1b[31m\n::error::x", HOST="h")


@fuzz
@given(rearranged())
def test_a_topology_with_other_values(written: str) -> None:
    answered(written)


@fuzz
@given(st.text(max_size=12), st.sampled_from(["tcp://${X}:1", "${X}", "a${X}b", "$${X}", "${X:-y}", "${X:?m}"]))
def test_any_variable(content: str, use: str) -> None:
    for key in ("in: {bind: '%s'}", "in: {bind: 'tcp://*:1', options: {hwm: '%s'}}", "description: '%s'", "type: '%s'"):
        answered(f"devices:\n  a:\n    {key % use}\n", X=content)


@fuzz
@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    source = decode(data, "f.yaml")
    assert all(problem.message.isprintable() for problem in source.problems)


# -- malicious files --------------------------------------------------------------------------------------------------

MALICIOUS = {
    "alias bomb": "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)),
    "merge bomb": "a0: &a0 {x: 1}\n" + "".join(
        f"a{n}: &a{n} {{{', '.join(f'k{i}: *a{n - 1}' for i in range(9))}, <<: *a{n - 1}}}\n" for n in range(1, 30)),
    "alias of itself": "a: &a [*a]\ndevices: *a\n",
    "deep lists": "devices: " + "[" * 100_000,
    "deep mappings": "devices: " + "{a: " * 100_000,
    "deep blocks": "".join(" " * n + "a:\n" for n in range(2000)),
    "deep questions": "? " * 50_000,
    "a huge scalar": "description: " + "x" * 5_000_000 + "\ndevices: {}\n",
    "a huge number": "devices: {}\nversion: " + "9" * 1_000_000,
    "a huge key": "devices: {" + "k" * 1_000_000 + ": 1}",
    "a huge address": "devices: {a: {type: queue, in: {bind: 'tcp://" + "a" * 1_000_000 + "'}, out: {bind: tcp://*:1}}}",
    "many keys": "devices: {" + ", ".join(f"d{n}: {{}}" for n in range(10_000)) + "}",
    "many anchors": "x: [" + ", ".join(f"&a{n} 1, *b{n}" for n in range(10_000)) + "]",
    "many variables": "devices: {}\ndescription: '" + "${A}" * 100_000 + "'\n",
    "open variables": "devices: {}\ndescription: '" + "${" * 100_000 + "'\n",
    "many comments": "devices: {}" + " # zmqtopo: ignore[" * 20_000 + "\n",
    "many rules in a comment": "devices: {} # zmqtopo: ignore[" + "a," * 20_000 + "]\n",
    "many quotes": "'" * 100_001,
    "many colons": "a: " * 50_000,
    "many tags": "devices: " + "!a " * 50_000,
    "an object": "devices: !!python/object/apply:os.system [touch /tmp/pwned]\n",
    "a path for a name": "name: ../../etc/passwd\n"
                         "devices: {../x: {}, 'a/b': {}, '.': {}, 'C:\\x': {}, '': {}, ~: {}}\n",
    "escapes in names": 'devices: {"\\e]0;x\\a": {}, "a\\nb": {}, "\\u202e": {}}\n',
}


@pytest.mark.parametrize("name", MALICIOUS)
def test_malicious_files(name: str) -> None:
    checked = answered(MALICIOUS[name])
    log = io.StringIO()     # with every rule in it, it takes too long for each case above
    sarif.write(checked.problems, log)
    assert is_harmless(log.getvalue())
    assert len(json.loads(log.getvalue())["runs"][0]["results"]) == len(checked.problems)
    if name not in ("a huge scalar", "many comments"):
        assert checked.problems
    assert len(checked.problems) <= 30_000


def test_names_that_are_paths_are_refused() -> None:
    checked = answered(MALICIOUS["a path for a name"])
    assert {p.message for p in checked.problems if p.rule == "bad-value" and "is not a valid name" in p.message} >= {
        "'../x' is not a valid name", "'a/b' is not a valid name", "'.' is not a valid name"}
    assert checked.topology is None or "/" not in checked.topology.name
