"""``zmqtopo --version``: what a bug report needs to say."""

from __future__ import annotations

import platform

import zmq

import zmqtopo


def versions() -> str:
    """Return the versions of zmqtopo, pyzmq, libzmq and Python in one line."""
    return (f"zmqtopo {zmqtopo.__version__}, pyzmq {zmq.pyzmq_version()}, libzmq {zmq.zmq_version()}, "
            f"{platform.python_implementation()} {platform.python_version()}")
