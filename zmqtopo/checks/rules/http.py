"""Rules about the HTTP server: what others could reach there."""

from __future__ import annotations

from collections.abc import Iterator

from zmqtopo.checks.graph import Graph
from zmqtopo.checks.http import listening
from zmqtopo.checks.rule import Finding, rule


@rule(
    "security", "http-without-token", "error",
    finds="An HTTP server that other machines reach and that wants no token.",
    why="Everybody in the network could see the topology and its log, and with `control` stop its devices. It is "
    "refused; where a comment ignores this rule, it answers for metrics and health alone.",
    bad="""
        http: 0.0.0.0:9464
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://127.0.0.1:5559}
            out: {bind: tcp://127.0.0.1:5560}
        """,
    good="""
        http: {listen: 0.0.0.0:9464, token: {file: secrets/http.token}}
        devices:
          jobs:
            type: streamer
            in: {bind: tcp://127.0.0.1:5559}
            out: {bind: tcp://127.0.0.1:5560}
        """,
)
def http_without_token(graph: Graph) -> Iterator[Finding]:
    """Look for an address beyond loopback; a name other than localhost may mean any machine."""
    found = listening(graph)
    if found is not None and not found[1].is_loopback and found[0].token is None and "token" not in found[0].unread:
        yield Finding(found[0].place, f"http listens at {found[0].listen}, which other machines reach, without a token",
                      "add token: {file: PATH}, or listen at 127.0.0.1")
