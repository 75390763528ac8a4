"""``${VAR}``, ``${VAR:-default}``, ``${VAR:?message}`` and ``$$``, in string values, after parsing.

The result is text whatever it looks like: it can bring no new key, line or alias into the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence

from zmqtopo.config.problem import Place, Problem
from zmqtopo.config.secrets import is_secret
from zmqtopo.config.wording import Guesses, quote
from zmqtopo.config.yaml.source import Source
from zmqtopo.config.yaml.tree import UNKNOWN, Alias, List, Mapping, Node, Scalar, Unknown, Value

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

    def _plain(self, node: Node, use: Node | None, key: str = "") -> Value:
        while isinstance(node, Alias):
            use, node = use or node, node.target
        if isinstance(node, Mapping):
            return {key: self._plain(child, use, key) for key, (_, child) in node.children.items()}
        if isinstance(node, List):
            return [self._plain(item, use, key) for item in node.items]
        assert isinstance(node, Scalar)  # there is no other kind
        value = node.value
        if isinstance(value, str) and "$" in value:
            if node not in self._texts:
                text = self._substitute(value, _Places(self._source.lines, node, use), is_secret(key))
                if text == value:
                    return value
                self._texts[node] = text
            return self._texts[node]
        return value

    def _substitute(self, text: str, places: _Places, secret: bool) -> str | Unknown:
        parts: list[str] = []
        without: set[str] = set()
        end = 0
        for token in _TOKEN.finditer(text):
            parts.append(text[end: token.start()])
            end = token.end()
            at = places.of("${" if token.group() == "$" else token.group())
            if token.group() == "$$":
                parts.append("$")
                continue
            if token[1] is None:
                rest = text[token.start():]
                self._no_variable(rest, "is not a valid variable" if "}" in rest else "is not closed", at, secret)
                return UNKNOWN
            if token[1] in without:
                continue    # told once for this text
            value = self._variable(token[1], at, secret)
            if value is None:
                without.add(token[1])
            parts.append(value or "")
        return UNKNOWN if without else "".join(parts) + text[end:]

    def _variable(self, inside: str, at: Place, secret: bool) -> str | None:
        form = _VARIABLE.fullmatch(inside)
        if form is None:
            self._no_variable("${" + inside + "}", "is not a valid variable", at, secret)
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

    def _no_variable(self, text: str, what: str, at: Place, secret: bool) -> None:
        shown = "a ${ in this secret" if secret else quote(text)
        self._report("bad-value", f"{shown} {what}", at, "write ${NAME}, ${NAME:-default} or "
                     "${NAME:?message}, one not inside another; $$ is a $")

    def _report(self, rule: str, message: str, at: Place, hint: str, *, strict: bool = True) -> None:
        self.problems.append(Problem(rule, "error" if strict else "warning", message, self._source.file, at, hint))


class _Places:
    """Where the variables of one text stand; of a text that an alias brings, all where the alias is."""

    def __init__(self, lines: Sequence[str], node: Node, use: Node | None) -> None:
        self._lines, self._node, self._use = lines, node, use
        self._line, self._column = node.line, node.column

    def of(self, token: str) -> Place:
        """The place of the next variable, asked for in their order, or of the text where an escape hides it."""
        if self._use is not None:
            return self._use.place(self._lines)
        node = self._node
        for number in range(self._line, min(node.end_line + 1, len(self._lines))):
            line = self._lines[number]
            start = self._column if number == self._line else 0
            found = line.find(token, start, node.end_column if number == node.end_line else len(line))
            if found >= 0:
                self._line, self._column = number, found + len(token)
                return Place(number + 1, found + 1, self._column + 1)
        return node.place(self._lines)
