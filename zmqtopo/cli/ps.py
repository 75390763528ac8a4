"""``zmqtopo ps``: what runs, and how."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Collection
from typing import Any, Final

from zmqtopo.cli.remote import add_format, add_topology, emit_json, emit_table, guarded, talk
from zmqtopo.control.client import Client, connect
from zmqtopo.control.ended import clean_ends, last, previous
from zmqtopo.control.errors import ControlError, NotRunningError
from zmqtopo.control.folder import names, open_all
from zmqtopo.control.places import places
from zmqtopo.exit_codes import EXIT_FAILURE, EXIT_UNAVAILABLE, EXIT_USAGE
from zmqtopo.report.figures import dropped, duration, number, one_line, state
from zmqtopo.report.stderr import complain

SAMPLE: Final = 0.5
"""Seconds over which rates are measured."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_topology(parser, optional=True)
    parser.add_argument("-a", "--all", action="store_true", help="also what has ended, and how")
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Return 0 when every device runs, 1 when one does not (also when it is paused), 69 when there is no topology."""
    if args.topology is None:
        return guarded(lambda: _all(args.format, ended=args.all))
    if args.all:
        complain("--all is for all topologies; leave out which one")
        return EXIT_USAGE
    return talk(args.topology, lambda client: _one(client, args.format))


def _one(client: Client, form: str) -> int:
    devices = client.devices()
    if form == "json":
        emit_json(devices)
    else:
        began = time.monotonic()
        time.sleep(SAMPLE)
        later = client.devices()
        _show(devices, later, time.monotonic() - began)
        devices = later
    return 0 if all(device["state"] == "running" for device in devices) else EXIT_FAILURE


def _show(before: list[dict[str, Any]], now: list[dict[str, Any]], seconds: float) -> None:
    then = {device["name"]: device["counters"] for device in before}
    rows = [["DEVICE", "TYPE", "RUN", "STATE", "PID", "UPTIME", "RESTARTS", "IN TO OUT", "OUT TO IN", "DROPPED",
             "ENDPOINTS", "LAST ERROR"]]
    for device in now:
        flows = device["counters"]
        cells = [
            f"{number(flow['messages'])} ({number((flow['messages'] - old['messages']) / seconds)}/s)"
            for name in ("in_to_out", "out_to_in")
            for flow, old in [(flows[name], then.get(device["name"], flows)[name])]
        ]
        endpoints = [f"{role} {', '.join(bound)}" for role, bound in device["endpoints"].items() if bound]
        rows.append([
            device["name"], device["type"], device["run"], state(device), str(device["pid"] or ""),
            duration(device["uptime"]), str(device["restarts"]), *cells,
            dropped(*flows.values(), write=number), "; ".join(endpoints), one_line(device["error"]),
        ])
    emit_table(rows)


def _ended(running: Collection[str]) -> list[dict[str, Any]]:
    """How runs have ended, as far as it is known: the last clean end of each topology, and those that went wrong."""
    found = []
    for clean in clean_ends():
        how = {"how": clean["how"], "time": clean["time"]}
        found.append({"name": clean["name"], "pid": clean["pid"], "file": clean["file"], "devices": {}, "ended": how})
    for folder in open_all():
        name = folder.path.name
        end = previous(folder) if name in running else last(folder) if not _lives(folder.pid) else None
        if end is not None:
            how = {"how": end["how"], "time": end["time"]}
            found.append({"name": name, "pid": end["pid"], "file": end["file"], "devices": {}, "ended": how})
    return sorted(found, key=lambda one: str(one["ended"]["time"]))


def _lives(pid: int | None) -> bool:
    """Whether it may be starting, and not listen yet."""
    try:
        os.kill(pid or 0, 0)
    except OSError:
        return False
    return pid is not None


def _all(form: str, *, ended: bool) -> int:
    found: list[tuple[str, int | None, str, dict[str, str]]] = []
    silent = False
    for name in names():
        try:
            with connect(name) as client:
                devices = client.devices()
        except NotRunningError:     # or no longer
            continue
        except ControlError as error:   # it hides none of the others
            complain(str(error))
            silent = True
            continue
        states = {device["name"]: device["state"] for device in devices}
        found.append((name, client.pid, client.source, states))
    others = _ended({name for name, *_ in found}) if ended else []
    if form == "json":
        told = [dict(zip(("name", "pid", "file", "devices"), topology, strict=True)) for topology in found]
        emit_json([*([one | {"ended": None} for one in told] if ended else told), *others])
    elif found or others:
        rows = [
            [name, str(pid), f"{list(states.values()).count('running')} of {len(states)}", one_line(source)]
            for name, pid, source, states in found
        ]
        rows += [[one["name"], str(one["pid"] or ""), f"ended {one['ended']['time']}: {one['ended']['how']}",
                  one["file"]] for one in others]
        emit_table([["TOPOLOGY", "PID", "RUNNING", "FILE"], *([one_line(cell) for cell in row] for row in rows)])
    if not found and not silent:
        complain(f"no topology is running; looked in {', '.join(map(str, places()))}")
        return EXIT_UNAVAILABLE
    all_run = all(set(states.values()) <= {"running"} for *_, states in found)
    return 0 if all_run and not silent else EXIT_FAILURE
