from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess

import pytest

from zmqtopo.draw.mermaid import mermaid
from zmqtopo.draw.picture import frames, kind

from .conftest import MISTAKEN, TOPOLOGIES

MMDC = shutil.which("mmdc")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_mermaid = pytest.mark.skipif(
    MMDC is None or CHROMIUM is None,
    reason="mermaid-cli (mmdc) and Chromium are not both in PATH, and only they can judge Mermaid",
)


@pytest.fixture(scope="module")
def everything(draw) -> str:
    return mermaid(draw("all", with_problems=False))


@pytest.mark.parametrize("line", [
    'peer_feed -->|"tcp://#42;:5561<br/>pub/sub"| device_ingest',
    'device_ingest -->|"tcp://127.0.0.1:#42;<br/>pub/sub"| device_store',
    'device_ingest -..->|"ipc:///run/feed/mon<br/>pub/sub"| peer_viewer',
    'peer_clients <-->|"tcp://#42;:5559<br/>request/reply"| device_requests',
    'device_requests <-->|"tcp://#42;:5560<br/>request/reply"| peer_workers',
    'device_mirror -->|"tcp://#42;:5580<br/>pub/sub"| peer_listener',
    'device_ingest["<b>ingest</b><br/>monitored#32;queue<br/>in XSUB, binds<br/>out XPUB, binds<br/>'
    'mon PUB, binds"]:::monitored_queue',
    "style device_ingest stroke:steelblue",
    'peer_viewer("viewer<br/>SUB")',
    'endpoint_tcp_far_5581(["tcp://far:5581"]):::address',
    'endpoint_tcp_far_5581 -->|"pub/sub"| device_mirror',
    'subgraph frame_process_back["process#32;back"]',
])
def test_lines(everything: str, line: str) -> None:
    assert line in [each.strip() for each in everything.splitlines()]


def test_there_is_no_edge_more(everything: str) -> None:
    assert everything.count(">|") == 9


def test_problems_are_red_and_nothing_else_is(draw) -> None:
    text = mermaid(draw("bad"))
    assert re.findall(r"(\w+)\[.*:::wrong", text) == ["device_b"]
    assert "in PUSH, binds<br/>⚠ socket-pair<br/>out PUSH, binds<br/>⚠ socket-pair" in text
    edges = [line.strip() for line in text.splitlines() if ">|" in line]
    assert [edges[int(number)] for number in re.findall(r"linkStyle (\d+) stroke:#c62828", text)] == [
        'device_a -->|"push/pull<br/>⚠ bind-conflict"| endpoint_tcp_5001_of_a_out',
        'endpoint_tcp_5001_of_a_in -->|"push/pull<br/>⚠ bind-conflict"| device_a',
    ]
    assert not re.search(":::wrong|linkStyle|⚠", mermaid(draw("bad", with_problems=False)))


def test_a_device_and_a_peer_say_what_is_wrong_with_them(draw) -> None:
    text = mermaid(draw(MISTAKEN))
    assert ('device_d["<b>d</b><br/>queue<br/>⚠ incompatible-peers<br/>in ROUTER, binds<br/>out DEALER, binds"]:::wrong'
            in text)
    assert 'peer_r("r<br/><br/>⚠ missing-key"):::wrong' in text


FAN = """
    name: fan
    description: 'one: "three"'
    devices:
      a: {type: forwarder, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5002}}
      c: {type: forwarder, in: {connect: a.out}, out: {bind: tcp://*:5004}}
      d: {type: forwarder, in: {connect: a.out}, out: {bind: "ipc:///run/feed/out.sock"}}
    """


def test_it_has_a_title(draw) -> None:
    assert mermaid(draw(FAN)).startswith('---\ntitle: "fan - one: \\"three\\""\n---\nflowchart LR\n')


def test_edges_that_say_the_same_have_one_label(draw) -> None:
    lines = mermaid(draw(FAN)).splitlines()
    assert '  device_a -->|"tcp://#42;:5002<br/>pub/sub"| device_c' in lines
    assert "  device_a --> device_d" in lines


def test_a_device_more_is_some_lines_more_and_changes_no_other(draw) -> None:
    more = FAN.rstrip() + "\n      e_e: {type: queue, in: {connect: tcp://a-b:1}, out: {bind: tcp://*:5009}}\n"
    before, after = (mermaid(draw(text)).splitlines() for text in (FAN, more))
    assert [line for line in before if line not in after] == []
    assert '  endpoint_tcp_a_b_1(["tcp://a-b:1"]):::address' in after


def test_focus_shows_where_it_goes_on(draw) -> None:
    lines = mermaid(draw(FAN, focus="c")).splitlines()
    assert '  device_a -.- more_right_device_a(["… 1 more"]):::address' in lines
    assert '  more_left_device_a(["… 1 more"]):::address -.- device_a' in lines


def test_two_names_are_never_one_identifier(draw) -> None:
    names = ["a-b", "a_b", "a_2d_b", "a--b", "a__b", "a_2d_", "a-", "end", "END", "style", "_73_tyle"]
    text = mermaid(draw("devices:\n" + "".join(
        f"  {name}: {{type: queue, in: {{bind: tcp://*:60{n:02}}}, out: {{bind: tcp://*:61{n:02}}}}}\n"
        for n, name in enumerate(names))))
    assert len(set(re.findall(r"^ *(device_\w+)\[", text, re.MULTILINE))) == len(names)


@pytest.fixture(scope="module")
def drawings(draw, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Each of TOPOLOGIES as Mermaid draws it, all on one page, since it starts a Chromium for every file."""
    folder = tmp_path_factory.mktemp("mermaid")
    (folder / "puppeteer.json").write_text(json.dumps({"executablePath": CHROMIUM, "args": ["--no-sandbox"]}))
    (folder / "in.md").write_text("\n".join(f"```mermaid\n{mermaid(draw(name))}```\n" for name in TOPOLOGIES), "utf-8")
    assert MMDC is not None
    done = subprocess.run(
        [MMDC, "--quiet", "--puppeteerConfigFile", "puppeteer.json", "--input", "in.md", "--output", "out.svg"],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "HOME": str(folder)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return {name: (folder / f"out-{n}.svg").read_text("utf-8") for n, name in enumerate(TOPOLOGIES, 1)}


@needs_mermaid
@pytest.mark.parametrize("name", TOPOLOGIES)
def test_mermaid_draws_every_text_as_it_is(draw, drawings: dict[str, str], name: str) -> None:
    picture = draw(name)
    drawing = drawings[name]
    labels = re.findall(r"<p>(.*?)</p>", drawing, re.DOTALL)
    drawn = {html.unescape(re.sub(r"<br ?/?>", "\n", label)) for label in labels}
    wanted = set()

    def lines(of, *words: str) -> str:
        return "\n".join([*words, *(f"⚠ {rule}" for rule in picture.faults(of))])

    for owner in (*picture.devices, *picture.peers):
        wanted.update(frames(owner))
    for device in picture.devices:
        sockets = [lines(s, f"{s.role} {s.type}{', binds' if s.bind else ''}") for s in device.sockets]
        wanted.add("\n".join([lines(device, f"<b>{device.name}</b>", kind(device)), *sockets]))
    wanted |= {lines(peer, peer.name, peer.type + (", binds" if peer.bind else "")) for peer in picture.peers}
    wanted |= {node.text for node in picture.addresses}
    wanted |= {lines(a, *([] if a.is_alone else [a.node.text]), a.pattern) for n, a in enumerate(picture.arrows)
               if n not in picture.repeats}
    assert drawn == wanted
