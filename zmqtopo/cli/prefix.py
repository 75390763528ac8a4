"""Bytes on the command line."""

from __future__ import annotations

import argparse
import os
import re

from zmqtopo.config.wording import quote


def prefix(text: str) -> bytes:
    r"""The bytes of an argument, in which ``\xNN`` is a byte and two backslashes are one; for argparse."""

    def byte(found: re.Match[bytes]) -> bytes:
        if found[0] == b"\\\\":
            return b"\\"
        if found[1] is None:
            raise argparse.ArgumentTypeError(
                f"{quote(text)} has a backslash that begins no byte: a byte is written \\xNN with two hexadecimal "
                "digits, such as \\x00, and a backslash is written \\\\")
        return bytes.fromhex(found[1].decode())

    return re.sub(rb"\\(?:\\|x([0-9a-fA-F]{2})|)", byte, os.fsencode(text))
