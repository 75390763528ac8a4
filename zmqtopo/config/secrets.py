"""Secrets that stand in a file as they are: no report shows them.

A file that cannot be read as YAML may have secrets too, so they are looked for in its text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache

from zmqtopo.config.schema.definitions import option_rules, secret_options
from zmqtopo.config.wording import closest

_MASK = "*"
_NEAR = re.compile(r"(?i)curve|plain|socks|wss|secr|pass|priv|pem|token")
_SOUND = re.compile(r"(?i)secret|passw|passphrase|private|token")
_KEY = re.compile(r"""(?<![\w-])(["']?)([A-Za-z_][\w-]*)\1\s*[:=]""")
_VALUE = re.compile(r"""\s*(?:[&!]\S*\s+)*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|.*)""")
_VALUE_IN_BRACKETS = re.compile(_VALUE.pattern.replace(".*)", "[^,]*)"))    # where a comma ends what has no quotes
_BRACKET = re.compile(r"[{[]")
_END = re.compile(r"\s*[],}]")
_BARE = re.compile(r"""\s*(\?\s+)?(["']?)([A-Za-z_]\w*)\2(?:\s+(?=[^\s:=])|\s*$)""")
"""A key without its colon, or in the long form of YAML, where the value is below."""
_SCALAR = re.compile(r"\s*[^\s{[|>]")
_ELSEWHERE = re.compile(r"\s*(?:\{\s*file\s*:|\$\{\w+\}(?:\s|[,}\]]|$)|$)")
"""What is no secret itself: ``{file: PATH}``, a variable without a default, nothing."""


def concealed(text: str) -> str:
    """Return ``text`` with asterisks for what stands behind the name of a secret; it keeps its length."""
    return _line(text)[0] if _NEAR.search(text) else text


def concealed_lines(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines of a file with asterisks for its secrets, those that go on in the next lines included."""
    if not any(_NEAR.search(line) for line in lines):
        return lines
    shown: list[str] = []
    secret: int | None = None   # the column of the key whose value may go on
    for line in lines:
        text = line.lstrip(" ")
        if secret is not None and text and (len(line) - len(text) > secret or not _KEY.search(line)):
            shown.append(" " * (len(line) - len(text)) + _MASK * len(text))
            continue
        if text:
            bare = _BARE.match(line)
            if bare is not None and is_secret(bare[3]):
                secret = bare.start(2)
                line = line[: bare.end()] + _MASK * (len(line) - bare.end())
            else:
                line, secret = _line(line)
        shown.append(line)
    return shown


def _line(line: str) -> tuple[str, int | None]:
    """The line, and the column of the key of a secret that does not end in it."""
    parts: list[str] = []
    done, at, secret = 0, 0, None
    in_brackets = False
    while key := _KEY.search(line, at):
        in_brackets = in_brackets or _BRACKET.search(line, at, key.start()) is not None
        at, secret = key.end(), None
        # A device may be called secrets.
        if not is_secret(key[2]) and not (_SCALAR.match(line, at) and _sounds_secret(key[2])):
            continue
        if _ELSEWHERE.match(line, at):
            secret = None if line[at:].strip() else key.start()
            continue
        value = (_VALUE_IN_BRACKETS if in_brackets else _VALUE).match(line, at)
        assert value is not None  # it takes nothing too
        at = value.end(1)
        # A list or a mapping is not a secret that works, but it has one; where it ends is not looked for.
        ended = _END.match(line, at) is not None and not value[1].startswith(("[", "{"))
        if not ended:
            at = len(line)  # what goes on behind a quote is a mistake, and may be a part of the secret
        parts += [line[done: value.start(1)], _MASK * (at - value.start(1))]
        done, secret = at, None if ended else key.start()
    return "".join(parts) + line[done:], secret


def is_secret(key: str) -> bool:
    """Whether a key is the option of a secret."""
    return key.lower().removeprefix("zmq_") in secret_options()


@lru_cache(1000)
def _sounds_secret(key: str) -> bool:
    """Whether a key that is no option may be meant for one of a secret, or taken for one."""
    name = key.lower().removeprefix("zmq_")
    if name in option_rules() or not _NEAR.search(name):
        return False
    return _SOUND.search(name) is not None or closest(name, _relatives()) in secret_options()


@cache
def _relatives() -> list[str]:
    """The options with names like those of secrets, to tell mistyped ones apart."""
    return [name for name in option_rules() if _NEAR.search(name)]
