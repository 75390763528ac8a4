"""Both sides of ``zmqtopo up -d``: who starts a topology in the background, and the process in which it runs."""

from __future__ import annotations

import argparse
import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

from zmqtopo.exit_codes import EXIT_FAILURE
from zmqtopo.report.stderr import complain
from zmqtopo.service.log import FOUND, READY


def launch(
    file: str, *, name: str | None, wait: float | None, abort_on_failure: bool, log_format: str, watch: bool,
    quiet: bool, http: str | None = None,
) -> int:
    """Start it in a session of its own and pass on what it says until it is ready; 0 when it is, else its exit code.

    Returns 1 when ``wait`` seconds did not suffice; it goes on starting then, and other commands find it.
    """
    deadline = None if wait in (None, float("inf")) else time.monotonic() + wait
    readable, writable = os.pipe()
    with os.fdopen(readable, "rb", buffering=0) as said:
        try:
            process = subprocess.Popen(
                # -P: whatever lies in the working directory is not a module of its.
                [sys.executable, "-P", "-m", "zmqtopo.service.background", f"--log-format={log_format}",
                 *(["--abort-on-failure"] if abort_on_failure else []), *(["--watch"] if watch else []),
                 *([f"--http={http}"] if http is not None else []),
                 *([f"--name={name}"] if name is not None else []), *(["--quiet"] if quiet else []), "--", file],
                stdin=None if file == "-" else subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=writable,
                pass_fds=_descriptors(file), start_new_session=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            )
        finally:
            os.close(writable)
        found = False
        try:
            while True:
                # Who left before would be told by `down` that nothing runs, and see it run a moment later.
                left = max(deadline - time.monotonic(), 0) if deadline is not None and found else None
                if not select.select([said], [], [], left)[0]:
                    complain(f"not ready within {wait:g} s; process {process.pid} is still starting it")
                    process.returncode = 0      # it is not waited for
                    return EXIT_FAILURE
                words = said.read(1 << 16)
                found = found or FOUND in words
                sys.stderr.write(words.replace(FOUND, b"").removesuffix(READY).decode(errors="backslashreplace"))
                sys.stderr.flush()
                if words.endswith(READY):
                    process.returncode = 0
                    return 0
                if not words:
                    break
        except KeyboardInterrupt:
            process.terminate()
            raise
    code = process.wait()
    if code < 0:
        complain(f"process {process.pid} was ended by signal {-code} while it started")
        return EXIT_FAILURE
    if code == 0 and found:
        complain("it was stopped before it was ready")
        return EXIT_FAILURE
    return code


def _descriptors(file: str) -> tuple[int, ...]:
    """The descriptor that a path such as /dev/fd/63 stands for, which is what a shell makes of ``<(command)``."""
    found = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", file)
    return (int(found[1]),) if found is not None and Path(file).exists() else ()


def main() -> int:
    """What runs in the background: as in the foreground, but for where it says what happens."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--abort-on-failure", action="store_true")
    parser.add_argument("--watch", action="store_true")
    parser.add_argument("--http")
    parser.add_argument("--name")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--log-format")     # for who started it; the log in the state folder is JSON anyway
    args = parser.parse_args()
    from zmqtopo.service.start import run_here  # which reads and checks files: the launcher need not

    # The first descriptor that is not one of the standard ones, closed in workers, which would keep the launcher
    # waiting.
    return run_here(args.file, name=args.name, quiet=args.quiet, abort_on_failure=args.abort_on_failure,
                    log_format=args.log_format, watch=args.watch, http=args.http, launcher=os.dup(2))


if __name__ == "__main__":
    sys.exit(main())
