from __future__ import annotations

import io
import time

import pytest

from zmqtopo.config.problem import Place, Problem
from zmqtopo.report import text


def full(line: str, place: Place, **more: object) -> str:
    problem = Problem("some-rule", "error", "something is wrong", "t.yaml", place, **more)  # type: ignore[arg-type]
    written = io.StringIO()
    text.full([problem], {"t.yaml": ["", "", line]}, written)
    return written.getvalue()


def test_the_whole_report_of_a_conflict() -> None:
    problem = Problem(
        "bind-conflict", "error", "b binds what a binds", "t.yaml", Place(10, 8, 12), "use another", Place(2, 3, 7)
    )
    warning = Problem("other", "warning", "hm", "u.yaml", Place(1, 1, 3))
    lines = {"t.yaml": ["", "  abcd", *[""] * 7, "    in: wxyz}"], "u.yaml": ["xy"]}
    written = io.StringIO()
    text.full([problem, warning], lines, written)
    assert written.getvalue() == """\
t.yaml:10:8: error: b binds what a binds [bind-conflict]
10 |     in: wxyz}
   |        ^^^^
 2 |   abcd
   |   ^^^^ the other place
   = hint: use another

u.yaml:1:1: warning: hm [other]
1 | xy
  | ^^

1 error, 1 warning in 2 files
"""


@pytest.mark.parametrize(("problems", "files", "words"), [
    ([], 1, "no problems in 1 file"), ([], 3, "no problems in 3 files"),
    (["error"], 1, "1 error in 1 file"), (["error", "error", "info", "info"], 2, "2 errors, 2 info in 2 files"),
    (["warning"] * 2, 1, "2 warnings in 1 file"),
])
def test_the_summary_is_the_only_line_when_all_is_well(problems: list[str], files: int, words: str) -> None:
    written = io.StringIO()
    found = [Problem("r", severity, "m", "f") for severity in problems]  # type: ignore[arg-type]
    text.full(found, {str(n): [] for n in range(files)}, written)
    assert written.getvalue().splitlines()[-1] == words
    assert problems or written.getvalue() == words + "\n"


@pytest.mark.parametrize(("line", "place", "rows"), [
    ("a: bcd", Place(3, 4, 7), ["3 | a: bcd", "  |    ^^^"]),
    ("a: b", Place(3, 4, 4), ["3 | a: b", "  |    ^"]),             # an empty place has a caret
    ("a: b", Place(3, 5, 6), ["3 | a: b", "  |     ^"]),            # behind the end
    ("a: b", Place(3, 90, 95), ["3 | a: b", "  |     ^"]),
    ("\ta: b", Place(3, 2, 3), ["3 |     a: b", "  |     ^"]),
    ("日本: b", Place(3, 5, 6), ["3 | 日本: b", "  |       ^"]),       # two columns each
    ("e\u0301: b", Place(3, 5, 6), ["3 | e\u0301: b", "  |    ^"]),  # a combining accent has none
    ("a: \x1b[31mb", Place(3, 4, 10), ["3 | a: \\x1b[31mb", "  |    ^^^^^^^^^"]),
    ("a: \u202eb", Place(3, 5, 6), ["3 | a: \\u202eb", "  |          ^"]),
])
def test_carets_stand_below_the_value(line: str, place: Place, rows: list[str]) -> None:
    assert full(line, place).splitlines()[1:3] == rows


@pytest.mark.parametrize(("start", "length"), [(1, 5), (200, 5), (396, 5), (100, 150), (1, 400)])
def test_a_long_line_is_cut_around_the_value(start: int, length: int) -> None:
    line = "".join(chr(ord("a") + n % 26) for n in range(400))
    _, code, carets, *_ = full(line, Place(3, start, start + length)).splitlines()
    assert len(code) <= text.QUOTED_COLUMNS + len("3 | ")
    first = carets.index("^")
    quoted = code[first : carets.rindex("^") + 1]
    value = line[start - 1 : start - 1 + length]
    assert value.startswith(quoted.rstrip("…"))
    assert len(quoted) == min(length, 75)
    assert code.endswith("…") is (start + length - 1 < 400 or length > 75)


@pytest.mark.parametrize("place", [Place(), Place(2, 1, 2), Place(99, 1, 2)])
def test_a_place_with_nothing_to_show_is_not_quoted(place: Place) -> None:
    rows = full("a: b", place, hint="do it").splitlines()
    assert rows[1:] == ["  = hint: do it", "", "1 error in 1 file"]


def test_nothing_of_a_problem_reaches_the_terminal_raw() -> None:
    problem = Problem("r", "info", "m\x1b]0;title\x07\nx", "f\x1b[2J\r.yaml", Place(1, 1, 2), "h\x9b1m")
    for report in (io.StringIO(), io.StringIO()):
        text.full([problem], {problem.file: ["\x1b[8mhidden\x7f"]}, report)
        assert all(c.isprintable() or c == "\n" for c in report.getvalue())
    written = io.StringIO()
    text.concise([problem], written)
    assert written.getvalue() == "f\\x1b[2J\\x0d.yaml:1:1: info: m\\x1b]0;title\\x07\\nx [r]\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "environ", "colour"), [
    (Terminal(), {}, True), (Terminal(), {"NO_COLOR": "1"}, False), (Terminal(), {"NO_COLOR": ""}, True),
    (Terminal(), {"TERM": "dumb"}, False), (io.StringIO(), {}, False),
])
def test_who_gets_colour(stream: io.StringIO, environ: dict[str, str], colour: bool) -> None:
    assert text.wants_colour(stream, environ) is colour


def test_colour_changes_no_character() -> None:
    import re

    problem = Problem("r", "warning", "m", "t.yaml", Place(1, 1, 3), "h", Place(2, 1, 2))
    plain, coloured = io.StringIO(), io.StringIO()
    text.full([problem], {"t.yaml": ["abc", "def"]}, plain)
    text.full([problem], {"t.yaml": ["abc", "def"]}, coloured, colour=True)
    assert "\x1b[1;33m" in coloured.getvalue()
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured.getvalue()) == plain.getvalue()


def test_ten_thousand_problems_in_one_line_take_a_moment() -> None:
    line = "x" * 1_000_000
    problems = [Problem("r", "error", "m", "t.yaml", Place(1, n * 100 + 1, n * 100 + 3)) for n in range(10_000)]
    written = io.StringIO()
    start = time.monotonic()
    text.full(problems, {"t.yaml": [line]}, written)
    assert time.monotonic() - start < 10
    assert written.getvalue().count("^^") == 10_000
