"""``zmqtopo convert`` as its users run it, and what it makes running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import zmq

import zmqtopo

COMMAND = [sys.executable, "-m", "zmqtopo"]
QUEUE = """<queue>
  <in><bind addr="tcp://127.0.0.1:*"/></in>
  <out><bind addr="tcp://127.0.0.1:*"/></out>
</queue>
"""
NOTE = ("where no hwm is set, libzmq 2 kept any number of messages, and libzmq 3 and later keep 1000 for each peer; "
        "hwm: 0 is no limit")
YAML = """version: 1
# where no hwm is set, libzmq 2 kept any number of messages, and libzmq 3 and later keep 1000 for each
# peer; hwm: 0 is no limit
devices:
  queue:
    type: queue
    in:
      bind: tcp://127.0.0.1:*
    out:
      bind: tcp://127.0.0.1:*
"""


def convert(folder: Path, *arguments: str, text: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COMMAND, "convert", *arguments], input=text, capture_output=True, timeout=60, cwd=folder,
                          check=False)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_the_result_goes_to_stdout_and_the_notes_to_stderr(tmp_path: Path) -> None:
    (tmp_path / "queue.xml").write_text(QUEUE)
    done = convert(tmp_path, "queue.xml")
    assert (done.returncode, done.stdout, done.stderr) == (0, YAML, f"queue.xml:2: note: {NOTE}\n")
    done = convert(tmp_path, "--from", "xml", "-", text=QUEUE.encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, YAML, f"<stdin>:2: note: {NOTE}\n")


def test_the_result_goes_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "queue.xml").write_text(QUEUE)
    done = convert(tmp_path, "queue.xml", "-o", "queue.yaml")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "queue.yaml").read_text() == YAML
    valid = subprocess.run([*COMMAND, "validate", "--strict", "queue.yaml"], cwd=tmp_path, capture_output=True,
                           timeout=60, check=False)
    assert valid.returncode == 0, valid.stdout


@pytest.mark.parametrize("encoded", [
    b"\xef\xbb\xbf" + QUEUE.encode(), QUEUE.encode("utf-16"), QUEUE.replace("\n", "\r\n").encode(),
    b'\n<?xml version="1.0" encoding="ISO-8859-1"?>' + QUEUE.encode(),
])
def test_encodings_and_line_ends(tmp_path: Path, encoded: bytes) -> None:
    assert convert(tmp_path, "-", text=encoded).stdout == YAML


@pytest.mark.parametrize(("arguments", "data", "said"), [
    (["-"], b'{"version": 2.0}',
     "<stdin>:1: error: version 2.0 of the format is newer than 1.x, the newest that is known here\n"),
    (["-"], b"<queue>\n<in/>\n</queue>", "<stdin>:1: error: <queue> has no <out>\n"),
    (["-"], b"# x\nmain\n    na\xefve = 1\n", "<stdin>:3: error: the byte 0xef is not UTF-8; save the file as UTF-8\n"),
    (["--from", "zpl", "-"], b"{}\n",
     "<stdin>:1: error: '{}' is not a valid property; ZPL has NAME = VALUE, one to a line; "
     "is this another format? See --from\n"),
    (["nowhere"], b"", "nowhere:1: error: the file cannot be read: No such file or directory\n"),
    (["."], b"", ".:1: error: the file cannot be read: Is a directory\n"),
    (["-"], b"#" * (2**20 + 1), "<stdin>:1: error: the file is larger than 1 MiB: is this the right one?\n"),
    (["-"], b'{"\\u001b[31m\\n": 1}',
     "<stdin>:1: error: the device '\\x1b[31m\\n' has properties and no value, but here is '1'\n"),
], ids=["newer", "no out", "bytes", "another format", "not there", "folder", "too large", "escapes"])
def test_an_error_is_one_line(tmp_path: Path, arguments: list[str], data: bytes, said: str) -> None:
    done = convert(tmp_path, *arguments, text=data)
    assert (done.returncode, done.stdout, done.stderr) == (78, "", said)


# -- what old files did, new ones do ----------------------------------------------------------------------------------


def run_converted(tmp_path: Path, xml: str) -> zmqtopo.Running:
    (tmp_path / "old.xml").write_text(xml)
    assert convert(tmp_path, "old.xml", "-o", "new.yaml").returncode == 0
    return zmqtopo.up(tmp_path / "new.yaml")


def test_a_queue_passes_requests_and_replies(tmp_path: Path, net) -> None:
    with run_converted(tmp_path, QUEUE) as running:
        front, back = running.endpoints["queue"]["in"][0], running.endpoints["queue"]["out"][0]
        client, worker = net.socket(zmq.REQ, connect=front), net.socket(zmq.REP, connect=back)
        client.send(b"question")
        assert net.receive(worker) == [b"question"]
        worker.send(b"answer")
        assert net.receive(client) == [b"answer"]


def test_a_streamer_passes_jobs(tmp_path: Path, net) -> None:
    with run_converted(tmp_path, QUEUE.replace("queue", "streamer")) as running:
        front, back = running.endpoints["streamer"]["in"][0], running.endpoints["streamer"]["out"][0]
        producer, consumer = net.socket(zmq.PUSH, connect=front), net.socket(zmq.PULL, connect=back)
        producer.send(b"job")
        assert net.receive(consumer) == [b"job"]


def test_a_forwarder_passes_everything_whoever_subscribes(tmp_path: Path, net) -> None:
    """As in libzmq 2 it takes from publishers what nobody behind it wants: XSUB would not."""
    with run_converted(tmp_path, QUEUE.replace("queue", "forwarder")) as running:
        front, back = running.endpoints["forwarder"]["in"][0], running.endpoints["forwarder"]["out"][0]
        # XPUB shows the subscription that the forwarder makes by itself, before there is any subscriber.
        publisher = net.socket(zmq.XPUB, connect=front)
        assert net.receive(publisher) == [b"\x01"]
        subscriber = net.socket(zmq.SUB, connect=back, subscribe=b"eu.")

        def arrived() -> bool:
            publisher.send(b"us.1")
            publisher.send(b"eu.1")
            return bool(subscriber.poll(10))

        net.until(arrived)
        assert net.receive(subscriber) == [b"eu.1"]


def test_the_proxies_and_multipliers_of_fairmq_pass_what_theirs_did(tmp_path: Path, net) -> None:
    def end(name: str, kind: str) -> str:
        return f'{{"name": "{name}", "type": "{kind}", "method": "bind", "address": "tcp://127.0.0.1:*"}}'

    proxy, multiplier = (f'{{"id": "{kind}", "channels": [{", ".join(channels)}]}}' for kind, channels in (
        ("proxy", [end("data-in", "sub"), end("data-out", "dealer")]),
        ("multiplier", [end("data", "pull"), end("a", "push"), end("b", "push")]),
    ))
    (tmp_path / "old.json").write_text(f'{{"fairMQOptions": {{"devices": [{proxy}, {multiplier}]}}}}')
    done = convert(tmp_path, "old.json", "-o", "new.yaml")
    assert done.returncode == 0
    assert done.stderr.startswith("old.json:1: note: this is a configuration of FairMQ, which names the channels of ")
    with zmqtopo.up(tmp_path / "new.yaml") as running:
        ends = {name: {role: bound[0] for role, bound in roles.items()} for name, roles in running.endpoints.items()}
        publisher = net.socket(zmq.XPUB, connect=ends["proxy"]["in"])
        assert net.receive(publisher) == [b"\x01"]
        worker = net.socket(zmq.DEALER, connect=ends["proxy"]["out"])
        publisher.send_multipart([b"header", b"data"])
        assert net.receive(worker) == [b"header", b"data"]
        pusher = net.socket(zmq.PUSH, connect=ends["multiplier"]["in"])
        sinks = [net.socket(zmq.PULL, connect=ends["multiplier"][role]) for role in ("out", "mon")]
        pusher.send_multipart([b"header", b"data"])
        assert [net.receive(sink) for sink in sinks] == [[b"header", b"data"]] * 2
