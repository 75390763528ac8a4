"""Bytes on the command line."""

from __future__ import annotations

import os
import re


def prefix(text: str) -> bytes:
    r"""The bytes of an argument, in which ``\xNN`` is a byte and two backslashes are one; for argparse."""

    def byte(found: re.Match[bytes]) -> bytes:
        return b"\\" if found[0] == b"\\\\" else bytes.fromhex(found[1].decode())

    return re.sub(rb"\\(?:\\|x([0-9a-fA-F]{2}))", byte, os.fsencode(text))
