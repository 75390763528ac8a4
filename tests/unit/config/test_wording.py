from __future__ import annotations

import time

import pytest

from zmqtopo.config.wording import LONGEST, Guesses, closest, listing, quote, with_article


@pytest.mark.parametrize(("word", "candidates", "found"), [
    ("bnid", ["bind", "connect"], "bind"), ("TCP_KEEPALIVE", ["tcp_keepalive"], "tcp_keepalive"),
    ("socket_pair", ["socket-pair", "pair"], "socket-pair"), ("zzz", ["bind"], None), ("x", [], None),
    ("PUBLISHER", ["PUSH", "PUB", "REP"], "PUB"), ("subscriber", ["SUB", "XSUB"], "SUB"),
    ("tcp_keepalive_count", ["tcp_keepalive", "tcp_keepalive_cnt"], "tcp_keepalive_cnt"),
    ("desc", ["description", "type"], "description"), ("des", ["description", "destination"], None),
    ("a" * 61, ["a" * 61], None), ("bnid", ["b" * 10_000_000, "bind"], "bind"),
])
def test_closest(word: str, candidates: list[str], found: str | None) -> None:
    assert closest(word, candidates) == found


def test_guesses_end_before_the_patience_of_the_user() -> None:
    names = [f"device{n}" for n in range(10_000)]
    guesses = Guesses()
    start = time.monotonic()
    found = [guesses.closest(f"devcie{n}", names) for n in range(10_000)]
    assert time.monotonic() - start < 10
    assert found[0] == "device0"
    assert found[-1] is None


@pytest.mark.parametrize(("text", "shown"), [
    ("a'b", "'a'b'"), ("\x1b[0m\n", r"'\x1b[0m\n'"), ("\u202e", r"'\u202e'"),
    ("x" * 100, "'" + "x" * (LONGEST - 1) + "…'"),
])
def test_quote(text: str, shown: str) -> None:
    assert quote(text) == shown


def test_lists_and_articles() -> None:
    assert [listing(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a or b", "a, b or c"]
    assert [with_article(noun) for noun in ("time", "address", "true or false", "a, b or c")] == [
        "a time", "an address", "true or false", "a, b or c"]
