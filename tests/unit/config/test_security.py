"""What a profile of security means for the options of a socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from zmqtopo.checks import examine_text
from zmqtopo.config.model import File, Topology
from zmqtopo.config.security import protection

PROFILES = """
security:
  lan: {curve: /k/broker.key_secret, allow: /k/clients}
  client: {curve: /k/client.key_secret, server: /k/upstream.key}
  inner: {curve: /k/inner.key_secret}
  users: {plain: /k/users}
  near: {allow_ips: 10.0.0.0/8}
"""
SECURITY = ("curve_server", "curve_secretkey", "curve_publickey", "curve_serverkey", "plain_server", "plain_username",
            "plain_password", "zap_domain", "zap_enforce_domain")


def load(devices: str) -> Topology:
    topology = examine_text(f"{PROFILES}\n{devices}").topology
    assert topology is not None
    return topology


def options(topology: Topology, device: str, role: Any) -> Mapping[str, Any]:
    socket = topology.devices[device].socket(role)
    assert socket is not None
    return {name: value for name, value in socket.options.items() if name in SECURITY}


def domain(name: str) -> dict[str, Any]:
    return {"zap_domain": f"<text>/{name}" if "/" not in name else name, "zap_enforce_domain": True}


@pytest.mark.parametrize(("profile", "expected"), [
    ("lan", {"curve_server": True, "curve_secretkey": File("/k/broker.key_secret", "secret-key")}),
    ("users", {"plain_server": True}), ("near", {}),
])
def test_what_binds(profile: str, expected: dict[str, Any]) -> None:
    topology = load(f"""
name: t
devices:
  a: {{type: streamer, in: {{bind: tcp://*:5001, security: {profile}}}, out: {{bind: tcp://*:5002}}}}
""")
    assert options(topology, "a", "in") == {**domain("t/a.in"), **expected}
    assert options(topology, "a", "out") == {}


@pytest.mark.parametrize(("profile", "expected"), [
    ("client", {"curve_publickey": File("/k/client.key_secret", "public-key"),
                "curve_secretkey": File("/k/client.key_secret", "secret-key"),
                "curve_serverkey": File("/k/upstream.key", "public-key")}),
    ("users", {"plain_username": File("/k/users", "name"), "plain_password": File("/k/users", "password")}),
    ("near", {}),
])
def test_what_connects(profile: str, expected: dict[str, Any]) -> None:
    topology = load(f"""
devices:
  a: {{type: streamer, in: {{connect: tcp://h:5001, security: {profile}}}, out: {{bind: tcp://*:5002}}}}
""")
    assert options(topology, "a", "in") == expected


def test_a_reference_finds_the_key_of_the_other_end() -> None:
    topology = load("""
devices:
  a: {type: streamer, security: lan, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5002}}
  b: {type: streamer, security: inner, in: {connect: a.out}, out: {bind: tcp://*:5003, security: none}}
""")
    assert options(topology, "b", "in")["curve_serverkey"] == File("/k/broker.key_secret", "public-key")
    assert options(topology, "b", "out") == {}


def test_where_a_profile_comes_from() -> None:
    topology = load("""
defaults: {security: near}
devices:
  a: {type: streamer, in: {bind: tcp://*:5001}, out: {bind: tcp://*:5002, security: lan}}
  b: {type: streamer, security: none, in: {bind: tcp://*:5003}, out: {bind: tcp://*:5004, security: users}}
""")
    found = {f"{device.name}.{socket.role}": socket.security for device in topology.devices.values()
             for socket in device.sockets}
    assert found == {"a.in": "near", "a.out": "lan", "b.in": "", "b.out": "users"}


def test_inproc_needs_none() -> None:
    topology = load("""
devices:
  a: {type: streamer, security: lan, in: {bind: tcp://*:5001}, out: {bind: inproc://x}}
  b: {type: streamer, security: lan, in: {connect: a.out}, out: {bind: [inproc://y, tcp://*:5002]}}
""")
    assert options(topology, "a", "out") == options(topology, "b", "in") == {}
    assert "curve_server" in options(topology, "b", "out")


def test_an_option_by_hand_stays() -> None:
    topology = load("""
devices:
  a: {type: streamer, in: {bind: tcp://*:5001, security: near, options: {zap_domain: mine}}, out: {bind: tcp://*:5002}}
""")
    assert options(topology, "a", "in")["zap_domain"] == "mine"
    assert "zap_domain" not in topology.devices["a"].in_.secured_by


@pytest.mark.parametrize(("socket", "word"), [
    ("{bind: tcp://*:5001, security: lan}", "curve"), ("{bind: tcp://*:5001, security: users}", "plain"),
    ("{bind: tcp://*:5001, security: near}", "allowed"), ("{bind: tcp://*:5001}", ""),
    ("{bind: tcp://*:5001, options: {curve_server: true, curve_secretkey: {file: k}}}", "curve"),
    ("{bind: tcp://*:5001, options: {tcp_accept_filter: 10.0.0.0/8}}", "allowed"),
])
def test_what_protects_a_socket(socket: str, word: str) -> None:
    topology = load(f"devices:\n  a: {{type: streamer, in: {socket}, out: {{bind: tcp://*:5002}}}}\n")
    assert protection(topology.devices["a"].in_) == word
