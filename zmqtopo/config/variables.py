"""``${VAR}``, ``${VAR:-default}``, ``${VAR:?message}`` and ``$$``, in string values, after parsing.

The result is text whatever it looks like: it can bring no new key, line or alias into the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping

from zmqtopo.config.problem import Problem
from zmqtopo.config.source import Source
from zmqtopo.config.tree import UNKNOWN, Alias, List, Mapping, Node, Scalar, Unknown, Value
from zmqtopo.config.wording import Guesses, quote

_TOKEN = re.compile(r"\$(?:\$|\{([^{}]*)\}|(?=\{))")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::([-?])(.*))?", re.DOTALL)


class Evaluation:
    """The plain value of a tree, each variable replaced by what the environment says.

    ``value`` is made of dict, list and scalars, UNKNOWN where nothing can be said; every use of an
    alias has its own copy. ``strict`` makes a variable without a value an error.
    """

    def __init__(self, source: Source, environ: AnyMapping[str, str], *, strict: bool) -> None:
        self.problems: list[Problem] = []
        self._source, self._environ, self._strict = source, environ, strict
        self._guesses = Guesses()
        self._texts: dict[Scalar, str | Unknown] = {}
        self.value: Value = self._plain(source.root, None) if source.root is not None else None

    def is_substituted(self, node: Node) -> bool:
        """Tell whether a variable made the value of this node."""
        return node in self._texts

    def _plain(self, node: Node, use: Node | None) -> Value:
        while isinstance(node, Alias):
            use, node = use or node, node.target
        if isinstance(node, Mapping):
            return {key: self._plain(child, use) for key, (_, child) in node.children.items()}
        if isinstance(node, List):
            return [self._plain(item, use) for item in node.items]
        assert isinstance(node, Scalar)  # there is no other kind
        value = node.value
        if isinstance(value, str) and "$" in value:
            if node not in self._texts:
                text = self._substitute(value, use or node)
                if text == value:
                    return value
                self._texts[node] = text
            return self._texts[node]
        return value

    def _substitute(self, text: str, at: Node) -> str | Unknown:
        parts: list[str] = []
        known, end = True, 0
        for token in _TOKEN.finditer(text):
            parts.append(text[end: token.start()])
            end = token.end()
            if token.group() == "$$":
                parts.append("$")
                continue
            value = self._variable(token[1], text, token.start(), at)
            known = known and value is not None
            parts.append(value or "")
            if token[1] is None:
                break
        return "".join(parts) + text[end:] if known else UNKNOWN

    def _variable(self, inside: str | None, text: str, start: int, at: Node) -> str | None:
        form = None if inside is None else _VARIABLE.fullmatch(inside)
        if form is None:
            what = "is not closed" if inside is None and "}" not in text[start:] else "is no variable"
            shown = quote(text[start:] if inside is None else "${" + inside + "}")
            self._report("bad-value", f"{shown} {what}", at, "write ${NAME}, ${NAME:-default} or "
                         "${NAME:?message}, one not inside another; $$ is a $")
            return None
        name, operator, argument = form.groups()
        value = self._environ.get(name)
        if operator == "-":
            return value or argument
        if operator == "?" and not value:
            reason = f": {quote(argument)[1:-1]}" if argument else ""
            self._report("undefined-variable", f"the variable {name} is not set{reason}", at,
                         f"set {name} in the environment")
            return None
        if value is None:
            near = self._guesses.closest(name, [n for n in self._environ if n.startswith(name[:1])])
            hint = f"did you mean {near}? Or " if near else ""
            self._report("undefined-variable", f"the variable {name} is not set", at,
                         f"{hint}set it in the environment or write ${{{name}:-default}}",
                         strict=self._strict)
        return value

    def _report(self, rule: str, message: str, at: Node, hint: str, *, strict: bool = True) -> None:
        self.problems.append(Problem(rule, "error" if strict else "warning", message, self._source.file,
                                     at.place(self._source.lines), hint))
