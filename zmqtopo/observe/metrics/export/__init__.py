"""Files for Prometheus and Grafana that are made for the names of these metrics."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Final

from zmqtopo.observe.metrics.export.dashboard import dashboard

_FILES: Final = {"alerts": "alerts.yml", "alerts-tests": "alerts.test.yml"}


def exported(target: str) -> str:
    """The text of ``alerts``, ``alerts-tests`` or ``grafana``."""
    if target == "grafana":
        return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"
    return files("zmqtopo.observe.metrics.export").joinpath(_FILES[target]).read_text("utf-8")
