"""Topologies that are drawn in every language."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.checks.graph import Graph
from zmqtopo.draw.picture import Picture, picture

ALL = """
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

BAD = """
    devices:
      a: {type: streamer, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5001}}
      b: {type: streamer, in: {type: PUSH, bind: tcp://*:5003}, out: {bind: tcp://*:5004}}
      c: {type: streamer, in: {connect: tcp://127.0.0.1:5999}, out: {bind: tcp://*:5005}}
    """

# What is wrong here is the type of a device, and that a peer has none.
MISTAKEN = """
    devices:
      d: {type: queue, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5002}}
    peers:
      p: {type: PUSH, connect: d.in}
      q: {type: PULL, connect: d.out}
      r: {connect: tcp://far:1}
    """

# Words and marks of DOT, Mermaid, HTML and Markdown, in every place that takes a text. Some are errors, and drawn all
# the same.
NASTY = r"""
    name: größe-日本
    description: '"]; digraph {'
    devices:
      end:
        type: streamer
        description: "<img src=\"x\"/> \\ \"quoted\" {a|b} \e[31m \x01"
        in: {bind: 'ipc:///run/a"b\c<d>&e{f}|g style:x y'}
        out: {bind: 'ipc:///tmp/direction LR;#35;'}
        graph: {color: 'red"/><x y="', group: subgraph}
      'say "hi" <b>&[x](y)|{z}`*_~':
        type: streamer
        in: {connect: 'ipc:///tmp/direction LR;#35;'}
        out: {bind: 'tcp://*:5002'}
        graph: {group: 'g"; x {'}
      日本-1: {type: queue, in: {connect: style.connect}, out: {bind: 'tcp://*:6001'}}
      हिन्दी: {type: queue, in: {connect: 'tcp://far:1'}, out: {bind: 'tcp://*:6005'}}
      a_2d_b: {type: queue, in: {connect: 'tcp://far:1'}, out: {bind: 'tcp://*:6006'}}
      a-b--: {type: queue, in: {connect: 'tcp://far:1'}, out: {bind: 'tcp://*:6007'}}
    peers:
      end: {type: PUSH, connect: end.in}
      default: {type: DEALER, bind: 'tcp://far:1'}
      class: {type: PULL, connect: 'ipc:///tmp/-->|x| classDef:a#b;'}
      graph: {type: PULL, connect: 'ipc:///tmp/%%{init: {}}%%'}
      style: {type: PULL, connect: 'ipc:///tmp/<script>alert(1)</script>'}
      href: {type: PULL, connect: 'ipc:///tmp/`x` $$$$x$$$$ **b** 1. y'}
      click: {type: PULL, connect: 'ipc:///tmp/é &amp; \N'}
      x: {type: PULL, connect: 'ipc:///tmp/o'}
    """


def forty() -> str:
    """Forty devices of three processes and of their own, as a company with four markets may have them."""
    devices, peers = ["name: forty", "devices:"], ["peers:"]
    port = 6000
    for region in ("asia", "eu", "latam", "us"):
        process = f"process/{region}"
        devices.append(f"  ingest-{region}: {{type: monitored_queue, run: {process}, "
                       f"in: {{type: XSUB, bind: tcp://*:{port}}}, "
                       f"out: {{type: XPUB, bind: ipc:///run/feed/{region}-out}}, "
                       f"mon: {{bind: ipc:///run/feed/{region}-mon}}}}")
        for n in range(4):
            port += 1
            devices.append(f"  split-{region}-{n}: {{type: forwarder, run: {process}, "
                           f"in: {{connect: ingest-{region}.out}}, out: {{bind: tcp://*:{port}}}}}")
        devices += [f"  sink-{region}-{n}: {{type: streamer, run: process, "
                    f"in: {{type: SUB, connect: split-{region}-{n}.out}}, out: {{connect: store.in}}}}"
                    for n in range(3)]
        devices.append(f"  rpc-{region}: {{type: queue, in: {{bind: tcp://*:{port + 1}}}, "
                       f"out: {{bind: tcp://*:{port + 2}}}}}")
        peers += [f"  feed-{region}: {{type: PUB, connect: ingest-{region}.in}}",
                  f"  audit-{region}: {{type: SUB, connect: ingest-{region}.mon}}",
                  f"  clients-{region}: {{type: REQ, connect: rpc-{region}.in}}",
                  f"  workers-{region}: {{type: REP, connect: rpc-{region}.out}}"]
        port += 3
    splits = ", ".join(f"split-{region}-3.out" for region in ("asia", "eu", "latam", "us"))
    devices += [f"  store: {{type: streamer, in: {{bind: tcp://*:{port}}}, out: {{connect: tcp://db:7000}}}}",
                f"  prices: {{type: forwarder, in: {{connect: [{splits}]}}, out: {{bind: tcp://*:{port + 1}}}}}",
                f"  last: {{type: forwarder, in: {{connect: prices.out}}, out: {{bind: tcp://*:{port + 2}}}}}",
                f"  archive: {{type: forwarder, in: {{connect: last.out}}, out: {{bind: tcp://*:{port + 3}}}}}"]
    peers.append("  screens: {type: SUB, connect: last.out}")
    return "\n".join([*devices, *peers, ""])


TOPOLOGIES = {"all": ALL, "bad": BAD, "mistaken": MISTAKEN, "nasty": NASTY, "forty": forty(), "empty": "devices: {}"}

Draw = Callable[..., Picture]


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Make the picture of a text in YAML, or of one of TOPOLOGIES."""

    def draw(yaml: str, *, focus: str | None = None, with_problems: bool = True) -> Picture:
        checked = examine_text(dedent(TOPOLOGIES.get(yaml, yaml)), environ={})
        assert checked.topology is not None
        return picture(Graph(checked.topology), checked.problems if with_problems else (), focus)

    return draw
