"""``zmqtopo keys``: make, list, show and check certificates of CURVE."""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from zmqtopo.cli.output import emit, wait
from zmqtopo.cli.remote import emit_json, emit_table
from zmqtopo.config.certificate import PUBLIC, SECRET, Certificate, CertificateError, create, read, text_of
from zmqtopo.config.curve import key_text
from zmqtopo.config.names import is_name
from zmqtopo.config.wording import closest, count, printable, quote
from zmqtopo.control.client import ANSWER_TIMEOUT, Client
from zmqtopo.exit_codes import EXIT_BAD_FILE, EXIT_FAILURE, EXIT_USAGE
from zmqtopo.report.stderr import complain

REVOKED: Final = ".revoked"
"""What is added to the name of a key that gets in no more."""

TAKEN_UP: Final = 1.0
"""Seconds within which a running topology has taken up that a key is gone."""

_OTHERS: Final = 0o077
"""The permissions of others than the owner."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "action", choices=tuple(_ACTIONS),
        help="new NAME: a certificate, NAME.key and NAME.key_secret; list [FOLDER]: the certificates there; "
        "show FILE: the public key of one; verify FILE: whether the keys that a topology names are there and fit; "
        "revoke TOPOLOGY NAME: take the key of that name out of what a running topology allows, and cut who has it off",
    )
    parser.add_argument("what", metavar="NAME", nargs="*", help="a name, with a folder before it; a folder; a file")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of list and show (default: text)")


def run(args: argparse.Namespace) -> int:
    """Return 0; 1 when something could not be made, read, or does not fit; 78 when the file to verify has errors; 2."""
    return _ACTIONS[args.action](args)


def _new(args: argparse.Namespace) -> int:
    if not args.what:
        complain("keys new needs a name, such as keys/broker")
        return EXIT_USAGE
    return max(_make(Path(name)) for name in args.what)


def _make(path: Path) -> int:
    if not is_name(path.name):
        complain(f"{quote(str(path))} is not a name: letters, digits, _ and -, and folders before it")
        return EXIT_USAGE
    import zmq

    public, secret = (key.decode() for key in zmq.curve_keypair())
    metadata = {"name": path.name, "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    files = path.with_name(path.name + SECRET), path.with_name(path.name + PUBLIC)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if files[1].exists():
            raise FileExistsError
        create(files[0], text_of(public, secret, metadata), 0o600)
        try:
            create(files[1], text_of(public, None, metadata), 0o644)
        except BaseException:
            files[0].unlink()
            raise
    except FileExistsError:
        complain(f"{printable(str(path))} already exists; take another name, or remove its files for a new one")
        return EXIT_FAILURE
    except OSError as error:
        complain(f"cannot make {printable(str(path))}: {error.strerror}")
        return EXIT_FAILURE
    emit(f"{printable(str(files[0]))}  both keys: keep it to its owner\n"
         f"{printable(str(files[1]))}  the public key: for the other side\n")
    return 0


def _list(args: argparse.Namespace) -> int:
    rows, code = [], 0
    for folder in args.what or ["."]:
        try:
            rows += [_row(path) for path in _certificates(Path(folder))]
        except OSError as error:
            complain(f"cannot list {printable(folder)}: {error.strerror}")
            code = EXIT_FAILURE
    if args.format == "json":
        emit_json(rows)
    elif rows:
        emit_table([["NAME", "PUBLIC KEY", "FILE", "NOTE"],
                    *([str(row[key] or "-") for key in ("name", "public_key", "file", "note")] for row in rows)])
    elif not code:
        complain("no certificates there; zmqtopo keys new NAME makes one")
    return code


def _row(path: Path) -> dict[str, str | None]:
    public, note = None, ""
    try:
        certificate = read(str(path))
        public = key_text(certificate.public)
        if certificate.secret is not None and stat.S_IMODE(path.stat().st_mode) & _OTHERS:
            note = "others can read its secret key: chmod 600"
    except OSError as error:
        note = str(error.strerror)
    except CertificateError as error:
        note = str(error)
    return {"name": path.stem, "public_key": public, "file": str(path), "note": note or None}


def _certificates(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
        return
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.name.endswith((PUBLIC, SECRET)))
    # The file with both keys stands for the pair.
    pairs = {name.removesuffix(SECRET) + PUBLIC for name in names if name.endswith(SECRET)}
    yield from (folder / name for name in names if name not in pairs)


def _show(args: argparse.Namespace) -> int:
    if not args.what:
        complain("keys show needs a file, such as keys/broker.key")
        return EXIT_USAGE
    shown, code = [], 0
    for path in args.what:
        named = Path(path + PUBLIC)     # the name that was given to new
        certificate = _read(path if Path(path).exists() or not named.exists() else str(named))
        if certificate is None:
            code = EXIT_FAILURE
            continue
        shown.append({"file": path, "public_key": key_text(certificate.public),
                      "has_secret": certificate.secret is not None, "metadata": dict(certificate.metadata)})
    if args.format == "json":
        emit_json(shown)
    else:
        emit("".join(f"{one['public_key']}\n" for one in shown))
    return code


def _read(path: str) -> Certificate | None:
    try:
        return read(path)
    except OSError as error:
        complain(f"cannot read {printable(path)}: {error.strerror}")
    except CertificateError as error:
        complain(f"cannot use {printable(path)}: {error}")
    return None


def _verify(args: argparse.Namespace) -> int:
    from zmqtopo.checks import examine, with_machine
    from zmqtopo.checks.machine import KEY_RULES
    from zmqtopo.report import text

    if len(args.what) != 1:
        complain("keys verify needs the file of a topology")
        return EXIT_USAGE
    checked = examine(args.what[0])
    if checked.has_errors:
        complain(f"{printable(args.what[0])} has errors: zmqtopo validate tells which")
        return EXIT_BAD_FILE
    found = with_machine(checked, rules=KEY_RULES)
    keys = {rule.name for rule in KEY_RULES}
    problems = [problem for problem in found.problems if problem.rule in keys]
    if problems:
        text.full(problems, {found.file: found.lines}, sys.stdout, colour=text.wants_colour(sys.stdout))
    else:
        emit("all keys are there and fit\n")
    return EXIT_FAILURE if problems else 0


def _revoke(args: argparse.Namespace) -> int:
    from zmqtopo.cli.remote import talk

    if len(args.what) != 2:
        complain("keys revoke needs a running topology and the name of a key: zmqtopo keys revoke events alice")
        return EXIT_USAGE
    return talk(args.what[0], lambda client: _take_away(client, args.what[1]))


def _take_away(client: Client, name: str) -> int:
    """Move every key of the name away, wait until nobody gets in with it, and cut off who has."""
    allowed = [Path(path) for path in _allowed(client)]
    files = [file for path in allowed for file in (path.glob(f"*{PUBLIC}") if path.is_dir() else [path])]
    mine = [file for file in files if file.stem == name]
    if not mine:
        near = closest(name, {file.stem for file in files})
        complain(f"no key of {quote(name)} is allowed by {client.name}" + (f"; did you mean {near}?" if near else ""))
        return EXIT_USAGE
    for file in mine:
        if file in allowed:
            complain(f"{printable(str(file))} is named by the topology itself; remove it there, and reload")
            return EXIT_FAILURE
    try:
        for file in mine:
            file.rename(file.with_name(file.name + REVOKED))
            emit(f"{printable(str(file))} is {printable(file.name + REVOKED)} now\n")
    except OSError as error:
        complain(f"cannot move {printable(str(file))} away: {error.strerror}")
        return EXIT_FAILURE
    wait(TAKEN_UP)
    cut = 0
    for peer in client.ask("peers", timeout=ANSWER_TIMEOUT).get("peers", ()):
        if peer.get("user") == name and peer["state"] == "connected":
            cut += bool(client.ask("drop", peer=peer["id"], timeout=ANSWER_TIMEOUT).get("ok"))
    emit(f"{name} gets in no more; {count(cut, 'connection')} cut\n")
    return 0


def _allowed(client: Client) -> Iterator[str]:
    """The files and folders of keys that the profiles of a running topology allow."""
    told = json.loads(client.ask("topology", timeout=ANSWER_TIMEOUT).get("topology") or "{}")
    for profile in told.get("security", {}).values():
        allow = profile.get("allow")
        if isinstance(allow, list):
            yield from (path.replace("$$", "$") for path in allow)


_ACTIONS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "new": _new, "list": _list, "show": _show, "verify": _verify, "revoke": _revoke,
}
