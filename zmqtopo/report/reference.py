"""The rules for readers: the page of reference, and the parts that ``zmqtopo explain`` shares with it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from textwrap import dedent

from zmqtopo.config.explanations import Explanation

_ABOUT = {
    "reading": "What the reader of YAML refuses.",
    "schema": "What the format does not allow.",
    "endpoint": "Addresses, and who binds them.",
    "socket": "The types and options of sockets.",
    "security": "What the socket options of CURVE, PLAIN and GSSAPI say of who gets in.",
    "flow": "The ways of messages through several devices.",
    "machine": "Asked only by `up` and by `validate --probe`.",
}


def markdown(rules: Sequence[Explanation]) -> str:
    """The page of reference for ``rules``, which stand family by family."""
    parts = [
        "# The rules of zmqtopo",
        "Made by `zmqtopo explain --format markdown`. The comment `# zmqtopo: ignore[rule]` silences a rule on its "
        "line, but for the errors of reading and of the schema.",
    ]
    family = None
    for rule in rules:
        if rule.family != family:
            family = rule.family
            parts += [f"## {family.capitalize()}", _ABOUT[family]]
        parts += [f"### {rule.name}", f"*{rule.severity}* · {rule.finds}", rule.why, "Bad:", fenced(rule.bad)]
        said = verdict(rule)
        if said:
            parts.append(f"```text\n{said}```")
        parts += ["Good:", fenced(rule.good)]
    return "\n\n".join(parts) + "\n"


def example(text: str) -> str:
    """An example as it would stand in a file."""
    return dedent(text).strip("\n") + "\n"


def verdict(rule: Explanation) -> str:
    """What ``validate`` says about the bad example of a rule; nothing where that depends on the machine."""
    from zmqtopo.checks import examine_text
    from zmqtopo.report import text

    if rule.family == "machine" or rule.bad.startswith("$"):
        return ""
    checked = examine_text(example(rule.bad), "bad.yaml", environ={})
    written = io.StringIO()
    text.full(checked.problems, {checked.file: checked.lines}, written)
    return written.getvalue().rpartition("\n\n")[0] + "\n"


def silencing(rule: Explanation) -> str:
    """How the rule is silenced, if it can be."""
    if rule.family in ("reading", "schema") and rule.severity == "error":
        return "It cannot be silenced: what it finds leaves a hole in the topology."
    return f"Silence it on a line: # zmqtopo: ignore[{rule.name}]"


def fenced(text: str) -> str:
    """An example as a block of Markdown."""
    return f"```{'console' if text.startswith('$') else 'yaml'}\n{example(text)}```"
