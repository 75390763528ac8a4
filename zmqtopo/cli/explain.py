"""``zmqtopo explain``: what a rule finds, why, and an example of each kind; and the pages about everything else."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence

from zmqtopo.cli.output import emit
from zmqtopo.config.explanations import Explanation
from zmqtopo.report.pages import Page, pages

WIDTH = 88


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "subjects", metavar="TOPIC", nargs="*", type=_subject,
        help="a topic, or a rule as reports name it; without one: a list of all",
    )
    parser.add_argument(
        "--format", choices=("text", "markdown"), default="text",
        help="text for a terminal (default), markdown as it stands; without TOPIC: the reference page, with every rule "
        "in full",
    )


def run(args: argparse.Namespace) -> int:
    """Return 0."""
    from zmqtopo.checks.catalogue import CATALOGUE

    chosen: list[Explanation | Page] = list(dict.fromkeys(args.subjects))
    if args.format == "markdown":
        emit(_markdown(chosen or list(CATALOGUE.values())))
    else:
        emit("\n".join(map(_in_full, chosen)) if chosen else _list(list(pages().values()), list(CATALOGUE.values())))
    return 0


def _subject(name: str) -> Explanation | Page:
    from zmqtopo.checks.catalogue import CATALOGUE
    from zmqtopo.config.wording import closest

    known: dict[str, Explanation | Page] = {**pages(), **CATALOGUE}
    if name not in known:
        near = closest(name, known)
        raise argparse.ArgumentTypeError(f"there is no topic and no rule {name!r}"
                                         + (f"; did you mean {near!r}?" if near else ""))
    return known[name]


def _markdown(chosen: Sequence[Explanation | Page]) -> str:
    """The pages as they stand, and behind them one of the rules."""
    from zmqtopo.report import reference

    rules = [subject for subject in chosen if isinstance(subject, Explanation)]
    parts = [subject.markdown for subject in chosen if isinstance(subject, Page)]
    return "\n".join([*parts, reference.markdown(rules)] if rules else parts)


def _list(topics: list[Page], rules: list[Explanation]) -> str:
    """Every topic and every rule on a line or two, the rules family by family."""
    column = max(len(rule.name) for rule in rules) + 2
    lines = ["topics", *(f"  {page.topic:{column}}{page.title}" for page in topics)]
    for rule in rules:
        if rule.family not in lines:
            lines += ["", rule.family]
        lines += textwrap.wrap(f"{rule.severity:8} {_unquoted(rule.finds)}", WIDTH, break_on_hyphens=False,
                               initial_indent=f"  {rule.name:{column}}", subsequent_indent=" " * (column + 11))
    return "\n".join([*lines, "", "zmqtopo explain TOPIC prints a page, zmqtopo explain RULE the reason and examples.",
                      ""])


def _in_full(subject: Explanation | Page) -> str:
    if isinstance(subject, Page):
        from zmqtopo.report.page_text import plain

        return plain(subject.markdown, WIDTH)
    return _rule(subject)


def _rule(rule: Explanation) -> str:
    from zmqtopo.report.reference import example, silencing, verdict

    paragraphs = [f"{rule.name} ({rule.severity}, {rule.family})"]
    paragraphs += [textwrap.fill(_unquoted(words), WIDTH, break_on_hyphens=False) for words in (rule.finds, rule.why)]
    paragraphs += ["Bad:", textwrap.indent(example(rule.bad), "    ").rstrip()]
    said = verdict(rule)
    if said:
        paragraphs.append(textwrap.indent(said, "    ").rstrip())
    paragraphs += ["Good:", textwrap.indent(example(rule.good), "    ").rstrip(),
                   textwrap.fill(_unquoted(silencing(rule)), WIDTH, break_on_hyphens=False)]
    return "\n\n".join(paragraphs) + "\n"


def _unquoted(words: str) -> str:
    """The words without the backquotes that mark code in Markdown."""
    return words.replace("`", "")
