from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zmqtopo.config.model import File
from zmqtopo.config.options import option_value, spelled_out
from zmqtopo.config.schema.definitions import option_rules, schema
from zmqtopo.config.units import quantity, respelled


@pytest.mark.parametrize(("option", "said", "value"), [
    ("linger", 500, 500), ("linger", -1, -1), ("linger", "500ms", 500), ("linger", "1.5s", 1500),
    ("linger", "2m", 120000), ("linger", "0.5h", 1800000), ("linger", "0.1s", 100), ("linger", 5.0, 5),
    ("tcp_keepalive_idle", 60, 60), ("tcp_keepalive_idle", "2m", 120), ("tcp_keepalive_idle", "5000ms", 5),
    ("sndbuf", "4MiB", 4194304), ("sndbuf", "1.5KiB", 1536), ("sndbuf", "1kB", 1000), ("sndbuf", "12B", 12),
    ("maxmsgsize", "1GiB", 1073741824), ("maxmsgsize", -1, -1), ("maxmsgsize", "2GB", 2000000000),
    ("norm_buffer_size", "2MB", 2000), ("norm_buffer_size", "1KiB", 2), ("norm_buffer_size", 512, 512),
    ("ipv6", True, True), ("ipv6", 0, False), ("tcp_keepalive", True, 1), ("tcp_keepalive", -1, -1),
    ("routing_id", "ü", "ü"), ("routing_id", b"a", "a"), ("routing_id", b"\xff\x00", b"\xff\x00"),
    ("subscribe", "a", ("a",)), ("subscribe", ["a", b"b", b"\xff"], ("a", "b", b"\xff")), ("subscribe", [], ()),
    ("ipc_filter_uid", 5, (5,)), ("ipc_filter_uid", [5, 6], (5, 6)),
    ("curve_secretkey", {"file": "k/secret"}, File("/etc/zmqtopo/k/secret")),
    ("curve_secretkey", {"file": "/run/secret"}, File("/run/secret")),
    ("curve_secretkey", b"a" * 32, b"a" * 32),
])
def test_value(option: str, said: Any, value: object) -> None:
    found = option_value(option, said, Path("/etc/zmqtopo"))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("option", "said", "message"), [
    ("linger", "0.5ms", "0.5ms is not a whole number of milliseconds"),
    ("tcp_keepalive_idle", "500ms", "500ms is not a whole number of seconds"),
    ("sndbuf", "0.3B", "0.3B is not a whole number of bytes"),
    ("sndbuf", "2GiB", "2GiB is over the limit of 2147483647 bytes"),
    ("linger", "600h", "600h is over the limit of 2147483647 milliseconds"),
    ("multicast_maxtpdu", "0B", "0B is under the limit of 1 bytes"),
    ("tcp_keepalive_idle", "12h", "12h is over the limit of 32767 seconds"),
    ("tcp_keepalive_intvl", "32768s", "32768s is over the limit of 32767 seconds"),
    ("tcp_keepalive_idle", "0s", "tcp_keepalive_idle is 1 or more, or -1"),
    ("tcp_keepalive_cnt", 0, "tcp_keepalive_cnt is 1 or more, or -1"),
    ("routing_id", "", "routing_id has from 1 to 255 bytes, and this has 0"),
    ("routing_id", "é" * 128, "routing_id has from 1 to 255 bytes, and this has 256"),
    ("routing_id", b"\0a", "routing_id must not begin with a zero byte"),
    ("identity", "", "identity has from 1 to 255 bytes, and this has 0"),
    ("identity", "i" * 256, "identity has from 1 to 255 bytes, and this has 256"),
    ("identity", b"\0a", "identity must not begin with a zero byte"),
    ("connect_routing_id", "", "connect_routing_id has from 1 to 255 bytes"),
    ("plain_username", "a" * 256, "plain_username has from 1 to 255 bytes, and this has 256"),
    ("zap_domain", "", "zap_domain has from 1 to 255 bytes"),
    ("bindtodevice", "a" * 16, "bindtodevice has from 1 to 15 bytes"),
    ("bindtodevice", "eth0/1", "bindtodevice is not a valid name of a network interface"),
    ("socks_proxy", "proxy", "socks_proxy is not a valid address"),
    ("socks_proxy", "*:1080", "socks_proxy is not a valid address"),
    ("tcp_accept_filter", "localhost", "tcp_accept_filter is not a valid address or network"),
    ("tcp_accept_filter", ["10.0.0.0/8", "10.0.0.0/33"], "tcp_accept_filter is not a valid address or network"),
    ("tcp_accept_filter", "10.0.0.0/255.0.0.0", "tcp_accept_filter is not a valid address or network"),
    ("metadata", "X-a", "metadata has the form X-NAME:VALUE"),
    ("curve_publickey", "#" * 40, "curve_publickey is not a valid key"),
    ("curve_secretkey", {"file": "a\0b"}, "the path of the file has a zero byte"),
])
def test_out_of_range(option: str, said: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        option_value(option, said, Path())


@pytest.mark.parametrize(("said", "seconds"), [(5, 5.0), (0.25, 0.25), ("100ms", 0.1), ("1.5m", 90.0), ("1h", 3600.0)])
def test_duration(said: float | str, seconds: float) -> None:
    assert quantity(said, schema()["definitions"]["duration"]) == seconds


@pytest.mark.parametrize(("type_", "options", "spelled"), [
    ("PULL", {"hwm": 5}, {"sndhwm": 5, "rcvhwm": 5}),
    ("PULL", {"hwm": 5, "rcvhwm": 7}, {"sndhwm": 5, "rcvhwm": 7}),
    ("SUB", {"hwm": 5}, {"rcvhwm": 5}),
    ("XSUB", {"hwm": 5, "sndhwm": 7}, {"rcvhwm": 5, "sndhwm": 7}),
    ("XSUB", {"hwm": 5, "rcvhwm": 7}, {"rcvhwm": 7}),
    ("PULL", {"ipv4only": False}, {"ipv6": True}),
    ("PULL", {"ipv4only": True, "ipv6": True}, {"ipv6": True}),
    ("PULL", {"identity": "a"}, {"routing_id": "a"}),
    ("PULL", {"identity": "a", "routing_id": "b"}, {"routing_id": "b"}),
])
def test_second_names(type_: str, options: dict[str, Any], spelled: dict[str, Any]) -> None:
    assert {name: value for name, _, value in spelled_out(options, type_)} == spelled
    assert set(spelled) <= set(option_rules())


@pytest.mark.parametrize(("text", "unit", "meant"), [
    ("30 Sec", "s", "30s"), ("30S", "ms", "30s"), ("5 minutes", "s", "5m"), ("1.5 hrs", "s", "1.5h"),
    ("4 MiB", "B", "4MiB"), ("4mb", "B", "4MB"), ("4M", "B", "4MB"), ("5 bytes", "B", "5B"),
    ("soon", "s", None), ("5 MB", "s", None), ("5 s", "B", None), ("5", "s", None),
])
def test_respelled(text: str, unit: str, meant: str | None) -> None:
    assert respelled(text, unit) == meant
