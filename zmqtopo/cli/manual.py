"""What ``--help`` says of each verb beside its arguments: the exit codes and an example."""

from __future__ import annotations

import shutil
import textwrap
from typing import Final

_TOPOLOGY: Final = {69: "the topology is not running"}
_CHANGE: Final = {0: "every device came to that state", 1: "some did not", **_TOPOLOGY}

EXIT_CODES: Final[dict[str, dict[int, str]]] = {
    "init": {0: "written", 1: "the file exists already, or cannot be written"},
    "demo": {0: "every message arrived, in order", 1: "one did not, or a device could not start", 130: "Ctrl-C"},
    "validate": {0: "no errors", 1: "errors; with --strict also for warnings"},
    "graph": {0: "drawn", 1: "with --check: the drawing is out of date",
              69: "Graphviz is needed and not installed; with --live, the topology is not running",
              78: "the file has errors"},
    "convert": {0: "converted", 78: "the file cannot be converted"},
    "up": {0: "clean stop; with -d, every device is ready",
           1: "a device could not start or failed for good, or a topology of that name runs already",
           78: "the file has errors", 130: "a second signal skipped the wait"},
    "ps": {0: "every device runs", 1: "some device does not run, a paused one included",
           69: "no such topology is running"},
    "logs": {0: "printed", 1: "with --previous: no earlier run left a log", **_TOPOLOGY},
    "tap": {0: "shown, or the topology has ended", 1: "it ended before --count were shown", **_TOPOLOGY,
            130: "Ctrl-C, after telling what was not shown"},
    "peers": {0: "shown, or cut off", 1: "the process of a device does not answer, or who was meant has just gone",
              **_TOPOLOGY},
    "top": {0: "shown", 69: "nothing runs, or no longer; or textual, which draws the screen, is not installed"},
    "stop": _CHANGE, "start": _CHANGE, "restart": _CHANGE, "pause": _CHANGE, "resume": _CHANGE,
    "reload": {0: "reloaded, or nothing has changed", 1: "failed and was rolled back", **_TOPOLOGY,
               78: "the file has errors; nothing is changed"},
    "record": {0: "recorded until Ctrl-C, the end of the topology or as told", 1: "it could not be written to its end",
               69: "the topology is not running, or mcap not installed"},
    "replay": {0: "sent", 1: "not everything could be sent", 69: "the topology is not running, or mcap not installed",
               78: "the recording is damaged or not one", 130: "Ctrl-C, after telling what was sent"},
    "recording": {0: "done", 1: "the result could not be written", 69: "mcap is not installed",
                  78: "the recording is damaged or not one"},
    "keys": {0: "done, and with verify: everything fits", 1: "a key could not be made, read, or does not fit",
             78: "the file has errors"},
    "metrics": {0: "printed", 69: "the topology is not running, or the packages for metrics are not installed"},
    "export": {0: "written", 1: "the file cannot be written"},
    "down": {0: "ended", 1: "ended, but a device had failed for good", **_TOPOLOGY},
    "bench": {0: "measured", 1: "something could not be measured", 78: "the file has errors",
              130: "Ctrl-C, after printing what had been measured"},
    "config": {0: "printed", 1: "the topology runs and does not tell", 78: "the file has errors"},
    "explain": {0: "printed"},
    "schema": {0: "printed"},
    "completion": {0: "printed"},
}
"""What the exit codes of a verb mean; 2 is for a mistake in the arguments, of any verb."""

EXAMPLES: Final[dict[str, str]] = {
    "init": "zmqtopo init shop.yaml --kind rpc",
    "demo": "zmqtopo demo --messages 100000",
    "validate": "zmqtopo validate --strict topologies README.md",
    "graph": "zmqtopo graph shop.yaml -o shop.svg",
    "convert": "zmqtopo convert zdcf.json -o shop.yaml",
    "up": "zmqtopo up -d shop.yaml --wait 10",
    "ps": "zmqtopo ps shop --watch",
    "logs": "zmqtopo logs shop jobs --since 5m -f",
    "tap": "zmqtopo tap shop jobs --match eu. --decode utf8,hex,msgpack",
    "peers": "zmqtopo peers shop jobs --failed",
    "top": "zmqtopo top shop --sort blocked",
    "stop": "zmqtopo stop shop jobs -t 30s",
    "start": "zmqtopo start shop jobs",
    "restart": "zmqtopo restart shop jobs",
    "pause": "zmqtopo pause shop jobs",
    "resume": "zmqtopo resume shop",
    "reload": "zmqtopo reload shop --dry-run",
    "down": "zmqtopo down shop billing",
    "record": "zmqtopo record shop jobs -o monday.mcap",
    "replay": "zmqtopo replay monday.mcap --to events.in --speed 2",
    "recording": "zmqtopo recording info monday.mcap",
    "keys": "zmqtopo keys new keys/broker",
    "metrics": "zmqtopo metrics shop",
    "export": "zmqtopo export alerts -o alerts.yml",
    "bench": "zmqtopo bench --pattern streamer --size 16,1KiB",
    "config": "zmqtopo config shop.yaml --format json",
    "explain": "zmqtopo explain bind-conflict",
    "schema": "zmqtopo schema > topology.schema.json",
    "completion": "eval \"$(zmqtopo completion bash)\"",
}


def epilog(verb: str) -> str:
    """What stands below the arguments of a verb."""
    codes = {**EXIT_CODES.get(verb, {0: "done"}), 2: "a mistake in the arguments"}
    columns = max(shutil.get_terminal_size().columns - 2, 20)
    digits = max(len(str(code)) for code in codes)
    told = ["exit codes:"]
    for code, words in sorted(codes.items()):
        told += textwrap.wrap(words, columns, initial_indent=f"  {code:>{digits}}  ",
                              subsequent_indent=" " * (digits + 4), break_on_hyphens=False)
    return "\n".join([*told, "", "example:", f"  {EXAMPLES[verb]}"] if verb in EXAMPLES else told)
