"""A file, or a text, to a topology and all that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from zmqtopo.config.model import Topology
from zmqtopo.config.problem import Place, Problem
from zmqtopo.config.yaml.source import STDIN, Source, parse_text, read_source, read_sources
from zmqtopo.config.yaml.tree import UNKNOWN

_WIDE: Final = 2**31
"""Columns: an address with a blank in it stays on its line."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What reading came to.

    ``topology`` is None only where there is nothing to build on: no text, no YAML, no mapping, or a
    newer version. ``problems`` are those of the reading and schema families, sorted by place; with an
    error among them the topology has holes, which its members call ``unread``. ``source.lines`` are
    the lines of the file, to quote.
    """

    topology: Topology | None
    problems: list[Problem]
    source: Source


def read(path: str | os.PathLike[str], *, strict_variables: bool = False,
         environ: Mapping[str, str] | None = None, streams: bool = True) -> Loaded:
    """Read a topology from ``path``, or from standard input where it is ``-``. Raises nothing for a bad file.

    ``strict_variables`` makes a variable without value or default an error instead of a warning;
    ``environ`` stands for ``os.environ``; without ``streams`` no pipe is read.
    """
    return _load(read_source(os.fspath(path), streams=streams), strict_variables, environ)


def read_all(path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None,
             exclude: Sequence[str] = ()) -> Iterator[Loaded]:
    """As :func:`read`, of every topology in a folder, but for what ``exclude`` names, or in a Markdown file too."""
    return (_load(source, False, environ) for source in read_sources(os.fspath(path), exclude))


def read_text(text: str, file: str = STDIN, *, strict_variables: bool = False,
              environ: Mapping[str, str] | None = None) -> Loaded:
    """As :func:`read`, of a text that is called ``file`` in reports."""
    return _load(parse_text(text, file), strict_variables, environ)


def read_mapping(content: Mapping[str, Any], *, strict_variables: bool = False) -> Loaded:
    """As :func:`read`, of the plain values that a file has: mappings, lists, text, bytes, numbers, booleans and None.

    Reports show them as YAML, in a file called ``<topology>``. Raises TypeError for any other value.
    """
    import yaml

    try:
        text = yaml.dump(_plain(content, "the topology"), Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True,
                         width=_WIDE)
    except RecursionError:
        raise TypeError("the topology contains itself, or is too deep") from None
    return read_text(text, "<topology>", strict_variables=strict_variables)


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"a key of {where} is {type(key).__name__} {key!r:.100}; keys are text")
        return {str(key): _plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Enum) and not isinstance(value, str):
        return value.name       # as of zmq.PUSH
    if isinstance(value, str):
        return str(value)
    if value is None or type(value) in (bool, int, float, bytes):
        return value
    raise TypeError(f"{where} is {type(value).__name__} {value!r:.100}, which no topology has")


def _load(source: Source, strict: bool, environ: Mapping[str, str] | None) -> Loaded:
    if source.root is None:
        problems = source.problems or [_empty(source.file)]
        return Loaded(None, problems, source)
    from zmqtopo.config.load.build import Builder
    from zmqtopo.config.schema.suggestions import got
    from zmqtopo.config.schema.validation import validate
    from zmqtopo.config.yaml.variables import Evaluation

    evaluation = Evaluation(source, os.environ if environ is None else environ, strict=strict)
    problems = source.problems + evaluation.problems
    value = evaluation.value
    topology = None
    if value is None:
        problems.append(_empty(source.file))
    elif isinstance(value, dict):
        found = validate(evaluation, source)
        newer = [p for p in found if p.rule == "unsupported-version"]
        problems += newer or found
        if not newer:
            builder = Builder(source)
            topology = builder.topology(value)
            problems += builder.problems
    elif not any(problem.severity == "error" for problem in problems):
        # A variable without a value is text, whatever it may stand for.
        shown = "text" if value is UNKNOWN else got(value)
        problems.append(Problem("wrong-type", "error", f"expected a mapping with devices, got {shown}",
                                source.file, source.spot.place, "begin with devices:"))
    return Loaded(topology, sorted(problems, key=lambda p: p.sort_key), source)


def _empty(file: str) -> Problem:
    return Problem("missing-key", "error", "the file is empty: it has no devices", file, Place(),
                   "begin with devices:, of which each has a name, a type, in and out; "
                   "devices: {} is a file with nothing to run")
