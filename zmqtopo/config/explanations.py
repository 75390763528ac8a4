"""What is said about a rule beside what finds it, and these words for the rules of reading and of the schema.

The other families are in `zmqtopo.checks`, each rule with its function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from zmqtopo.config.problem import Severity

Family = Literal["reading", "schema", "endpoint", "socket", "security", "flow", "machine"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The words about a rule.

    ``finds`` and ``why`` are sentences. ``bad`` and ``good`` are whole topologies in YAML: the first
    gets this finding and no other, the second gets none. A rule about files as such has commands
    instead, which begin with ``$``, and that of the family machine depends on the machine.
    """

    family: Family
    name: str
    severity: Severity
    finds: str
    why: str
    bad: str
    good: str


_GOOD: Final = """
    devices:
      jobs:
        type: streamer
        in: {bind: tcp://*:5559}
        out: {bind: tcp://*:5560}
    """

READING: Final = (
    Explanation(
        "reading", "unreadable-file", "error",
        finds="A file that is not there, may not be read, or is not a file, and a folder without a topology.",
        why="Nothing was checked. A check that passes because a name was mistyped is worse than none.",
        bad="$ zmqtopo validate topolgy.yaml",
        good="$ zmqtopo validate topology.yaml",
    ),
    Explanation(
        "reading", "yaml-syntax", "error",
        finds="A text that is not YAML, or not one document in UTF-8.",
        why="Nothing behind the place can be understood. What is meant as text and begins with one of "
        "`* & ! % @ [ {` or has a colon and a blank in it needs quotes.",
        bad="""
            devices:
              jobs:
                type: streamer
                in: {bind: *:5559}
                out: {bind: tcp://*:5560}
            """,
        good=_GOOD,
    ),
    Explanation(
        "reading", "duplicate-key", "error",
        finds="A key that a mapping has twice.",
        why="YAML forbids it, and most programs keep the last of the two in silence: a device would be lost.",
        bad="""
            devices:
              jobs:
                type: streamer
                in: {bind: tcp://*:5559}
                out: {bind: tcp://*:5560}
              jobs:
                type: streamer
                in: {bind: tcp://*:5561}
                out: {bind: tcp://*:5562}
            """,
        good="""
            devices:
              jobs:
                type: streamer
                in: {bind: tcp://*:5559}
                out: {bind: tcp://*:5560}
              results:
                type: streamer
                in: {bind: tcp://*:5561}
                out: {bind: tcp://*:5562}
            """,
    ),
    Explanation(
        "reading", "yaml-unsafe", "error",
        finds="A tag other than `!!binary`, an alias inside what it refers to, and a file that is too large, too deep, "
        "or grows too much when its aliases are written out.",
        why="A file of a few lines can ask for all the memory of the machine, and a tag for objects that a topology "
        "has no use for. CI reads files of strangers.",
        bad="""
            devices:
              jobs:
                type: streamer
                in: {bind: tcp://*:5559}
                out: {bind: !!python/name:os.getcwd tcp://*:5560}
            """,
        good=_GOOD,
    ),
    Explanation(
        "reading", "undefined-variable", "warning",
        finds="A variable `${NAME}` that the environment does not have and that has no default.",
        why="`validate` warns and concludes nothing from the value, since CI seldom has the variables of the machine "
        "on which the topology runs; for `up`, and everywhere for `${NAME:?message}`, it is an error.",
        bad="""
            devices:
              jobs:
                type: streamer
                in: {bind: "tcp://*:${JOBS_PORT}"}
                out: {bind: tcp://*:5560}
            """,
        good="""
            devices:
              jobs:
                type: streamer
                in: {bind: "tcp://*:${JOBS_PORT:-5559}"}
                out: {bind: tcp://*:5560}
            """,
    ),
    Explanation(
        "reading", "unsupported-version", "error",
        finds="A `version` whose integer part is newer than this program reads.",
        why="What a newer format means by a key that is known here may be something else.",
        bad="version: 2\ndevices: {}\n",
        good="version: 1.2\ndevices: {}\n",
    ),
)

SCHEMA: Final = (
    Explanation(
        "schema", "unknown-key", "error",
        finds="A key that the format does not have at that place.",
        why="A mistyped option would be ignored in silence. Keys that begin with `x-` are yours and never looked at.",
        bad="""
            devices:
              jobs:
                type: streamer
                in: {bind: tcp://*:5559, options: {rcvhmw: 50000}}
                out: {bind: tcp://*:5560}
            """,
        good="""
            devices:
              jobs:
                type: streamer
                in: {bind: tcp://*:5559, options: {rcvhwm: 50000}}
                out: {bind: tcp://*:5560}
            """,
    ),
    Explanation(
        "schema", "missing-key", "error",
        finds="A key that has to be there: `devices`, and `type`, `in` and `out` of a device.",
        why="There is no default that would be right for everybody.",
        bad="""
            devices:
              jobs:
                in: {bind: tcp://*:5559}
                out: {bind: tcp://*:5560}
            """,
        good=_GOOD,
    ),
    Explanation(
        "schema", "wrong-type", "error",
        finds="A value of another kind than its key takes: text for a number, a list for a mapping.",
        why="What it means is a guess, and a guess that is wrong shows at night.",
        bad="""
            devices:
              jobs:
                type: streamer
                in: {bind: 5559}
                out: {bind: tcp://*:5560}
            """,
        good=_GOOD,
    ),
    Explanation(
        "schema", "bad-value", "error",
        finds="A value of the right kind that its key does not take: an unknown word, a number out of range, "
        "a time without a known unit, a name that is too long or has a character that names do not have.",
        why="libzmq would refuse it when the device starts, or this program would not know what to do.",
        bad="""
            devices:
              jobs:
                type: steamer
                in: {bind: tcp://*:5559}
                out: {bind: tcp://*:5560}
            """,
        good=_GOOD,
    ),
)

UNUSED: Final = Explanation(
    "reading", "unused-ignore", "warning",
    finds="A comment `# zmqtopo: ignore[rule]` that silences nothing: the finding is gone, stands on another line, "
    "is an error of reading or of the schema, which no comment can make fit to run, or no rule has that name.",
    why="A reader of the comment believes that something is wrong there, and on the day when something is, "
    "nobody is told.",
    bad="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:5559}  # zmqtopo: ignore[privileged-port]
            out: {bind: tcp://*:5560}
        """,
    good="""
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://*:559}  # zmqtopo: ignore[privileged-port]
            out: {bind: tcp://*:5560}
        """,
)
