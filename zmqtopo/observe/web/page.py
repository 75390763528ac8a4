"""The page of a topology: a whole table as it is served, which a script then keeps up to date and draws."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final, NamedTuple

from zmqtopo.observe.web.rows import STATES, TONES, Row, rows

REFRESH: Final = 5
"""Seconds after which a browser without JavaScript asks again."""


class Column(NamedTuple):
    """A column of the table: its name in the page's files, its head, and what it says in words."""

    name: str
    head: str
    about: str


COLUMNS: Final = (
    Column("device", "DEVICE", "the device's name in the file"),
    Column("state", "STATE", "its state, and which side is full"),
    Column("in", "IN/s", "messages a second from in to out"),
    Column("out", "OUT/s", "messages a second from out to in"),
    Column("bytes", "B/s", "bytes a second, both ways"),
    Column("blocked", "BLOCKED%", "part of the time that messages had to wait for somebody to take them"),
    Column("dropped", "DROPPED", "messages and copies dropped since it was started"),
    Column("peers", "PEERS", "connections of in / out / mon"),
    Column("cpu", "CPU%", "processor time, in percent of a core"),
    Column("rss", "RSS", "memory of the process that it runs in"),
    Column("last", "LAST", "since when the last message passed"),
)

_KEYS: Final = (
    ("j k", "next, previous device"),
    ("s", "sort by the next column"),
    ("1 … 9", "sort by that column"),
    ("r", "reverse the order"),
    ("/", "filter"),
    ("f", "fit the drawing into the window"),
    ("l", "go to the log"),
    ("Esc", "close what is open"),
    ("?", "this help"),
)
_SIGNS: Final = (
    *((sign, f"{state}: waits to be started again" if state == "backoff" else state)
      for state, (sign, _) in STATES.items()),
    ("▲", "running, and a message waits for somebody to take it"),
    ("→ 20/s", "messages a second on a connection; ≤ where a socket with several counts them together"),
    ("┅", "what is dashed carries copies; amber and dotted: the socket is full"),
    ("─●", "this end binds, the other one connects"),
)
_TAP_KEYS: Final = (("t", "the messages of the device"),)
_CONTROL_KEYS: Final = (("space", "pause or resume the device"), ("R", "restart the device"))


def render(
    status: Mapping[str, Any], *, before: Sequence[Mapping[str, Any]] = (), seconds: float = 0.0,
    log: Sequence[Mapping[str, Any]] = (), control: bool = False, tap: bool = False,
) -> str:
    """The page as HTML.

    ``status`` is the control socket's answer to ``ps``, and ``before`` are the devices of another one so many
    ``seconds`` ago: rates are what passed since. ``log`` are the last entries of the log. With ``control`` the page
    offers to pause, resume and restart devices, and with ``tap`` to show messages; whether the server does so is its
    own decision.
    """
    topology, file = str(status.get("topology", "")), str(status.get("file", ""))
    told = rows(status["devices"], {device["name"]: device for device in before}, seconds, time.time())
    about = ", ".join(filter(None, [file, f"zmqtopo {release}" if (release := status.get("release")) else ""]))
    return _PAGE.format(
        topology=escape(topology), about=escape(about), control="yes" if control else "no",
        tap="yes" if tap else "no", refresh=REFRESH,
        heads="".join(map(_head, COLUMNS)), rows="\n".join(map(_row, told)),
        summary="".join(_summary(told)), problems="".join(_problems(told)),
        log="".join(f"<div>{escape(_line(entry))}</div>" for entry in log),
        keys="".join(f"<dt>{''.join(_kbd(keys))}</dt><dd>{escape(text)}</dd>"
                     for keys, text in (*_KEYS, *(_CONTROL_KEYS if control else ()), *(_TAP_KEYS if tap else ()))),
        signs="".join(f"<dt>{escape(sign)}</dt><dd>{escape(text)}</dd>" for sign, text in _SIGNS),
    )


