from __future__ import annotations

import html
import re
import shutil
import subprocess
from textwrap import dedent

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.checks.graph import Graph
from zmqtopo.draw.dot import dot

TOPOLOGY = """
    name: all
    devices:
      ingest:
        type: monitored_queue
        description: 'says "hi" \\n & <b>'
        in: {type: XSUB, bind: [tcp://*:5561, ipc:///run/feed/in]}
        out: {type: XPUB, bind: "tcp://127.0.0.1:*"}
        mon: {bind: ipc:///run/feed/mon}
        graph: {color: steelblue, group: market}
      mirror:
        type: forwarder
        in: {type: XPUB, bind: tcp://*:5580}
        out: {type: XSUB, connect: tcp://far:5581}
      requests:
        type: queue
        run: process/back
        in: {bind: tcp://*:5559}
        out: {bind: tcp://*:5560}
      store:
        type: forwarder
        run: process/back
        in: {connect: ingest.out}
        out: {bind: tcp://*:5571}
    peers:
      feed: {type: PUB, connect: tcp://localhost:5561}
      clients: {type: REQ, connect: requests.in}
      workers: {type: REP, connect: requests.out}
      viewer: {type: SUB, connect: ingest.mon}
      listener: {type: SUB, connect: mirror.in}
    """


def drawn(yaml: str, *, with_problems: bool = True) -> str:
    checked = examine_text(dedent(yaml), environ={})
    assert checked.topology is not None
    return dot(Graph(checked.topology), checked.problems if with_problems else ())


def edge(picture: str, left: str, right: str) -> str:
    """The attributes of the one edge between two nodes, ports left out."""
    found = re.findall(rf'^ *"{re.escape(left)}"[^ ]* -> "{re.escape(right)}"[^ ]* \[(.*)\]$', picture, re.MULTILINE)
    assert len(found) == 1, picture
    return str(found[0])


@pytest.fixture(scope="module")
def picture() -> str:
    return drawn(TOPOLOGY)


@pytest.mark.parametrize(("left", "right", "attributes"), [
    ("peer:feed", "device:ingest", r'label="tcp://*:5561\npub/sub"'),
    ("device:ingest", "device:store", r'label="tcp://127.0.0.1:*\npub/sub"'),
    ("device:ingest", "peer:viewer", r'label="ipc:///run/feed/mon\npub/sub", style="dashed"'),
    ("peer:clients", "device:requests", r'label="tcp://*:5559\nrequest/reply", dir="both"'),
    ("device:requests", "peer:workers", r'label="tcp://*:5560\nrequest/reply", dir="both"'),
    ("endpoint:ipc:///run/feed/in", "device:ingest", 'label="pub/sub"'),
    ("device:store", "endpoint:tcp://*:5571", 'label="pub/sub"'),
    # A mirror stays the same way round, and its messages go from right to left.
    ("peer:listener", "device:mirror", r'label="tcp://*:5580\npub/sub", dir="back"'),
    ("device:mirror", "endpoint:tcp://far:5581", 'label="pub/sub", dir="back"'),
])
def test_edges(picture: str, left: str, right: str, attributes: str) -> None:
    assert edge(picture, left, right) == attributes


def test_there_is_no_edge_more(picture: str) -> None:
    assert picture.count(" -> ") == 9


def test_a_device_is_a_box_with_three_ports(picture: str) -> None:
    (box,) = [line for line in picture.splitlines() if line.strip().startswith('"device:ingest" [')]
    assert re.findall(r'port="(\w+)"', box) == ["in", "out", "mon"]
    assert re.findall(r'point-size="9">(\w+)<', box) == ["XSUB", "XPUB", "PUB"]
    assert 'color="steelblue"' in box
    assert r'tooltip="says \"hi\" \\n & <b>"' in box


def test_processes_and_groups_are_frames(picture: str) -> None:
    frames = re.findall(r'subgraph "(.*?)" \{\n.*\n((?: {4}.*\n)+) {2}\}', picture)
    assert [(name, re.findall(r'^ +"device:(\w+)" \[', body, re.MULTILINE)) for name, body in frames] == [
        ("cluster market", ["ingest"]), ("cluster process back", ["requests", "store"])]


def test_a_group_inside_a_process_is_a_frame_in_its_frame() -> None:
    text = drawn("""
        devices:
          a:
            type: streamer
            run: process/p
            in: {bind: tcp://*:5001}
            out: {bind: tcp://*:5002}
            graph: {group: g}
        """)
    assert text.index('subgraph "cluster process p"') < text.index('subgraph "cluster process p / g"')
    assert text.index('subgraph "cluster process p / g"') < text.index('"device:a" [')


def test_problems_are_red_and_nothing_else_is(picture: str) -> None:
    red = "#c62828"
    assert red not in picture
    bad = """
        devices:
          a: {type: streamer, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5001}}
          b: {type: streamer, in: {type: PUSH, bind: tcp://*:5003}, out: {bind: tcp://*:5004}}
          c: {type: streamer, in: {connect: tcp://127.0.0.1:5999}, out: {bind: tcp://*:5005}}
        """
    lines = [line for line in drawn(bad).splitlines() if red in line]
    assert [line.split(" [")[0].strip() for line in lines] == [
        '"device:b"', '"endpoint:tcp://*:5001" -> "device:a":"in":w', '"device:a":"out":e -> "endpoint:tcp://*:5001"']
    assert red not in drawn(bad, with_problems=False)


def test_the_order_of_the_file_does_not_matter() -> None:
    entries = [f"  d{n}: {{type: queue, in: {{bind: tcp://*:60{n}}}, out: {{bind: tcp://*:61{n}}}}}\n"
               for n in range(10, 20)]
    peers = [f"  p{n}: {{type: REQ, connect: d{n}.in}}\n" for n in range(10, 20)]
    one = "name: t\ndevices:\n" + "".join(entries) + "peers:\n" + "".join(peers)
    two = "name: t\npeers:\n" + "".join(peers[::-1]) + "devices:\n" + "".join(entries[::-1])
    assert drawn(one) == drawn(two)


NASTY = """
    name: größe-日本
    description: '"]; digraph {'
    devices:
      日本-1:
        type: streamer
        description: '<img src="x"/> \\ "quoted" {a|b}'
        in: {bind: 'ipc:///run/a"b\\c<d>&e{f}|g'}
        out: {bind: tcp://*:5001}
        graph: {color: 'red"/><x y="', group: 'g"; x {'}
    peers: {}
    """


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed, and only its dot can judge DOT")
@pytest.mark.parametrize("yaml", [TOPOLOGY, NASTY, "devices: {}"])
def test_graphviz_takes_it_without_a_word(yaml: str) -> None:
    done = subprocess.run(["dot", "-Tsvg"], input=drawn(yaml).encode(), capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    titles = [html.unescape(title) for title in re.findall(r"<title>(.*?)</title>", done.stdout.decode())]
    nodes = {t.partition(":")[2] for t in titles if t.startswith(("device:", "peer:")) and "->" not in t}
    assert nodes == set(re.findall(r'"(?:device|peer):(\S+)" \[', drawn(yaml)))
