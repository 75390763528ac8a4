"""How long ``zmqtopo validate`` takes, as a process of its own; run it with ``python tests/bench_validate.py``.

Prints for a small file the time beside that of ``python -c "import yaml, jsonschema, networkx"``, and for
large files, good ones and bad ones, time and memory by size. Ends with 1 when a promise is broken: a small
file in less than 1.5 times the imports, 10,000 devices in 30,000 lines in less than 3 s and 500 MB, and ten
times the devices in no more than fifteen times the time. Times are those of the processor, the best of five
runs, so that what else the machine does counts little.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

SMALL = """\
version: 1
devices:
  requests:
    type: queue
    in: {bind: tcp://*:5559}
    out: {bind: tcp://*:5560}
"""
IMPORTS = ["-c", "import yaml, jsonschema, networkx"]
RUNS = 5
SIZES = (1_000, 10_000)


def good(n: int) -> str:
    """A device in three lines; every second one connects to the one before it."""
    to = f"connect: d{n - 1}.out" if n % 2 else f"bind: tcp://127.{n >> 16}.{n >> 8 & 255}.{n & 255}:5559"
    host = f"127.{n >> 16}.{n >> 8 & 255}.{n & 255}"
    return f"  d{n}: {{type: streamer,\n    in: {{{to}}},\n    out: {{bind: 'tcp://{host}:5560'}}}}\n"


def mistyped(n: int) -> str:
    """A key that is not there, in every device."""
    return good(n).replace("out: {bind:", "out: {bnid:")


def conflicting(n: int) -> str:
    """One port for all."""
    return f"  d{n}: {{type: streamer,\n    in: {{bind: tcp://*:5559}},\n    out: {{connect: 'd{n + 1}.nowhere'}}}}\n"


def measured(*arguments: str) -> tuple[float, float]:
    """Seconds of processor and MiB of memory that a Python process took."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    scale = 2**20 if sys.platform == "darwin" else 2**10     # ru_maxrss: bytes there, KiB elsewhere
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale


def best(*arguments: str) -> tuple[float, float]:
    """The least of several runs."""
    runs = [measured(*arguments) for _ in range(RUNS)]
    return min(seconds for seconds, _ in runs), min(memory for _, memory in runs)


def main() -> int:
    """Measure, print, judge."""
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "topology.yaml")

        def validate(text: str) -> tuple[float, float]:
            path.write_text(text)
            return best("-m", "zmqtopo", "validate", str(path))

        imports, _ = best(*IMPORTS)
        small, memory = validate(SMALL)
        print(f"import yaml, jsonschema, networkx    {imports:6.3f} s")
        print(f"a small file                         {small:6.3f} s {memory:5.0f} MiB   {small / imports:.2f} of that")
        if small > 1.5 * imports:
            broken.append("a small file takes 1.5 times as long as the imports, or longer")
        kinds: dict[str, Callable[[int], str]] = {"good": good, "mistyped": mistyped, "conflicting": conflicting}
        for name, device in kinds.items():
            times = []
            for size in SIZES:
                seconds, memory = validate("devices:\n" + "".join(map(device, range(size))))
                times.append(seconds)
                print(f"{size:6,} devices, {name:12}         {seconds:6.3f} s {memory:5.0f} MiB")
            if times[1] > 3 or memory > 500:
                broken.append(f"10,000 devices take more than 3 s or 500 MB ({name})")
            if times[1] > 15 * times[0]:
                broken.append(f"time grows faster than the number of devices ({name})")
    for promise in broken:
        print(f"broken: {promise}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
