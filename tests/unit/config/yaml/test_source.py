from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from zmqtopo.config.problem import Place
from zmqtopo.config.yaml.source import MAX_BYTES, Source, decode, parse_text, read_source
from zmqtopo.config.yaml.variables import Evaluation


def value(source: Source) -> Any:
    return Evaluation(source, {}, strict=False).value


def only(source: Source) -> tuple[str, str]:
    [problem] = source.problems
    return problem.rule, problem.message


def place_of(source: Source, *path: str | int, key: bool = False) -> Place:
    """Of the value at a path, or of its key."""
    spot = source.spot
    for step in path:
        spot = spot[step]
    return spot.key_place if key else spot.place


@pytest.mark.parametrize(("path", "key", "place"), [
    (("name",), True, Place(1, 1, 5)),
    (("name",), False, Place(1, 7, 12)),
    (("devices", "ü", "in", "bind", 1), False, Place(4, 22, 29)),
    (("devices", "ü", "in", "bind", 1), True, Place(4, 22, 29)),
    (("devices", "ü", "in"), False, Place(4, 9, 31)),
    (("devices", "ü"), True, Place(3, 3, 4)),
    (("devices", "ü"), False, Place(4, 5, 41)),
    (("text",), False, Place(5, 7, 9)),
    (("quoted",), False, Place(7, 9, 11)),
    (("empty",), False, Place(9, 7, 7)),
    # What comes through an alias or a merge is where it is used.
    (("use", "a"), True, Place(11, 11, 13)),
    (("use", "a", "deep"), False, Place(11, 11, 13)),
    (("use", "b"), True, Place(11, 15, 16)),
    (("use", "b"), False, Place(11, 18, 19)),
    (("use", "c"), False, Place(11, 24, 26)),
    (("use", "c", "a", "deep"), True, Place(11, 24, 26)),
])
def test_places(path: tuple[str | int, ...], key: bool, place: Place) -> None:
    source = parse_text("""name: 'abc'
devices: # comment
  ü:
    in: {bind: [a€𝄞, 'b ü c']} # comment
text: |-
  two lines
quoted: "a
  b"
empty:
x-m: &m {a: {deep: 1}, b: 2, x-q: 3}
use: {<<: *m, b: 4, c: *m}
""", "f.yaml")
    assert source.problems == []
    assert place_of(source, *path, key=key) == place


