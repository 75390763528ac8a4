"""The page: a table of the devices as HTML, which scripts turn into what moves."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any


def render(status: Mapping[str, Any], *, control: bool = False, tap: bool = False) -> str:
    """The page for an answer to ``ps``; ``control`` and ``tap`` are whether the file allows them."""
    rows = "".join(
        f"<tr><td>{escape(device['name'])}</td><td>{escape(device['state'])}</td></tr>"
        for device in status.get("devices", ())
    )
    title = escape(str(status.get("topology", "")))
    return f"<!doctype html><meta charset=utf-8><title>{title}</title><table>{rows}</table>\n"
