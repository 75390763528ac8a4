"""``zmqtopo explain``: what a rule finds, why, and an example of each kind; and the pages about everything else."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence

from zmqtopo.cli.output import emit
from zmqtopo.cli.table import terminal_width
from zmqtopo.config.explanations import Explanation
from zmqtopo.report.glossary import Term, named, terms
from zmqtopo.report.pages import Page, pages

WIDTH = 88
"""Columns of text, in a terminal that has as many."""

Subject = Explanation | Page | Term
"""What can be explained."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "subjects", metavar="TOPIC", nargs="*", type=_subject, default=[],
        help="a topic, a rule as reports name it, or a key, socket option, device type or state; without one: a list "
        "of topics and rules",
    )
    parser.add_argument("--all", action="store_true", help="every key, option, type, state and rule; in markdown this "
                        "is the reference page")
    parser.add_argument(
        "--format", choices=("text", "markdown"), default="text",
        help="text for a terminal (default), markdown as it stands; without TOPIC: the reference page, with every rule "
        "in full",
    )


def run(args: argparse.Namespace) -> int:
    """Return 0."""
    from zmqtopo.checks.catalogue import CATALOGUE

    chosen = list(dict.fromkeys(subject for named in args.subjects for subject in named))
    if args.all:
        if chosen:
            args.usage_error("--all is for everything; leave out what")
        chosen = [*terms(), *CATALOGUE.values()]
    if args.format == "markdown":
        emit(_markdown(chosen or list(CATALOGUE.values())))
    else:
        emit("\n".join(map(_in_full, chosen)) if chosen else _list(list(pages().values()), list(CATALOGUE.values())))
    return 0


def _subject(name: str) -> list[Subject]:
    """What a word stands for: a page or a rule, and what it means in a file, which may be several things."""
    from zmqtopo.checks.catalogue import CATALOGUE
    from zmqtopo.config.wording import closest

    known: dict[str, Explanation | Page] = {**pages(), **CATALOGUE}
    found: list[Subject] = [*([known[name]] if name in known else []), *named(name)]
    if not found:
        near = closest(name, dict.fromkeys([*known, *(term.name for term in terms())]))
        raise argparse.ArgumentTypeError(f"there is no topic and no rule {name!r}"
                                         + (f"; did you mean {near!r}?" if near else ""))
    return found


def _markdown(chosen: Sequence[Subject]) -> str:
    """The pages as they stand, and behind them one of words and of rules."""
    from zmqtopo.report import glossary, reference

    rules = [subject for subject in chosen if isinstance(subject, Explanation)]
    parts = [subject.markdown for subject in chosen if isinstance(subject, Page)]
    words = [subject for subject in chosen if isinstance(subject, Term)]
    parts += [f"# The words of zmqtopo\n\n{glossary.markdown(words)}"] if words else []
    return "\n".join([*parts, reference.markdown(rules)] if rules else parts)


def _list(topics: list[Page], rules: list[Explanation]) -> str:
    """Every topic and every rule on a line or two, the rules family by family."""
    column = max(len(rule.name) for rule in rules) + 2
    lines = ["topics", *(f"  {page.topic:{column}}{page.title.removeprefix(f'{page.topic}: ')}" for page in topics)]
    for rule in rules:
        if rule.family not in lines:
            lines += ["", rule.family]
        lines += textwrap.wrap(f"{rule.severity:8} {_unquoted(rule.finds)}", _width(), break_on_hyphens=False,
                               initial_indent=f"  {rule.name:{column}}", subsequent_indent=" " * (column + 11))
    return "\n".join([*lines, "", "zmqtopo explain TOPIC prints a page, zmqtopo explain RULE the reason and examples.",
                      "It explains keys, socket options, device types and states too: zmqtopo explain linger.",
                      ""])


def _in_full(subject: Subject) -> str:
    if isinstance(subject, Term):
        from zmqtopo.report.glossary import text

        return text([subject], _width())
    if isinstance(subject, Page):
        from zmqtopo.report.page_text import plain

        return plain(subject.markdown, _width())
    return _rule(subject)


def _rule(rule: Explanation) -> str:
    from zmqtopo.report.reference import example, silencing, verdict

    paragraphs = [f"{rule.name} ({rule.severity}, {rule.family})"]
    paragraphs += [textwrap.fill(_unquoted(words), _width(), break_on_hyphens=False)
                   for words in (rule.finds, rule.why)]
    paragraphs += ["Bad:", textwrap.indent(example(rule.bad), "    ").rstrip()]
    said = verdict(rule)
    if said:
        paragraphs.append(textwrap.indent(said, "    ").rstrip())
    paragraphs += ["Good:", textwrap.indent(example(rule.good), "    ").rstrip(),
                   textwrap.fill(_unquoted(silencing(rule)), _width(), break_on_hyphens=False)]
    return "\n\n".join(paragraphs) + "\n"


def _unquoted(words: str) -> str:
    """The words without the backquotes that mark code in Markdown."""
    return words.replace("`", "")


def _width() -> int:
    return min(WIDTH, terminal_width() or WIDTH)
