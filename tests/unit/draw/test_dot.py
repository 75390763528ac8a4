from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest

from zmqtopo.config.model import DeviceType
from zmqtopo.draw.dot import FILLS, RATE_ROOM, STATE_ROOM, dot, live_dot
from zmqtopo.draw.picture import frames

needs_graphviz = pytest.mark.skipif(
    shutil.which("dot") is None, reason="Graphviz is not installed, and only its dot can judge DOT")


def edge(text: str, left: str, right: str) -> str:
    """The attributes of the one edge between two nodes, ports left out."""
    found = re.findall(rf'^ *"{re.escape(left)}"[^ ]* -> "{re.escape(right)}"[^ ]* \[(.*)\]$', text, re.MULTILINE)
    assert len(found) == 1, text
    return str(found[0])


@pytest.fixture(scope="module")
def everything(draw) -> str:
    return dot(draw("all", with_problems=False))


@pytest.mark.parametrize(("left", "right", "words", "attributes"), [
    ("peer:feed", "device:ingest", "tcp://*:5561<br/>pub/sub", 'arrowhead="dotnormal"'),
    ("device:ingest", "device:store", "tcp://127.0.0.1:*<br/>pub/sub", 'dir="both", arrowtail="dot"'),
    ("device:ingest", "peer:viewer", "ipc:///run/feed/mon<br/>pub/sub",
     'dir="both", arrowtail="dot", style="dashed"'),
    ("peer:clients", "device:requests", "tcp://*:5559<br/>request/reply", 'dir="both", arrowhead="dotnormal"'),
    ("device:requests", "peer:workers", "tcp://*:5560<br/>request/reply", 'dir="both", arrowtail="dotnormal"'),
    ("endpoint:ipc:///run/feed/in", "device:ingest", "pub/sub", 'arrowhead="dotnormal"'),
    ("device:store", "endpoint:tcp://*:5571", "pub/sub", 'dir="both", arrowtail="dot"'),
    # A mirror stays the same way round, and its messages go from right to left.
    ("peer:listener", "device:mirror", "tcp://*:5580<br/>pub/sub", 'dir="both", arrowhead="dot"'),
    ("device:mirror", "endpoint:tcp://far:5581", "pub/sub", 'dir="back"'),
])
def test_edges(everything: str, left: str, right: str, words: str, attributes: str) -> None:
    label = f'label=<{words}<br/><font point-size="4"> </font>>'
    assert edge(everything, left, right) == ", ".join(filter(None, [label, attributes]))


FAN = """
    name: fan
    description: one to <three>
    devices:
      a: {type: forwarder, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5002}}
      b: {type: forwarder, in: {connect: a.out}, out: {bind: tcp://*:5003}}
      c: {type: forwarder, in: {connect: a.out}, out: {bind: tcp://*:5004}}
      d: {type: queue, in: {bind: tcp://*:5005}, out: {bind: tcp://*:5006}}
    peers:
      p: {type: SUB, connect: a.out}
    """


def test_edges_that_say_the_same_have_one_label(draw) -> None:
    text = dot(draw(FAN))
    assert text.count("tcp://*:5002<br/>") == 1
    assert edge(text, "device:a", "device:b").startswith("label=<tcp://*:5002<br/>pub/sub<br/>")
    assert edge(text, "device:a", "device:c") == 'tooltip="tcp://*:5002, pub/sub", dir="both", arrowtail="dot"'


def test_it_has_a_title_and_a_legend_of_what_is_drawn(draw) -> None:
    title = dot(draw(FAN)).splitlines()[-2]
    words = re.sub("<[^>]*>", "|", title)
    assert [word for word in words.split("|") if word.strip()][1:-1] == [
        "fan", "one to &lt;three&gt;", "forwarder", "queue", "● this side binds",
        "dashed ellipse: an address that this file uses at one side"]
    title = dot(draw("devices: {}")).splitlines()[-2]
    assert "binds" not in title
    assert "- - copies of mon" in dot(draw("all")).splitlines()[-2]


