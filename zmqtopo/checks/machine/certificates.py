"""Whether the files and folders of profiles are there, and who may read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from zmqtopo.checks.graph import Graph
from zmqtopo.checks.rule import Finding, rule
from zmqtopo.config.certificate import PUBLIC, CertificateError, read, read_file, users
from zmqtopo.config.model import Profile
from zmqtopo.config.wording import count

_OTHERS = 0o077
"""The permissions of others than the owner."""


@rule(
    "machine", "key-missing", "error",
    finds="A file or folder of a security profile that is not there, or has something else than keys in it.",
    why="Who should have been let in is not, or the device could not start. The content is never shown.",
    bad="""
        security:
          lan: {curve: /no/such/broker.key_secret, allow: /no/such/folder}
        devices:
          events: {type: forwarder, security: lan, in: {bind: tcp://127.0.0.1:*}, out: {bind: tcp://127.0.0.1:*}}
        """,
    good="""
        security:
          lan: {allow_ips: 127.0.0.1}
        devices:
          events: {type: forwarder, security: lan, in: {bind: tcp://127.0.0.1:*}, out: {bind: tcp://127.0.0.1:*}}
        """,
)
def key_missing(graph: Graph) -> Iterator[Finding]:
    """Read what is in `allow` and in the file with users; certificates of sockets are read as their options."""
    for profile in graph.topology.security.values():
        for path in profile.allow or ():
            yield from _wrong_keys(profile, path)
        if profile.plain:
            try:
                users(read_file(profile.plain))
            except (OSError, ValueError) as error:
                yield _finding(profile, "plain", f"cannot use {profile.plain} ({_reason(error)})",
                               "write a line NAME = PASSWORD for each user")


def _wrong_keys(profile: Profile, path: str) -> Iterator[Finding]:
    try:
        names = sorted(name for name in os.listdir(path) if name.endswith(PUBLIC))  # noqa: PTH208 - names are enough
    except NotADirectoryError:
        files = [path]
    except OSError as error:
        yield _finding(profile, "allow", f"cannot read {path} ({error.strerror})", "make it, and put public keys in it")
        return
    else:
        files = [str(Path(path, name)) for name in names]
        if not files:
            yield _finding(profile, "allow", f"there is no key in {path}, so that nobody of it may connect",
                           "put public keys in it: zmqtopo keys new makes them", warning=True)
    wrong = []
    for file in files:
        try:
            read(file)
        except (OSError, ValueError) as error:
            wrong.append((file, _reason(error)))
    if wrong:
        more = f"; and {count(len(wrong) - 1, 'other file')}" if len(wrong) > 1 else ""
        yield _finding(profile, "allow", f"cannot use {wrong[0][0]} ({wrong[0][1]}){more}",
                       "replace it, or move it away", warning=len(files) > 1)


@rule(
    "machine", "key-readable", "warning",
    finds="A file with a secret key or with passwords that others than its owner may read.",
    why="Who can read a secret key can pass for its owner, and read what is sent to them.",
    bad="""
        security:
          lan: {curve: /etc/hostname, allow: any}    # a file that everybody may read
        devices:
          events: {type: forwarder, security: lan, in: {bind: tcp://127.0.0.1:*}, out: {bind: tcp://127.0.0.1:*}}
        """,
    good="""
        security:
          lan: {allow_ips: 127.0.0.1}
        devices:
          events: {type: forwarder, security: lan, in: {bind: tcp://127.0.0.1:*}, out: {bind: tcp://127.0.0.1:*}}
        """,
)
def key_readable(graph: Graph) -> Iterator[Finding]:
    """Look at the mode of the files that are secret."""
    for profile in graph.topology.security.values():
        for key, path in (("curve", profile.curve), ("plain", profile.plain)):
            try:
                mode = stat.S_IMODE(Path(path).stat().st_mode) if path else 0
            except OSError:
                continue    # of which others speak
            if mode & _OTHERS:
                yield _finding(profile, key, f"others than its owner can read {path}, whose mode is {mode:04o}",
                               f"chmod 600 {path}")


def _finding(profile: Profile, key: str, message: str, hint: str, *, warning: bool = False) -> Finding:
    # A profile may be called private, and what follows that and a colon is taken for a secret.
    return Finding(profile.places.get(key, profile.place), f"security.{profile.name}.{key}: {message}", hint,
                   severity="warning" if warning else None)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return str(error.strerror)
    return str(error) if isinstance(error, CertificateError) else type(error).__name__
