from __future__ import annotations

import time
from pathlib import Path

import pytest

from zmqtopo.checks import examine_all
from zmqtopo.config.yaml.markdown import blocks

TOPOLOGY = "devices: {}"


@pytest.mark.parametrize(("text", "found"), [
    (f"```yaml\n{TOPOLOGY}\n```", [(1, 2)]),
    (f"~~~ yml\n{TOPOLOGY}\n~~~~", [(1, 2)]),
    (f'text\n\n```YAML title="a"\nversion: 1\n{TOPOLOGY}\n```\n', [(3, 5)]),
    (f"```yaml\n{TOPOLOGY}", [(1, 2)]),                                 # never closed
    (f"````yaml\n```\n{TOPOLOGY}\n````", [(1, 3)]),                     # a shorter fence closes nothing
    (f"````text\n```yaml\n{TOPOLOGY}\n```\n````", []),                  # a block about a block
    (f"```yaml\n{TOPOLOGY}\n~~~\n```", [(1, 3)]),
    (f"- a\n  ```yaml\n  {TOPOLOGY}\n  ```", [(2, 3)]),                 # in a list
    (f"1. ```yaml\n   {TOPOLOGY}\n   ```", [(1, 2)]),
    ("```yaml\n'devices':\n  a: 1\n```", [(1, 3)]),
    ("```yaml\nspec:\n  devices: 1\n```", []),
    ("```yaml\n# devices: 1\na: 1\n```", []),
    ("```yaml\ndevices_of: 1\n```", []),
    (f"```json\n{TOPOLOGY}\n```", []), (f"```\n{TOPOLOGY}\n```", []), (TOPOLOGY, []), ("", []),
    ("``` yaml `x` ```\n", []),                                         # code in a line, no fence
    (f"```yaml\n{TOPOLOGY}\n```\n```yaml\n{TOPOLOGY}\n```", [(1, 2), (4, 5)]),
])
def test_where_topologies_stand(text: str, found: list[tuple[int, int]]) -> None:
    assert list(blocks(text.split("\n"))) == found


def test_both_places_are_those_of_the_markdown_file(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("# x\n```yaml\ndevices:\n  a:\n    type: streamer\n    in: {bind: tcp://*:5000}\n"
                    "    out: {bind: tcp://*:5000}\n```\n```yaml\ndevices:\n- 1\n```\n")
    first, second = examine_all(path)
    conflict, = first.problems
    assert (conflict.rule, conflict.place.line, conflict.other and conflict.other.line) == ("bind-conflict", 7, 6)
    assert [(p.rule, p.place.line) for p in second.problems] == [("wrong-type", 11)]
    assert (first.above, second.above) == (2, 9)


def test_many_blocks_take_time_in_proportion(tmp_path: Path) -> None:
    """With the whole file read for each block, this would take hours."""
    path = tmp_path / "many.md"
    path.write_text("```yaml\ndevices: {}\n```\n" * 5000)
    start = time.monotonic()
    assert sum(1 for _ in examine_all(path)) == 5000
    assert time.monotonic() - start < 20
