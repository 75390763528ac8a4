"""The schema in an editor: the real yaml-language-server, asked as an editor asks it, over its standard streams."""

from __future__ import annotations

import itertools
import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import zmqtopo.cli

DEADLINE = 30.0
"""Seconds after which an answer that has not come is a failure; node alone takes one to start."""

Json = dict[str, Any]


class Editor:
    """An editor with one file open. Messages are those of the Language Server Protocol 3.17."""

    def __init__(self, server: list[str], folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._received: list[Json] = []
        self._buffer = b""
        self._process = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, bufsize=0)
        self.ask("initialize", {
            "processId": os.getpid(), "rootUri": folder.as_uri(),
            "capabilities": {"textDocument": {
                "hover": {"contentFormat": ["plaintext"]},
                "completion": {"completionItem": {"documentationFormat": ["plaintext"], "snippetSupport": True}},
                "publishDiagnostics": {},
            }},
            "workspaceFolders": [{"uri": folder.as_uri(), "name": "topologies"}],
        })
        self.tell("initialized", {})
        self.tell("workspace/didChangeConfiguration", {"settings": {"yaml": {
            "validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False},
        }}})

    def tell(self, method: str, params: Json | None) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: Json | None) -> Any:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": params})
        answer = self._wait_for(lambda m: m.get("id") == number and "method" not in m)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, text: str, name: str = "topology.yaml") -> list[Json]:
        """Show a text that refers to the schema; what the editor underlines."""
        text = "# yaml-language-server: $schema=topology.schema.json\n" + text
        uri = (self._folder / name).as_uri()
        self.tell("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "yaml", "version": 1,
                                                            "text": text}})
        shown = self._wait_for(lambda m: m.get("method") == "textDocument/publishDiagnostics"
                               and m["params"]["uri"] == uri)
        found: list[Json] = shown["params"]["diagnostics"]
        return found

    def _at(self, text: str, name: str) -> tuple[list[Json], Json]:
        """Open a text with the cursor at its ``|``."""
        before, _, after = text.partition("|")
        found = self.open(before + after, name)
        lines = before.split("\n")
        return found, {"textDocument": {"uri": (self._folder / name).as_uri()},
                       "position": {"line": len(lines), "character": len(lines[-1])}}

    def complete(self, text: str, name: str) -> dict[str, Json]:
        """What the editor offers at the ``|`` in the text, by label."""
        _, where = self._at(text, name)
        result = self.ask("textDocument/completion", where)
        items = result["items"] if isinstance(result, dict) else result
        return {item["label"]: item for item in items}

    def hover(self, text: str, name: str) -> str:
        """What the editor shows about the word at the ``|`` in the text."""
        _, where = self._at(text, name)
        return json.dumps(self.ask("textDocument/hover", where), ensure_ascii=False)

    def close(self) -> None:
        self.ask("shutdown", None)
        self.tell("exit", None)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(DEADLINE)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    def _send(self, message: Json) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def _wait_for(self, wanted: Callable[[Json], bool]) -> Json:
        deadline = time.monotonic() + DEADLINE
        while True:
            for message in self._received:
                if wanted(message):
                    self._received.remove(message)
                    return message
            self._received.append(self._receive(deadline))

    def _receive(self, deadline: float) -> Json:
        while True:
            head, mark, rest = self._buffer.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0) if mark else 0
            if mark and len(rest) >= length:
                self._buffer = rest[length:]
                message: Json = json.loads(rest[:length])
                if "id" in message and "method" in message:     # the server asks the editor; nothing to tell
                    self._send({"id": message["id"], "result": None})
                return message
            assert self._process.stdout is not None
            ready, _, _ = select.select([self._process.stdout], [], [], max(deadline - time.monotonic(), 0))
            data = os.read(self._process.stdout.fileno(), 65536) if ready else b""
            assert data, f"no answer from the language server within {DEADLINE:g} s"
            self._buffer += data


