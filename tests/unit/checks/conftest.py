"""Topologies in short, and what is said about them."""

from __future__ import annotations

from textwrap import dedent

from zmqtopo.checks import examine_text
from zmqtopo.config.problem import Problem

Found = list[tuple[str, str]]


def problems(yaml: str) -> list[Problem]:
    return examine_text(dedent(yaml), "t.yaml", environ={}).problems


def found(yaml: str) -> Found:
    """The rules that speak, each with the text that it points at."""
    checked = examine_text(dedent(yaml), "t.yaml", environ={})
    return [
        (p.rule, checked.lines[p.place.line - 1][p.place.column - 1 : p.place.end_column - 1])
        for p in checked.problems
    ]


def streamer(in_: str, out: str = "{bind: tcp://*:7000}", name: str = "a", **more: str) -> str:
    lines = [f"  {name}:", "    type: streamer", f"    in: {in_}", f"    out: {out}"]
    return "\n".join(lines + [f"    {key}: {value}" for key, value in more.items()]) + "\n"


def devices(*entries: str, peers: str = "") -> str:
    return "devices:\n" + "".join(entries) + (f"peers:\n{peers}\n" if peers else "")


def pair(type_: str, in_: str, out: str, mon: str = "") -> str:
    return devices(
        f"  d:\n    type: {type_}\n    in: {{type: {in_}, bind: tcp://*:5001}}\n"
        f"    out: {{type: {out}, bind: tcp://*:5002}}\n" + (f"    mon: {mon}\n" if mon else "")
    )
