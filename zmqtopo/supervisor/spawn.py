"""A module of ours as the main program of a clean interpreter, joined to this process by a socket pair."""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing.connection import Connection
from typing import Any

from zmqtopo.worker import fd_passing


def start(module: str, *words: str) -> tuple[subprocess.Popen[bytes], Connection[Any, Any]]:
    """Run ``module``, whose first argument is the descriptor of its end; ``words`` follow, and show in process lists.

    Raises OSError when the system has no room for it.
    """
    ours, theirs = fd_passing.pair()
    try:
        process = subprocess.Popen(
            # -P: whatever lies in the working directory is not a module of the worker.
            [sys.executable, "-P", "-m", module, str(theirs.fileno()), *words],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            # Ctrl-C in a terminal goes to a process group; the process that starts workers acts on it and ends them.
            process_group=0,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, Connection(ours.detach())