def _head(column: Column) -> str:
    title = escape(column.about)
    return (f'<th scope="col" data-column="{column.name}" title="{title}">'
            f'<button type="button" aria-label="{escape(column.head)}: {title}">{escape(column.head)}</button></th>')


def _row(row: Row) -> str:
    name, *cells = ((column.name, escape(row.cells[column.name])) for column in COLUMNS)
    reason = f'<span class="reason">{escape(row.reason)}</span>' if row.reason else ""
    texts = "".join(f'<td data-column="{key}">{text}{reason if key == "state" else ""}</td>' for key, text in cells)
    return f'<tr data-tone="{row.tone}"><th scope="row" data-column="device">{name[1]}</th>{texts}</tr>'


def _summary(told: Sequence[Row]) -> Iterator[str]:
    counts: dict[tuple[str, str], int] = {}
    for row in told:
        key = row.tone, row.cells["state"]
        counts[key] = counts.get(key, 0) + 1
    for (tone, words), count in sorted(counts.items(), key=lambda item: TONES.index(item[0][0])):
        yield f'<span class="chip" data-tone="{tone}">{count:,} {escape(words)}</span>'


def _problems(told: Sequence[Row]) -> Iterator[str]:
    for row in told:
        if row.tone == "bad":
            yield (f'<li data-tone="bad"><b>{escape(row.cells["device"])}</b> {escape(row.cells["state"])}'
                   f"<span>{escape(row.reason)}</span></li>")


def _line(entry: Mapping[str, Any]) -> str:
    return f"{entry.get('time', '')} {entry.get('device') or entry.get('topology', '')}: {entry['message']}"


def _kbd(keys: str) -> Iterator[str]:
    for i, key in enumerate(keys.split(" ")):
        yield (" " if i else "") + (key if key == "…" else f"<kbd>{escape(key)}</kbd>")


_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en" data-topology="{topology}" data-control="{control}" data-tap="{tap}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{topology} · zmqtopo</title>
<link rel="icon" href="static/icon.svg">
<link rel="stylesheet" href="static/page.css">
<script src="static/theme.js"></script>
<script type="module" src="static/app.js"></script>
<noscript><meta http-equiv="refresh" content="{refresh}"></noscript>
</head>
<body>
<header>
<h1>{topology}</h1>
<p id="connection" class="needs-script" role="status"></p>
<p class="about-file">{about}</p>
<div class="push needs-script">
<button type="button" id="theme">Theme: system</button>
<button type="button" id="help-button">Keys <kbd>?</kbd></button>
</div>
</header>
<main>
<div id="summary">{summary}</div>
<ul id="problems" aria-label="What does not work" aria-live="polite">{problems}</ul>
<p id="message" role="status"></p>
<section class="needs-script" aria-labelledby="drawing-title">
<div class="bar"><h2 id="drawing-title">Drawing</h2><p id="drawing-note" role="status"></p>
<div class="push"><button type="button" id="zoom" aria-pressed="false">Fit</button></div></div>
<div id="drawing" tabindex="0" role="region" aria-label="Drawing, can be scrolled"></div>
</section>
<section aria-labelledby="devices-title">
<div class="bar"><h2 id="devices-title">Devices</h2>
<input id="filter" class="needs-script" type="search" placeholder="Filter"
 aria-label="Filter devices by name, state or type">
</div>
<div class="scroll">
<table id="devices" aria-labelledby="devices-title">
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
</section>
<section aria-labelledby="log-title">
<div class="bar"><h2 id="log-title">Log</h2></div>
<div id="log" tabindex="0" role="log" aria-labelledby="log-title">{log}</div>
</section>
</main>
<dialog id="help" aria-labelledby="help-title"><h2 id="help-title">Keys</h2>
<dl>{keys}</dl>
<h2>Signs</h2>
<dl>{signs}</dl>
<form method="dialog"><button>Close</button></form></dialog>
<dialog id="confirm" aria-label="Confirm"><p></p>
<form method="dialog"><button value="yes">Restart</button> <button value="no" autofocus>Cancel</button></form></dialog>
</body>
</html>
"""
