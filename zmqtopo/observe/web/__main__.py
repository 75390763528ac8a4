"""The main program of the process that serves HTTP; its first argument is the descriptor of its supervisor's end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from zmqtopo.observe.web.link import Link

NICENESS = 15
"""Devices come first where there is not enough processor time for all."""

OOM_SCORE = 500
"""Where memory runs out, the system ends this process and not a worker (proc_pid_oom_score_adj(5))."""

_PR_SET_PDEATHSIG = 1       # of linux/prctl.h


def main() -> None:
    """Serve until the supervisor is gone or ends this process."""
    supervisor = os.getppid()
    if sys.platform == "linux":
        # Also when stopped by SIGSTOP, in which nobody hears that the other end is closed.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(0)
        with open("/proc/self/oom_score_adj", "w") as file:     # noqa: PTH123
            file.write(str(OOM_SCORE))
    os.nice(NICENESS)
    # What is sent to everybody, by a terminal or at the end of a service, is for the supervisor.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    link = Link(int(sys.argv[1]), supervisor)
    from zmqtopo.observe.web.server import serve  # which takes half a second on a busy machine

    serve(link)


if __name__ == "__main__":
    main()