def test_positions_with_bom_and_windows_line_ends() -> None:
    source = decode("\ufeffa: 1\r\nb: 2\r\n".encode(), "f")
    assert place_of(source, "b") == Place(2, 4, 5)
    assert source.lines[:2] == ["a: 1", "b: 2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings(encoding: str) -> None:
    assert value(decode("name: ü".encode(encoding), "f")) == {"name": "ü"}


@pytest.mark.parametrize(("text", "expected"), [
    ("a: on", {"a": "on"}),
    ("a: '5'", {"a": "5"}),
    ("a: !!str 5", {"a": "5"}),
    ("a: !!int '5'", {"a": 5}),
    ("a: !!float 5", {"a": 5.0}),
    ("a: !!binary aGVs\n  bG8=", {"a": b"hello"}),
    ("5: a\ntrue: b\n'': c", {"5": "a", "true": "b", "": "c"}),
    ("x-a: 1\nb: {x-c: 1, d: [{x-e: 1}]}", {"b": {"d": [{}]}}),
    ("x-a: &a {k: 1, l: 2}\nb: {l: 3, <<: *a}", {"b": {"k": 1, "l": 3}}),
    ("x-a: [&a {k: 1, l: 2}, &b {k: 3, m: 4}]\nb: {<<: [*a, *b]}", {"b": {"k": 1, "l": 2, "m": 4}}),
    ("x-a: &a {k: 1}\nx-b: &b {<<: *a, l: 2}\nb: {<<: *b}", {"b": {"k": 1, "l": 2}}),
    ("b: {<<: {k: 1}}", {"b": {"k": 1}}),
    ("b: {'<<': 1}", {"b": {"<<": 1}}),
    ("x-a: &a [1]\nb: [*a, *a]", {"b": [[1], [1]]}),
    ("a: &x 1\nb: &x 2\nc: *x", {"a": 1, "b": 2, "c": 2}),
    ("x-k: &k name\n*k : 1", {"name": 1}),
    ("a: [tcp://*:${P:-5}, '${Q:-a, b}', ${R:-: #}]", {"a": ["tcp://*:5", "a, b", ": #"]}),
])
def test_values(text: str, expected: object) -> None:
    source = parse_text(text, "f")
    assert source.problems == []
    assert value(source) == expected


def test_copies_of_an_alias_are_independent() -> None:
    found = value(parse_text("x-a: &a [1]\nb: [*a, *a]", "f"))
    assert found["b"][0] is not found["b"][1]


@pytest.mark.parametrize("loader", ["C", "Python"])
@pytest.mark.parametrize("path", sorted((Path(__file__).parents[3] / "invalid").glob("yaml-syntax-*.yaml")),
                         ids=lambda path: path.stem)
def test_both_parsers_give_one_message(path: Path, loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if loader == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader")
    elif not hasattr(yaml, "CSafeLoader"):
        pytest.skip("this PyYAML was built without libyaml")
    expected = path.with_suffix(".txt").read_text("utf-8").splitlines()[0]
    problem = read_source(str(path)).problems[0]
    assert f"{problem.message} [{problem.rule}]" == expected.partition(": error: ")[2]


# Files that are none

def test_missing_file(tmp_path: Path) -> None:
    assert only(read_source(str(tmp_path / "none.yaml"))) == ("unreadable-file", "there is no such file")
    assert only(read_source("")) == ("unreadable-file", "a file without a name")


def test_folder(tmp_path: Path) -> None:
    assert only(read_source(str(tmp_path))) == ("unreadable-file", "this is a folder and not a file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file, whatever its mode")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.yaml"
    path.write_text("devices: {}")
    path.chmod(0)
    assert only(read_source(str(path))) == ("unreadable-file", "the file may not be read: no permission")


@pytest.mark.skipif(sys.platform != "linux", reason="a file that opens and does not read, for root too")
def test_a_file_that_fails_while_it_is_read() -> None:
    rule, message = only(read_source("/proc/self/mem"))
    assert rule == "unreadable-file"
    assert message.startswith("the file cannot be read: ")


def test_impossible_file_name() -> None:
    assert only(read_source("a\0b"))[0] == "unreadable-file"


def test_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("name: x",))
    writer.start()
    assert value(read_source(str(path))) == {"name": "x"}
    writer.join()


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_might_have_to_be_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "pipe")
    assert only(read_source(str(tmp_path / "pipe"), streams=False)) == (
        "unreadable-file", "this is a pipe or a device and not a file")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"name: x")))
    source = read_source("-")
    assert source.file == "<stdin>"
    assert value(source) == {"name": "x"}


def test_a_hundred_megabytes_of_nonsense(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    rule, message = only(read_source(str(path)))
    assert rule == "yaml-unsafe"
    assert message == "the file is larger than 32 MiB"


@pytest.mark.slow
def test_the_largest_file_of_nonsense() -> None:
    """A list of ten million entries is refused before it takes the memory."""
    source = decode(b"- x\n" * (MAX_BYTES // 4), "f")
    assert only(source)[0] == "yaml-unsafe"


# Trees that cost too much

@pytest.mark.parametrize("text", [
    "devices: " + "[" * 5000,
    "devices: " + "{a: " * 5000,
    "\n".join(" " * i + "a:" for i in range(500)),
    "- " * 5000,
    "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 5000)),
], ids=["lists", "mappings", "block", "block lists", "aliases"])
def test_deep_nesting(text: str) -> None:
    rule, message = only(parse_text(text, "f"))
    assert rule == "yaml-unsafe"
    assert "100 levels" in message


@pytest.mark.parametrize("text", [
    "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)),
    "x-a: &a {" + ", ".join(f"k{i}: 1" for i in range(2000)) + "}\nb: [" + "{<<: *a}, " * 2000 + "]",
    "x-a: &a {" + ", ".join(f"k{i}: 1" for i in range(2000)) + "}\nb: {<<: [" + "*a, " * 2000 + "]}",
], ids=["laughs", "merges", "merge lists"])
def test_alias_bombs(text: str) -> None:
    rule, message = only(parse_text(text, "f"))
    assert rule == "yaml-unsafe"
    assert "more than 1000000 values" in message


def test_reading_is_linear() -> None:
    """A place is found by its path, in as many steps as the path has."""
    source = parse_text("devices:\n" + "".join(f"  d{i}: {{type: queue}}\n" for i in range(5000)), "f")
    assert place_of(source, "devices", "d4999", "type") == Place(5001, 17, 22)
