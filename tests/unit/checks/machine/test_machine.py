"""What the machine is asked, with real sockets, files and names."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import zmq
from zmq.utils import z85

from zmqtopo.checks import check_machine, examine_text, with_machine
from zmqtopo.checks.machine import MACHINE_RULES, hosts
from zmqtopo.config.problem import Problem

RULES = {rule.name: rule for rule in MACHINE_RULES}


def ask(text: str) -> list[Problem]:
    checked = examine_text(dedent(text), "t.yaml")
    assert checked.topology is not None
    return check_machine(checked.topology)


def streamer(in_: str, out: str = "{bind: 'tcp://127.0.0.1:*'}", more: str = "") -> str:
    return f"{more}devices:\n  d:\n    type: streamer\n    in: {in_}\n    out: {out}\n"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.mark.parametrize("name", ["ipc-dir-missing", "host-unresolvable", "too-many-sockets",
                                  "transport-unavailable", "option-file"])
def test_the_bad_example_has_this_problem_and_no_other(name: str) -> None:
    if name == "transport-unavailable" and zmq.has("vmci"):
        pytest.skip("this libzmq has vmci")
    assert [(p.rule, p.severity, p.file) for p in ask(RULES[name].bad)] == [(name, "error", "t.yaml")]
    assert examine_text(dedent(RULES[name].bad)).problems == []     # only who asks the machine is told


@pytest.mark.parametrize("name", RULES)
def test_the_good_example_has_none(name: str) -> None:
    assert [p for p in ask(RULES[name].good) if (name, p.rule) != ("key-files", "option-file")] == []
    assert examine_text(dedent(RULES[name].good)).problems == []


def test_the_bad_example_of_a_port(listener: socket.socket) -> None:
    example = RULES["port-in-use"].bad.replace("5559", str(listener.getsockname()[1]))
    assert [p.rule for p in ask(example)] == ["port-in-use"]


@pytest.mark.parametrize("host", ["127.0.0.1", "*", "0.0.0.0", "localhost"])
def test_a_port_that_somebody_has(listener: socket.socket, host: str) -> None:
    port = listener.getsockname()[1]
    problem, = ask(streamer(f"{{bind: 'tcp://{host}:{port}'}}"))
    assert (problem.rule, problem.place.line) == ("port-in-use", 4)
    if Path("/proc/net/tcp").exists():
        assert problem.message.endswith(f" in use by this process ({os.getpid()})")
    assert ask(streamer(f"{{bind: 'tcp://127.0.0.2:{port}'}}")) == [] or sys.platform != "linux"
    assert ask(streamer(f"{{connect: 'tcp://127.0.0.1:{port}'}}")) == []


def test_a_comment_silences_the_machine_too(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    text = streamer(f"{{bind: 'tcp://127.0.0.1:{port}'}}  # zmqtopo: ignore[port-in-use]")
    assert with_machine(examine_text(text)).problems == []
    assert with_machine(examine_text("{")).problems == examine_text("{").problems


def test_a_port_of_a_connection_of_yesterday_is_free(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)):
        accepted, _ = listener.accept()
        accepted.close()    # the side that closes first waits in TIME_WAIT
    listener.close()
    assert ask(streamer(f"{{bind: 'tcp://127.0.0.1:{port}'}}")) == []


def test_an_ipc_path_to_which_somebody_listens(net: object, tmp_path: Path, context: zmq.Context) -> None:
    path = tmp_path / "feed"
    owner = context.socket(zmq.PULL)
    owner.bind(f"ipc://{path}")
    problem, = ask(streamer(f"{{bind: 'ipc://{path}'}}"))
    assert problem.rule == "port-in-use"
    if Path("/proc/net/unix").exists():
        assert problem.message.endswith(f" in use by this process ({os.getpid()})")
    owner.close(0)


def test_a_socket_file_that_nobody_listens_to_is_free(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(tmp_path / "feed"))
    assert ask(streamer(f"{{bind: 'ipc://{tmp_path}/feed'}}")) == []


@pytest.mark.parametrize("kind", ["file", "folder", "symbolic link"])
def test_a_path_at_which_there_is_something_else(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "feed"
    {"file": path.touch, "folder": path.mkdir, "symbolic link": lambda: path.symlink_to("none")}[kind]()
    problem, = ask(streamer(f"{{bind: 'ipc://{path}'}}"))
    assert (problem.rule, problem.severity) == ("port-in-use", "error")
    assert problem.message.endswith(f"and there is a {kind} at this path")
    assert problem.hint == "remove it, or use another path"


@pytest.mark.parametrize(("path", "words"), [
    ("{folder}/none/x", "there is no folder"), ("{folder}/file/x", "is not a folder"),
    ("{folder}/shut/x", "no file can be made in"),
])
def test_folders_of_ipc(tmp_path: Path, path: str, words: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "shut").mkdir(mode=0o500)
    if "shut" in path and os.access(tmp_path / "shut", os.W_OK):
        pytest.skip("root writes everywhere")
    problem, = ask(streamer(f"{{bind: 'ipc://{path.format(folder=tmp_path)}'}}"))
    assert (problem.rule, words in problem.message) == ("ipc-dir-missing", True)


def test_paths_without_a_folder() -> None:
    assert ask(streamer("{bind: ['ipc://*', 'ipc://@abstract']}")) == []
    assert ask(streamer("{connect: ipc:///no/such/folder/x}")) == []    # who binds it may make it later


@pytest.mark.parametrize(("address", "words"), [
    ("tcp://no-such-host.invalid:5000", "this machine has neither an interface nor an address of that name"),
    ("tcp://192.0.2.77:5000", "this machine has no such address"),      # TEST-NET-1 of RFC 5737 is nobody's
])
def test_a_bind_to_an_address_of_another_machine(address: str, words: str) -> None:
    problem, = ask(streamer(f"{{bind: '{address}'}}"))
    assert (problem.rule, words in problem.message) == ("host-unresolvable", True)


def test_an_interface_is_an_address() -> None:
    name = socket.if_nameindex()[0][1]
    assert ask(streamer(f"{{bind: 'tcp://{name}:*'}}")) == []


def test_a_silent_name_server_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    gone = threading.Event()

    def silent(host: str) -> str:
        if host == "slow":
            gone.wait()
        return "" if host == "known" else "it is unknown"

    monkeypatch.setattr(hosts, "_reason", silent)
    monkeypatch.setattr(hosts, "RESOLVE_TIMEOUT", 0.05)
    found = hosts._unresolvable({"slow", "known", "unknown"})
    gone.set()
    assert found == {"slow": "no name server answered within 0.05 s", "unknown": "it is unknown"}


def test_a_name_with_ipv6_addresses_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of this machine are not ours to change, so the look-up is; what libzmq does it does not show."""
    look_up = socket.getaddrinfo

    def answered(host: str, *rest: object, **named: object) -> object:
        return look_up("::1" if host == "six" else host, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", answered)
    problem, = ask(streamer("{connect: 'tcp://six:5559'}"))
    assert (problem.rule, problem.message, problem.hint) == (
        "host-unresolvable",
        "d.in connects to tcp://six:5559, and that name has IPv6 addresses only, which it cannot use",
        "set options: {ipv6: true}")
    assert ask(streamer("{connect: 'tcp://six:5559', options: {ipv6: true}}")) == []


@pytest.mark.skipif(not socket.has_ipv6 or "lo" not in {name for _, name in socket.if_nameindex()},
                    reason="this machine has no loopback interface lo with IPv6")
def test_the_interface_of_an_address_is_looked_up_as_libzmq_does(context: zmq.Context) -> None:
    with context.socket(zmq.PULL) as pull:
        pull.ipv6 = True
        pull.bind("tcp://[::1%lo]:*")
        port = pull.last_endpoint.rpartition(b":")[2].decode()
        assert ask(streamer("{connect: 'tcp://[::1%lo]:5559'}")) == []
        assert ask(streamer("{connect: 'tcp://[fe80::1%1]:5559'}")) == []
        assert [p.rule for p in ask(streamer(f"{{bind: 'tcp://[::1%lo]:{port}'}}"))] == ["port-in-use"]
        for side, host, words in (
            ("connect", "fe80::1%no-interface", "no interface"), ("bind", "fe80::dead%lo", "has no such address"),
            ("bind", "::1%no-interface", "has neither an interface nor an address"),
        ):
            problem, = ask(streamer(f"{{{side}: 'tcp://[{host}]:5559'}}"))
            assert (problem.rule, words in problem.message) == ("host-unresolvable", True), problem


def test_more_sockets_than_libzmq_allows() -> None:
    context = zmq.Context()
    assert context.get(zmq.SOCKET_LIMIT) == 65535
    context.term()


def test_what_the_socket_type_does_not_have_is_not_told_again() -> None:
    assert ask(streamer("{type: SUB, bind: 'udp://239.0.0.1:5000'}")) == []


def test_what_peers_do_is_their_affair(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert ask(f"devices: {{}}\npeers:\n  p: {{type: PUSH, bind: 'tcp://127.0.0.1:{port}', "
               "connect: 'tcp://no-such-host.invalid:5000'}\n") == []


@pytest.mark.parametrize(("option", "why"), [
    ("in_batch_size: 10", "or was built without drafts"), ("busy_poll: true", "or was built without drafts"),
    ("gssapi_server: true", "built without GSSAPI"), ("gssapi_principal: a", "built without GSSAPI"),
    ("norm_mode: 0", "built without NORM"), ("wss_key_pem: a-secret", "built without WSS"),
    ("bindtodevice: no-such-if", "no network interface 'no-such-if', but "),
])
def test_an_option_that_this_libzmq_does_not_have(option: str, why: str) -> None:
    problem, = ask(streamer(f"{{bind: 'tcp://127.0.0.1:*', options: {{{option}}}}}"))
    assert problem.rule == "option-unavailable"
    assert why in problem.message
    assert "a-secret" not in problem.message


@pytest.mark.parametrize("option", [
    "hwm: 5", "ipv6: true", "routing_id: a", "gssapi_server: false",
    "tcp_accept_filter: 10.0.0.0/8", "ipc_filter_uid: 4294967294", "affinity: 1",
    "tcp_accept_filter: fd00::/8", "tcp_accept_filter: [10.0.0.1, '::/0'], ipv6: true",
])
def test_an_option_that_every_libzmq_has(option: str) -> None:
    assert ask(streamer(f"{{bind: 'tcp://127.0.0.1:*', options: {{{option}}}}}")) == []


@pytest.mark.parametrize(("option", "content", "why"), [
    ("routing_id", "x" * 300, "cannot use PATH (routing_id has from 1 to 255 bytes, and this has 300)"),
    ("identity", "", "cannot use PATH (routing_id has from 1 to 255 bytes, and this has 0)"),
    ("plain_password", None, "cannot read plain_password from PATH (No such file or directory)"),
    ("metadata", "a-secret", "cannot use PATH (metadata has the form X-NAME:VALUE)"),
    ("curve_secretkey", "a-secret", "cannot use PATH (curve_secretkey is not a valid key: it has 40 characters of Z85, "
     "or 32 bytes)"),
    ("routing_id", "internal", ""),
])
def test_a_file_of_an_option(tmp_path: Path, option: str, content: str | None, why: str) -> None:
    path = tmp_path / "broker.key_secret"
    if content is not None:
        path.write_text(content + "\n")
    more = "curve_server: true" if option.startswith("curve") else ""
    text = streamer(f"{{bind: 'tcp://127.0.0.1:*', options: {{{option}: {{file: {path}}}, {more}}}}}")
    assert [(p.rule, p.message) for p in ask(text)] == (
        [("option-file", f"d.in: {why.replace('PATH', str(path))}")] if why else [])


# -- keys in files -----------------------------------------------------------------------------------------------------

KEYS = """
devices:
  feed:
    type: forwarder
    in: {{bind: 'tcp://127.0.0.1:*'}}
    out: {{bind: 'tcp://127.0.0.1:*', options: {{curve_server: true, curve_secretkey: {server}}}}}
  prices:
    type: forwarder
    in:
      connect: feed.out
      options: {{curve_publickey: {public}, curve_secretkey: {secret}, curve_serverkey: {known}}}
    out: {{bind: 'tcp://127.0.0.1:*'}}
"""


@pytest.mark.parametrize("in_files", [
    {"server", "public", "secret", "known"}, {"server"}, {"known"}, {"public"}, {"secret"}, {"server", "known"},
], ids=lambda names: "+".join(sorted(names)))
@pytest.mark.parametrize("binary", [False, True])
def test_keys_in_files_are_compared_and_never_shown(tmp_path: Path, in_files: set[str], binary: bool) -> None:
    feed, prices, other = (zmq.curve_keypair() for _ in range(3))

    def text(**keys: bytes) -> str:
        said = {}
        right = {"server": feed[1], "public": prices[0], "secret": prices[1], "known": feed[0]}
        for name, key in {**right, **keys}.items():
            said[name] = "'" + key.decode().replace("$", "$$") + "'"
            if name in in_files:
                path = tmp_path / f"{name}.key"
                path.write_bytes(z85.decode(key) if binary and not z85.decode(key).endswith((b"\r", b"\n")) else
                                 key + b"\n")
                said[name] = f"{{file: {path}}}"
        return KEYS.format(**said)

    assert ask(text()) == []
    for wrong, name, words in (
        ({"known": other[0]}, {"server", "known"},
         "prices.in connects to feed.out: the curve_serverkey of prices.in is not the public key of feed.out"),
        ({"server": other[1]}, {"server", "known"},
         "prices.in connects to feed.out: the curve_serverkey of prices.in is not the public key of feed.out"),
        ({"public": other[0]}, {"public", "secret"},
         "prices.in: curve_publickey is not the public key of curve_secretkey"),
    ):
        found = ask(text(**wrong))
        assert [(p.rule, p.message) for p in found] == ([("key-files", words)] if in_files & name else [])
        # What stands in the file itself is known without this machine.
        static = [p.rule for p in examine_text(text(**wrong), "t.yaml").problems if p.severity == "error"]
        assert len(static) == (not in_files & name)
        shown = "".join(p.message + p.hint for p in found)
        assert not any(key.decode() in shown for pair in (feed, prices, other) for key in pair)


def test_a_secret_key_of_zeros_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "zero").write_bytes(b"0" * 40)
    problem, = ask(streamer(f"{{bind: 'tcp://127.0.0.1:*', options: {{curve_server: true, curve_secretkey: "
                            f"{{file: {tmp_path / 'zero'}}}}}}}"))
    assert (problem.rule, problem.message) == ("key-files",
                                               "d.in: the secret key is all zeros, which everybody knows")


@pytest.mark.parametrize("content", [None, b"", b"no key", b"x" * (2 << 20)])
def test_a_file_without_a_key_is_told_once(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    problem, = ask(streamer(f"{{bind: 'tcp://127.0.0.1:*', options: {{curve_server: true, curve_secretkey: "
                            f"{{file: {tmp_path / 'key'}}}}}}}"))
    assert (problem.rule, "no key" in problem.message) == ("option-file", False)


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file or directory"), ("\n", "the file is empty")])
def test_why_a_token_cannot_be_read(tmp_path: Path, content: str | None, reason: str) -> None:
    token = tmp_path / "token"
    if content is not None:
        token.write_text(content)
    http = f"http: {{listen: '127.0.0.1:*', token: {{file: {token}}}}}\n"
    [problem] = ask(streamer("{bind: 'tcp://127.0.0.1:*'}", more=http))
    assert problem.message == f"http: cannot read the token from {token} ({reason})"


@pytest.mark.parametrize("name", ["lan", "private", "token", "passwords"])
def test_why_the_files_of_a_profile_cannot_be_used_whatever_its_name(tmp_path: Path, name: str) -> None:
    security = f"security:\n  {name}: {{plain: {tmp_path}/users, allow: {tmp_path}/keys}}\n"
    told = sorted(problem.message for problem in ask(streamer("{bind: 'tcp://127.0.0.1:*'}", more=security)))
    assert told == [
        f"security.{name}.allow: cannot read {tmp_path}/keys (No such file or directory)",
        f"security.{name}.plain: cannot use {tmp_path}/users (No such file or directory)",
    ]
