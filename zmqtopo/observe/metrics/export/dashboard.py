"""A dashboard for Grafana.

Its datasource is a variable: `__inputs` would be filled in by the dialog of an import alone, and not where a dashboard
is provisioned. Its uid is fixed, so that a newer one takes the place of an older one.
"""

from __future__ import annotations

from typing import Any, Final

UID: Final = "zmqtopo"
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_CHOSEN: Final = 'topology=~"$topology", device=~"$device"'
_WIDTH: Final = 24
"""Columns of Grafana's grid."""


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    return {
        "uid": UID, "title": "zmqtopo", "tags": ["zeromq", "zmqtopo"], "schemaVersion": 39, "version": 1,
        "editable": True,
        "time": {"from": "now-1h", "to": "now"}, "refresh": "30s", "timezone": "browser", "graphTooltip": 1,
        "annotations": {"list": []}, "links": [],
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {},
             "hide": 0, "refresh": 1, "regex": "", "multi": False, "includeAll": False},
            _variable("topology", "Topology", "label_values(zmqtopo_build_info, topology)"),
            _variable("device", "Device", 'label_values(zmqtopo_device_info{topology=~"$topology"}, device)'),
        ]},
        "panels": _placed([
            (6, 4, _stat("Devices that run", f'sum(zmqtopo_device_state{{{_CHOSEN}, state="running"}})', "none")),
            (6, 4, _stat("Devices that do not", f'sum(zmqtopo_device_state{{{_CHOSEN}, state="running"}} == bool 0)',
                         "none", bad=1)),
            (6, 4, _stat("Full at the moment", f"sum(zmqtopo_blocked{{{_CHOSEN}}})", "none", bad=1)),
            (6, 4, _stat("Reload failed", 'sum(zmqtopo_config_last_reload_successful{topology=~"$topology"} == bool 0)',
                         "none", bad=1)),
            (12, 8, _graph("Messages", "cps", (_rate("zmqtopo_messages_total"), _FLOW))),
            (12, 8, _graph("Bytes", "Bps", (_rate("zmqtopo_bytes_total"), _FLOW))),
            (12, 8, _graph("Time full", "percentunit", (_rate("zmqtopo_blocked_seconds_total"), _FLOW))),
            (12, 8, _graph("Dropped", "cps", (_rate("zmqtopo_messages_dropped_total"), _FLOW))),
            (12, 8, _graph("Waits for room", "cps", (_rate("zmqtopo_blocked_total"), _FLOW))),
            (12, 8, _graph("Since the last message", "s",
                           (f"time() - zmqtopo_last_message_timestamp_seconds{{{_CHOSEN}}}", _FLOW))),
            (12, 8, _graph("Peers", "none", (f"zmqtopo_peers{{{_CHOSEN}}}", _SOCKET))),
            (12, 8, _graph("Connections", "cps", (_rate("zmqtopo_connections_total"), f"{_SOCKET} made"),
                           (f"{_rate('zmqtopo_handshake_failures_total')} > 0", f"{_SOCKET} {{{{reason}}}}"))),
            (12, 8, _graph("Restarts", "none", (f"increase(zmqtopo_device_restarts_total{{{_CHOSEN}}}"
                                                "[$__rate_interval])", "{{topology}} {{device}}"))),
            (12, 8, _graph("Uptime", "s", (f"time() - zmqtopo_device_start_time_seconds{{{_CHOSEN}}}",
                                           "{{topology}} {{device}}"))),
            (12, 8, _graph("Processor time", "percentunit", (
                'rate(process_cpu_seconds_total{topology=~"$topology"}[$__rate_interval])', _PROCESS))),
            (12, 8, _graph("Memory", "bytes", ('process_resident_memory_bytes{topology=~"$topology"}', _PROCESS))),
            (12, 8, _graph("Open files", "percentunit", (
                'process_open_fds{topology=~"$topology"} / process_max_fds{topology=~"$topology"}', _PROCESS))),
            (12, 8, _table("Devices", f"zmqtopo_device_info{{{_CHOSEN}}}")),
        ]),
    }


_FLOW: Final = "{{topology}} {{device}} {{flow}}"
_SOCKET: Final = "{{topology}} {{device}}.{{socket}}"
_PROCESS: Final = "{{topology}} {{process}}"


def _rate(metric: str) -> str:
    return f"rate({metric}{{{_CHOSEN}}}[$__rate_interval])"


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name, "label": label, "type": "query", "datasource": _DATASOURCE, "definition": query,
        "query": {"query": query, "refId": name}, "refresh": 2, "sort": 1, "regex": "", "hide": 0, "multi": True,
        "includeAll": True, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]},
    }


def _stat(title: str, query: str, unit: str, bad: int | None = None) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if bad is not None:
        steps.append({"color": "red", "value": bad})
    return {
        "type": "stat", "title": title, "targets": [_target(query, "", "A") | {"instant": True, "range": False}],
        "fieldConfig": {"defaults": {"unit": unit, "noValue": "0", "thresholds": {"mode": "absolute", "steps": steps}},
                        "overrides": []},
        "options": {"colorMode": "value", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}},
    }


def _graph(title: str, unit: str, *queries: tuple[str, str]) -> dict[str, Any]:
    return {
        "type": "timeseries", "title": title,
        "targets": [_target(query, legend, chr(ord("A") + at)) for at, (query, legend) in enumerate(queries)],
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": {"fillOpacity": 5, "showPoints": "never"}},
                        "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"},
                    "tooltip": {"mode": "multi", "sort": "desc"}},
    }


def _table(title: str, query: str) -> dict[str, Any]:
    hidden = {"Time": True, "Value": True, "__name__": True, "job": True}
    return {
        "type": "table", "title": title,
        "targets": [_target(query, "", "A") | {"instant": True, "range": False, "format": "table"}],
        "fieldConfig": {"defaults": {}, "overrides": []},
        "transformations": [{"id": "organize", "options": {"excludeByName": hidden}}], "options": {"showHeader": True},
    }


def _target(query: str, legend: str, name: str) -> dict[str, Any]:
    return {"refId": name, "datasource": _DATASOURCE, "expr": query, "legendFormat": legend, "range": True}


def _placed(panels: list[tuple[int, int, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The panels, each of a width and a height, one after the other in rows."""
    placed = []
    x = y = tallest = 0
    for number, (width, height, panel) in enumerate(panels, 1):
        if x + width > _WIDTH:
            x, y, tallest = 0, y + tallest, 0
        placed.append({"id": number, "datasource": _DATASOURCE, **panel,
                       "gridPos": {"x": x, "y": y, "w": width, "h": height}})
        x, tallest = x + width, max(tallest, height)
    return placed