@pytest.fixture(scope="module")
def editor(node_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    folder = tmp_path_factory.mktemp("editor")
    with (folder / "topology.schema.json").open("w") as schema:
        subprocess.run([sys.executable, "-m", "zmqtopo", "schema"], stdout=schema, check=True, timeout=60)
    editor = Editor([node, str(node_modules / "yaml-language-server/bin/yaml-language-server"), "--stdio"], folder)
    yield editor
    editor.close()


def device(inside: str, more: str = "") -> str:
    return f"devices:\n  jobs:\n    type: streamer\n    in: {inside}\n    out: {{bind: tcp://*:5560}}\n{more}"


# -- what it underlines -----------------------------------------------------------------------------------------------

EXAMPLES = sorted((Path(__file__).parents[2] / "topologies").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_not_underlined(editor: Editor, path: Path) -> None:
    assert editor.open(path.read_text(), path.name) == []


@pytest.mark.parametrize("kind", ["queue", "rpc", "pubsub", "pipeline"])
def test_what_init_writes_is_not_underlined(editor: Editor, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert zmqtopo.cli.main(["init", "--kind", kind, "-"]) == 0
    assert editor.open(capsys.readouterr().out, f"init-{kind}.yaml") == []


@pytest.mark.parametrize("value", ["'${NAME:-1000}'", "'1${NAME}'"])
@pytest.mark.parametrize(("name", "text"), [
    ("options", device("{bind: VALUE, options: {hwm: VALUE, tcp_keepalive: VALUE, ipv6: VALUE, linger: VALUE, "
                       "sndbuf: VALUE, affinity: VALUE, curve_secretkey: VALUE, subscribe: VALUE}}")),
    ("device", device("{type: VALUE, bind: [VALUE]}", "    stop_timeout: VALUE\n    run: VALUE\n    restart: VALUE\n")
               .replace("streamer", "VALUE")),
    ("restart", device("{bind: VALUE}", "    restart: {policy: VALUE, backoff: [VALUE, 30s], max_retries: VALUE}\n")),
    ("top", "version: VALUE\nname: VALUE\ncontext: {io_threads: VALUE}\ndevices: {}\n"),
])
def test_a_variable_is_not_underlined(editor: Editor, name: str, text: str, value: str) -> None:
    assert editor.open(text.replace("VALUE", value), f"variable-{name}-{value[1]}.yaml") == []


@pytest.mark.parametrize(("name", "text", "line", "word"), [
    ("name", "devices:\n  '${NAME}':\n    type: queue\n    in: {}\n    out: {}\n", 2, "'${NAME}'"),
    ("key", device("{bnid: tcp://*:5559}"), 4, "bnid"),
    ("option", device("{bind: tcp://*:5559, options: {rcvhmw: 5}}"), 4, "rcvhmw"),
    ("type", device("{bind: tcp://*:5559}").replace("streamer", "steamer"), 3, "steamer"),
    ("socket", device("{type: PULLL, bind: tcp://*:5559}"), 4, "PULLL"),
    ("number", device("{bind: tcp://*:5559, options: {rcvhwm: many}}"), 4, "many"),
    ("time", device("{bind: tcp://*:5559}", "    stop_timeout: 5 parsecs\n"), 6, "5 parsecs"),
    ("restart", device("{bind: tcp://*:5559}", "    restart: sometimes\n"), 6, "sometimes"),
    ("top", "devices: {}\npeer: {}\n", 2, "peer"),
    ("address", device("{bind: 127.0.0.1:5559}"), 4, "127.0.0.1:5559"),
    ("port", device("{connect: tcp://feed:99999}"), 4, "tcp://feed:99999"),
    ("addresses", device("{bind: [tcp://*:5559, tcp//feed:80]}"), 4, "tcp//feed:80"),
])
def test_a_mistake_is_underlined_where_it_is(editor: Editor, name: str, text: str, line: int, word: str) -> None:
    lines = ["", *text.split("\n")]
    found = editor.open(text, f"mistake-{name}.yaml")
    ranges = [(d["range"]["start"]["line"], lines[d["range"]["start"]["line"]][
        d["range"]["start"]["character"] : d["range"]["end"]["character"]]) for d in found]
    assert ranges == [(line, word)]


@pytest.mark.parametrize(("name", "text", "words"), [
    ("address", device("{bind: 127.0.0.1:5559}"), "expected an address such as tcp://*:5559"),
    ("time", device("{bind: tcp://*:5559}", "    stop_timeout: 5 parsecs\n"), "expected a duration such as 500ms"),
    ("size", device("{bind: tcp://*:5559}", "    limits: {memory: lots}\n"), "expected a size such as 64kB"),
    ("run", device("{bind: tcp://*:5559}", "    run: fork\n"), "expected thread, process, or process/NAME"),
    ("colour", device("{bind: tcp://*:5559}", "    graph: {color: '1 1'}\n"), "expected a colour name"),
    ("name", "name: my shop\ndevices: {}\n", "write my-shop, not my shop"),
    ("mode", device("{bind: ipc:///x, mode: '9'}"), "expected a file mode in quotes"),
    ("restart", device("{bind: tcp://*:5559}", "    restart: yes\n"), '"never", "on-failure", "always"'),
])
def test_a_mistake_is_told_in_words(editor: Editor, name: str, text: str, words: str) -> None:
    (found,) = editor.open(text, f"words-{name}.yaml")
    assert words in found["message"]
    assert "pattern" not in found["message"]


def test_a_missing_key_is_underlined(editor: Editor) -> None:
    found = editor.open("devices:\n  jobs:\n    type: queue\n    in: {bind: tcp://*:5559}\n", "missing.yaml")
    assert [("out" in d["message"]) for d in found] == [True]


# -- what it offers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "text", "labels"), [
    ("top", "|", {"version", "name", "description", "context", "defaults", "devices", "peers"}),
    ("device", "devices:\n  jobs:\n    |\n",
     {"type", "in", "out", "mon", "run", "restart", "stop_timeout", "limits", "graph"}),
    ("kind", "devices:\n  jobs:\n    type: |\n", {"queue", "forwarder", "streamer", "monitored_queue"}),
    ("socket", "devices:\n  jobs:\n    in:\n      |\n", {"type", "bind", "connect", "options"}),
    ("types", "devices:\n  jobs:\n    in:\n      type: |\n", {"ROUTER", "DEALER", "PUB", "XPUB", "SUB", "XSUB", "PUSH",
                                                              "PULL", "PAIR", "REQ", "REP"}),
    ("options", "devices:\n  jobs:\n    in:\n      options:\n        |\n",
     {"hwm", "sndhwm", "rcvhwm", "linger", "subscribe", "tcp_keepalive", "curve_secretkey", "router_mandatory"}),
    ("flags", "devices:\n  jobs:\n    in:\n      options:\n        tcp_keepalive: |\n", {"true", "false"}),
    ("mon", "devices:\n  jobs:\n    mon:\n      |\n", {"bind", "prefix", "overflow"}),
    ("overflow", "devices:\n  jobs:\n    mon:\n      overflow: |\n", {"drop", "block"}),
    ("restart", "devices:\n  jobs:\n    restart:\n      policy: |\n", {"never", "on-failure", "always"}),
    ("peer", "peers:\n  feed:\n    |\n", {"type", "bind", "connect", "description"}),
])
def test_what_can_stand_there_is_offered(editor: Editor, name: str, text: str, labels: set[str]) -> None:
    offered = editor.complete(text, f"complete-{name}.yaml")
    assert labels - offered.keys() == set()


@pytest.mark.parametrize("where", [
    "restart: |", "in: |", "mon: |", "graph: |", "limits: |", "in:\n      options: |", "mon:\n      prefix: |",
    "in:\n      bind: |",
])
def test_what_is_offered_has_a_label_that_people_read(editor: Editor, where: str) -> None:
    name = re.sub(r"\W+", "-", where)
    offered = editor.complete(f"devices:\n  jobs:\n    {where}\n", f"label{name}.yaml")
    assert offered
    assert [label for label in offered if "object" in label] == []


def test_a_restart_policy_is_one_of_three_words_or_a_mapping(editor: Editor) -> None:
    offered = editor.complete("devices:\n  jobs:\n    restart: |\n", "policies.yaml")
    assert offered.keys() == {"never", "on-failure", "always", "{policy: always, max_retries: 5}"}


def test_what_is_offered_is_explained(editor: Editor) -> None:
    offered = editor.complete("devices:\n  jobs:\n    in:\n      options:\n        |\n", "explained.yaml")
    assert len(offered) > 60
    assert [label for label, item in offered.items() if not item.get("documentation")] == []


# -- what it explains -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "text", "words"), [
    ("key", "dev|ices: {}\n", "The brokers by name"),
    ("device", device("{bind: tcp://*:5559}").replace("type:", "ty|pe:"),
     "queue (ROUTER/DEALER), forwarder (XSUB/XPUB)"),
    ("socket", device("{bi|nd: tcp://*:5559}"), "others connect here"),
    ("option", device("{bind: tcp://*:5559, options: {lin|ger: 0}}"), "unsent messages are kept"),
    ("restart", device("{bind: tcp://*:5559}", "    res|tart: always\n"), "When a device that ended is started again"),
])
def test_the_word_below_the_cursor_is_explained(editor: Editor, name: str, text: str, words: str) -> None:
    assert words in editor.hover(text, f"hover-{name}.yaml")
