from __future__ import annotations

import pytest

from zmqtopo.report.visible import disarmed, visible, visible_path, width


@pytest.mark.parametrize(("text", "shown"), [
    ("plain", "plain"), ("größe 日本", "größe 日本"), ("a\tb\nc\r", "a\\x09b\\x0ac\\x0d"), ("\x1b[2J", "\\x1b[2J"),
    ("\x9b1m\u202e\u2066", "\\x9b1m\\u202e\\u2066"), ("\udcff\U000e0001", "\\udcff\\U000e0001"), ("\u2028", "\\u2028"),
    ("##[error]x", "#♯[error]x"), ("a ##vso[task.x]", "a #♯vso[task.x]"), ("## title", "## title"), ("#[x]", "#[x]"),
    ("###[error]", "##♯[error]"),
])
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(("path", "shown"), [
    ("a.yaml", "a.yaml"), ("::error::x", "./::error::x"), (" ::x", "./ ::x"), ("/::x", "/::x"), ("a::x", "a::x"),
])
def test_a_path_begins_no_order(path: str, shown: str) -> None:
    assert visible_path(path) == shown


def test_the_length_stays() -> None:
    assert len(disarmed("###[x] ##abc[")) == len("###[x] ##abc[")


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("é", 1)])
def test_width(text: str, columns: int) -> None:
    assert width(text) == columns
