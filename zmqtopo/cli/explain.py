"""``zmqtopo explain``: what a rule finds, why, and an example of each kind."""

from __future__ import annotations

import argparse
import textwrap

from zmqtopo.cli.output import emit
from zmqtopo.config.explanations import Explanation

WIDTH = 88


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "rules", metavar="RULE", nargs="*", type=_rule, help="a rule, as reports name it; without one: a list of all"
    )
    parser.add_argument(
        "--format", choices=("text", "markdown"), default="text",
        help="text for a terminal (default), markdown for the reference page, with every rule in full",
    )


def run(args: argparse.Namespace) -> int:
    """Return 0."""
    from zmqtopo.checks.catalogue import CATALOGUE

    chosen: list[Explanation] = list(dict.fromkeys(args.rules))
    if args.format == "markdown":
        from zmqtopo.report import reference

        emit(reference.markdown(chosen or list(CATALOGUE.values())))
    else:
        emit("\n".join(map(_in_full, chosen)) if chosen else _list(list(CATALOGUE.values())))
    return 0


def _rule(name: str) -> Explanation:
    from zmqtopo.checks.catalogue import CATALOGUE
    from zmqtopo.config.wording import closest

    if name not in CATALOGUE:
        near = closest(name, CATALOGUE)
        raise argparse.ArgumentTypeError(f"there is no rule {name!r}" + (f"; did you mean {near!r}?" if near else ""))
    return CATALOGUE[name]


def _list(rules: list[Explanation]) -> str:
    """Every rule on a line or two, family by family."""
    column = max(len(rule.name) for rule in rules) + 2
    lines: list[str] = []
    for rule in rules:
        if rule.family not in lines:
            lines += ["", rule.family] if lines else [rule.family]
        lines += textwrap.wrap(f"{rule.severity:8} {_unquoted(rule.finds)}", WIDTH, break_on_hyphens=False,
                               initial_indent=f"  {rule.name:{column}}", subsequent_indent=" " * (column + 11))
    return "\n".join([*lines, "", "zmqtopo explain RULE has the reason and examples.", ""])


def _in_full(rule: Explanation) -> str:
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
