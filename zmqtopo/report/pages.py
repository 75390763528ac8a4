"""The pages that come with the package: Markdown in ``zmqtopo/pages``, which forges render and `explain` prints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Page:
    """A page: the topic is the name of its file, the title its first line."""

    topic: str
    title: str
    markdown: str


@cache
def pages() -> Mapping[str, Page]:
    """Every page by topic, in the order of the alphabet."""
    folder = files("zmqtopo") / "pages"
    found = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        topic, _, ending = file.name.rpartition(".")
        if ending == "md":
            markdown = file.read_text("utf-8")
            first = re.match(r"# (.+)\n", markdown)
            found[topic] = Page(topic, first[1] if first else topic, markdown)
    return MappingProxyType(found)