def luminance(colour: str) -> float:
    """As WCAG 2.2 defines it, from 0 for black to 1 for white."""
    parts = [int(colour[n:n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_type_has_a_colour_of_its_own_on_which_black_is_read(draw) -> None:
    assert set(FILLS) == set(get_args(DeviceType))
    assert len(set(FILLS.values())) == len(FILLS)
    for fill in FILLS.values():
        assert (luminance(fill) + 0.05) / 0.05 > 15     # 7 is what WCAG asks at its strictest
    (box,) = [line for line in dot(draw(FAN)).splitlines() if line.strip().startswith('"device:d" [')]
    assert f'bgcolor="{FILLS["queue"]}"' in box


def test_focus_shows_where_it_goes_on(draw) -> None:
    text = dot(draw(FAN, focus="b"))
    assert '"more:right:device:a" [shape="plain"' in text
    assert 'label="… 2 more"' in text
    assert '"more:left:device:a" -> "device:a" [style="dotted", arrowhead="none"]' in text
    assert '"device:a" -> "more:right:device:a"' in text
    assert "··· it goes on here" in text
    assert "more:" not in dot(draw(FAN))


def test_there_is_no_edge_more(everything: str) -> None:
    assert everything.count(" -> ") == 9


def test_a_device_is_a_box_with_three_ports(everything: str) -> None:
    (box,) = [line for line in everything.splitlines() if line.strip().startswith('"device:ingest" [')]
    assert re.findall(r'port="(\w+)"', box) == ["in", "out", "mon"]
    assert re.findall(r'point-size="9">(\w+)<', box) == ["XSUB", "XPUB", "PUB"]
    assert 'color="steelblue"' in box
    assert r'tooltip="says \"hi\" \\n &amp; <b>"' in box


def test_processes_and_groups_are_frames(everything: str) -> None:
    frames = re.findall(r'subgraph "(.*?)" \{\n.*\n((?: {4}.*\n)+) {2}\}', everything)
    assert [(name, re.findall(r'^ +"device:(\w+)" \[', body, re.MULTILINE)) for name, body in frames] == [
        ("cluster market", ["ingest"]), ("cluster process back", ["requests", "store"])]


def test_a_group_inside_a_process_is_a_frame_in_its_frame(draw) -> None:
    text = dot(draw("""
        devices:
          a:
            type: streamer
            run: process/p
            in: {bind: tcp://*:5001}
            out: {bind: tcp://*:5002}
            graph: {group: g}
        """))
    assert text.index('subgraph "cluster process p"') < text.index('subgraph "cluster process p / g"')
    assert text.index('subgraph "cluster process p / g"') < text.index('"device:a" [')


def test_problems_are_red_and_nothing_else_is(draw) -> None:
    lines = [line for line in dot(draw("bad")).splitlines() if "#c62828" in line]
    assert [line.split(" [")[0].strip() for line in lines] == [
        '"device:b"', '"device:a":"out":e -> "endpoint:tcp://*:5001 of a.out"',
        '"endpoint:tcp://*:5001 of a.in" -> "device:a":"in":w']
    for name in ("all", "bad"):
        assert "#c62828" not in dot(draw(name, with_problems=False))


def test_what_is_red_says_which_rule_it_breaks(draw) -> None:
    text = dot(draw("bad"))
    conflict = edge(text, "device:a", "endpoint:tcp://*:5001 of a.out")
    assert conflict.startswith("label=<push/pull<br/>bind-conflict<br/>")
    (box,) = [line for line in text.splitlines() if line.strip().startswith('"device:b" [')]
    assert box.count('<br/><font point-size="9" color="#c62828">socket-pair</font></td>') == 2
    text = dot(draw("mistaken"))
    (box,) = [line for line in text.splitlines() if line.strip().startswith('"device:d" [')]
    assert box.count('queue</font><br/><font point-size="9" color="#c62828">incompatible-peers</font></td>') == 1
    (peer,) = [line for line in text.splitlines() if line.strip().startswith('"peer:r" [')]
    assert r'label="r\n\nmissing-key", fontcolor="#c62828"' in peer


@needs_graphviz
@pytest.mark.parametrize("name", ["all", "bad", "mistaken", "nasty", "forty", "empty"])
def test_graphviz_takes_it_without_a_word(draw, name: str) -> None:
    picture = draw(name)
    done = subprocess.run(["dot", "-Tsvg"], input=dot(picture).encode(), capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    drawing = ElementTree.fromstring(done.stdout)
    texts = {element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")}
    assert texts >= {owner.name for owner in (*picture.devices, *picture.peers)}
    assert texts >= {arrow.node.text for arrow in picture.arrows}
    assert texts >= {title for owner in (*picture.devices, *picture.peers) for title in frames(owner)}
    nodes = [element for element in drawing.iter() if element.get("class") == "node"]
    assert len(nodes) == len(picture.devices) + len(picture.peers) + len(picture.addresses)
    edges = [element for element in drawing.iter() if element.get("class") == "edge"]
    assert len(edges) == len(picture.arrows)


# -- how it looks -----------------------------------------------------------------------------------------------------

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points."""


def laid_out(text: str) -> dict[str, Any]:
    done = subprocess.run(["dot", "-Tjson"], input=text.encode(), capture_output=True, timeout=60, check=True)
    return dict(json.loads(done.stdout))


def texts(thing: dict[str, Any]) -> list[Box]:
    """The boxes of the lines of text that Graphviz writes for a node, an edge or a frame."""
    boxes, size = [], 0.0
    for operation in [*thing.get("_draw_", []), *thing.get("_ldraw_", [])]:
        if operation["op"] == "F":
            size = operation["size"]
        elif operation["op"] == "T" and operation["text"].strip():
            (x, y), width = operation["pt"], operation["width"]
            left = x - {"l": 0, "c": width / 2, "r": width}[operation["align"]]
            boxes.append((left, y, left + width, y + size * 0.7))    # the capitals; y is the base line
    return boxes


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def frame_of(node: dict[str, Any]) -> Box:
    x, y = (float(number) for number in node["pos"].split(","))
    width, height = float(node["width"]) * 72, float(node["height"]) * 72
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


EXAMPLES = {path.stem: path.read_text("utf-8") for path in (Path(__file__).parents[3] / "topologies").glob("*.yaml")}


def plan_of(draw: Any, name: str) -> dict[str, Any]:
    return laid_out(dot(draw(EXAMPLES.get(name, name))))


@needs_graphviz
@pytest.mark.parametrize("name", ["all", "bad", "mistaken", "forty", *sorted(EXAMPLES)])
def test_no_label_lies_on_another_or_on_a_box(draw, name: str) -> None:
    plan = plan_of(draw, name)
    written = [box for thing in [*plan["objects"], *plan["edges"]] for box in texts(thing)]
    assert len(written) >= 10
    assert [pair for pair in combinations(written, 2) if overlap(*pair)] == []
    nodes = [frame_of(node) for node in plan["objects"] if "pos" in node]
    labels = [box for thing in plan["edges"] for box in texts(thing)]
    assert [(label, node) for label in labels for node in nodes if overlap(label, node)] == []


@needs_graphviz
@pytest.mark.parametrize("name", ["all", "forty", *sorted(EXAMPLES)])
def test_it_reads_from_left_to_right(draw, name: str) -> None:
    plan = plan_of(draw, name)
    frames = {node["_gvid"]: frame_of(node) for node in plan["objects"] if "pos" in node}
    for drawn in plan["edges"]:
        assert frames[drawn["tail"]][2] < frames[drawn["head"]][0], drawn
    columns = [frames[node["_gvid"]][0] for name in ("feed-eu", "ingest-eu", "split-eu-0", "sink-eu-0", "store")
            for node in plan["objects"] if node["name"].endswith(f":{name}")]
    assert all(left < right for left, right in pairwise(columns))


# -- a drawing that a program fills in -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def live(draw) -> str:
    return live_dot(draw("all", with_problems=False))


def test_each_node_has_its_name_as_id(live: str) -> None:
    nodes = re.findall(r'^ *("(?:device|peer):[^"]+") \[', live, re.MULTILINE)
    assert re.findall(r' id=("(?:device|peer):[^">]+")\]', live) == nodes


def test_each_edge_has_its_ends_as_id_and_says_which_way_messages_go(live: str) -> None:
    edges = dict(re.findall(r' id="([^"]+#\d+)", class="([^"]+)"', live))
    assert edges["peer:feed>device:ingest.in#1"] == "forward"
    assert edges["device:ingest.mon>peer:viewer#1"] == "forward monitor"
    assert edges["peer:clients>device:requests.in#1"] == "both"
    assert edges["peer:listener>device:mirror.in#1"] == "back"
    assert edges["device:store.out>endpoint:tcp://*:5571#1"] == "forward"
    assert len(edges) == live.count(" -> ")


def test_edges_between_the_same_ends_are_counted(draw) -> None:
    drawn = live_dot(draw("""\
        devices: {a: {type: streamer, in: {bind: ["tcp://*:1025", "tcp://*:1026"]}, out: {bind: "tcp://*:1027"}}}
        peers: {b: {type: PUSH, connect: ["tcp://localhost:1025", "tcp://localhost:1026"]}}
    """))
    assert re.findall(r' id="(peer:b>[^"]+)"', drawn) == ["peer:b>device:a.in#1", "peer:b>device:a.in#2"]


def test_there_is_room_for_each_state_and_each_rate(live: str) -> None:
    assert live.count(STATE_ROOM) == len(re.findall(r'^ *"device:[^"]+" \[', live, re.MULTILINE))
    ways = [2 if kinds.startswith("both") else 1 for kinds in re.findall(r' class="([^"]+)"', live)]
    assert live.count(RATE_ROOM) == sum(ways)


@needs_graphviz
def test_graphviz_draws_it(live: str) -> None:
    done = subprocess.run(["dot", "-Tsvg"], input=live, capture_output=True, text=True, check=True)
    ids = {node.get("id") for node in ElementTree.fromstring(done.stdout).iter()}
    assert {"device:ingest", "peer:feed", "peer:feed>device:ingest.in#1"} <= ids
    assert done.stderr == ""
