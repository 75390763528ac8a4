"""Pages by topic, and a page as text for a terminal."""

from __future__ import annotations

from zmqtopo.checks.catalogue import CATALOGUE
from zmqtopo.report.page_text import plain
from zmqtopo.report.pages import pages


def test_no_topic_has_the_name_of_a_rule() -> None:
    assert not set(pages()) & set(CATALOGUE)


def test_every_page_has_a_title() -> None:
    for page in pages().values():
        assert page.markdown.startswith(f"# {page.title}\n")


def test_headings_paragraphs_and_blocks() -> None:
    text = "# Title\n\nSome words that\nare `x ** 2` **wrapped** here.\n\n## Next\n\n```sh\n# a\n\nb\n```\n"
    assert plain(text, 24) == (
        "Title\n=====\n\nSome words that are x **\n2 wrapped here.\n\nNext\n----\n\n    # a\n\n    b\n")


def test_links_and_pictures() -> None:
    assert plain("See [taps](tap.md), [limits](limits.md#memory), [here](#x) and [RFC 27](https://rfc.zeromq.org/27).\n"
                 "![the picture](a.svg)\n<!-- no -->\n", 200) == (
        "See taps (zmqtopo explain tap), limits (zmqtopo explain limits), here and RFC 27 (https://rfc.zeromq.org/27). "
        "the picture\n")


def test_lists_keep_their_indent() -> None:
    assert plain("- one two\n  three\n- four\n\n1. five six seven\n", 12) == (
        "- one two\n  three\n- four\n\n1. five six\n   seven\n")


def test_a_table_fits_where_it_can() -> None:
    text = "| a | what it is for |\n|---|---|\n| `x\\|y` | some words that do not fit |\n"
    assert plain(text, 60) == "a    what it is for\n---  --------------------------\nx|y  some words that do not fit\n"
    assert plain(text, 20) == ("a    what it is for\n---  ---------------\nx|y  some words that\n     do not fit\n")


def test_the_name_in_a_table_is_kept_whole() -> None:
    lines = plain(pages()["metrics"].markdown, 88).splitlines()
    assert any(line.startswith("zmqtopo_last_message_timestamp_seconds ") for line in lines)
    assert any(line.startswith("zmqtopo_messages_total,") for line in lines)
