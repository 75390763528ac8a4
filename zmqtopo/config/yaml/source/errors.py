"""What the YAML parser could not read, in words of the file instead of the parser's grammar.

The parser exists in C and in Python and each has its own texts, so a case is recognised by what both
say and by what stands in the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

from zmqtopo.config.problem import Place, Problem
from zmqtopo.config.wording import quote
from zmqtopo.config.yaml.compose import TOO_DEEP, TOO_DEEP_HINT

_GLUED = re.compile(r"\s*(?:- )?([\w-]+):(?![\s:/])(\S.*)")
_FORBIDDEN_START = {
    "\t": ("tab in indentation", "indent with spaces"),
    "@": ("a value cannot begin with '@'", "put the value in quotes"),
    "`": ("a value cannot begin with a backquote", "put the value in quotes"),
    "%": ("a value cannot begin with '%'", "put the value in quotes"),
}

_KEYS = frozenset({
    "version", "name", "description", "devices", "peers", "context", "defaults", "type", "run", "in", "out", "mon",
    "bind", "connect", "options", "prefix", "overflow", "restart", "stop_timeout", "limits", "mode", "group", "graph",
})


def explain(error: yaml.YAMLError, file: str, lines: Sequence[str]) -> Problem:
    """Return the problem ``yaml-syntax`` for what PyYAML raised on the text of ``lines``."""
    if isinstance(error, yaml.reader.ReaderError):
        return _unreadable_character(error, file, lines)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem is None:
        return Problem("yaml-syntax", "error", f"this is not valid YAML: {quote(str(error))}", file)
    said, doing = error.problem, error.context or ""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if error.context_mark and ("end of stream" in said or said.endswith("<stream end>'") or "alias" in doing):
        line, column = error.context_mark.line, error.context_mark.column
    if "maximum nesting depth" in said:
        # libyaml 0.2.6 looks ahead and stops at 1,000 levels before the composer has seen its hundredth.
        return Problem("yaml-unsafe", "error", TOO_DEEP, file, Place(line + 1, column + 1, column + 2), TOO_DEEP_HINT)
    if "mapping values are not allowed" in said or "expected ':'" in said:
        message, hint, line, column = _colon(lines, line, column)
    else:
        message, hint = _words(said, doing, lines, line, column, error.context_mark)
    opened = error.context_mark
    if "flow" in doing and opened and message.startswith("missing '"):
        line, column = opened.line, opened.column
    line, column = _inside(lines, line, column)
    return Problem("yaml-syntax", "error", message, file, Place(line + 1, column + 1, column + 2), hint)


def _words(said: str, doing: str, lines: Sequence[str], line: int, column: int,
           opened: yaml.Mark | None) -> tuple[str, str]:
    here = lines[line][column:] if line < len(lines) else ""
    if "cannot start any token" in said or "tab character" in said:
        indented = line < len(lines) and "\t" in lines[line][: column + 1]
        return _FORBIDDEN_START.get("\t" if indented else here[:1], ("nothing can begin with this character", ""))
    if "end of stream" in said:
        mark = here[:1] if here[:1] in "'\"" else "quote"
        return f"the {mark} that opens here is never closed", "close it at the end of the text"
    if "flow" in doing:
        return _in_brackets(lines, opened)
    if here[:1] in ("]", "}"):
        return f"{quote(here[:1])} closes nothing", "remove it, or open it before"
    if "alias" in doing or "anchor" in doing:
        what = "an alias" if "alias" in doing else "an anchor"
        return f"{quote(here[:1])} begins {what} and no name follows", "put the value in quotes if it is text"
    if "sequence entries are not allowed" in said:
        return "a list cannot begin behind a key on the same line", "put each '- ' on a line of its own, below"
    if "expected key" in said or "block end" in said or "'-' indicator" in said:
        return ("indentation matches no line above",
                "indent the keys of one mapping, and the '-' of one list, by the same number of spaces")
    if "<document start>" in said:
        return "text behind the end of the document", "one topology a file"
    if "escape" in said:
        return ("unknown escape in double quotes",
                r"write \\ for a backslash, or use single quotes, in which nothing is escaped")
    if "tag" in said:
        return "this tag is not declared", "leave it out; the only tag with a use here is !!binary"
    if "block scalar" in doing:
        return "only + - or a digit can stand behind | and >", "put the text on the next line"
    return f"this is not valid YAML: {said}", ""


def _colon(lines: Sequence[str], line: int, column: int) -> tuple[str, str, int, int]:
    """Tell a glued colon above, a second colon, and a wrong indentation apart."""
    for number in (line, line - 1):
        glued = _GLUED.fullmatch(lines[number]) if 0 <= number < len(lines) else None
        if glued:
            return (f"missing space after the colon of {quote(glued[1])}",
                    f"write {glued[1]}: {quote(glued[2])[1:-1]}", number, glued.start(1))
    before = lines[line][:column] if line < len(lines) else ""
    if ": " in before:
        return "a second ': ' in one line", "put the value in quotes if the colon belongs to it", line, column
    number = next((n for n in range(line - 1, -1, -1) if lines[n].strip()), 0)
    above = lines[number] if line else ""
    deeper = _indent(lines[line] if line < len(lines) else "") > _indent(above)
    if above.strip() and ":" not in above:
        key, _, rest = above.strip().partition(" ")
        # What stands there may be a part of a secret; only the keys of a topology are safe to repeat.
        meant = f"{key}: {rest.lstrip()}".rstrip() if key in _KEYS else "KEY: VALUE"
        return "this line has no colon and is not a key", f"write {quote(meant)[1:-1]}", number, _indent(above)
    if deeper:
        message = "a key stands deeper than the one above, which has a value"
        return message, "indent both alike", line, column
    return "a key cannot stand here", "write KEY: VALUE, one to a line", line, column


def _in_brackets(lines: Sequence[str], opened: yaml.Mark | None) -> tuple[str, str]:
    at = lines[opened.line][opened.column:] if opened and opened.line < len(lines) else ""
    bracket = at[:1]
    if bracket not in ("[", "{"):
        return "a value is missing, or a bracket above is not closed", "close every '[' and '{'"
    close = "}" if bracket == "{" else "]"
    return (f"missing '{close}': the '{bracket}' here is not closed, or a comma is missing",
            f"separate entries by commas and close with '{close}'; "
            "quote a value that has a bracket or a comma in it")


def _unreadable_character(error: yaml.reader.ReaderError, file: str, lines: Sequence[str]) -> Problem:
    # The offset counts characters in Python and bytes in C; the first such character is the one meant.
    code = error.character if isinstance(error.character, int) else ord(error.character)
    number = next((n for n, line in enumerate(lines) if chr(code) in line), 0)
    column = max(0, lines[number].find(chr(code)))
    return Problem("yaml-syntax", "error", f"the character U+{code:04X} cannot stand in a text file", file,
                   Place(number + 1, column + 1, column + 2),
                   'remove it; in double quotes it is written as an escape such as "\\x1b"')


def _inside(lines: Sequence[str], line: int, column: int) -> tuple[int, int]:
    """Move a place behind the last line with text, where a parser sees the end, to the end of that line."""
    while line > 0 and (line >= len(lines) or not lines[line].strip()):
        line -= 1
        column = len(lines[line].rstrip()) if line < len(lines) else 0
    return line, column


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
