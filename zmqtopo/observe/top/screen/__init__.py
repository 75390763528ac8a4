"""The screen of ``top``, drawn by textual; no other package imports it."""

from __future__ import annotations

import os
from typing import ClassVar

from textual import events
from textual.app import App
from textual.binding import Binding, BindingType

from zmqtopo.observe.top.screen.devices import Setup, TableScreen


def run(setup: Setup) -> None:
    """Show it until somebody has seen enough."""
    if not os.environ.get("NO_COLOR", "no"):
        del os.environ["NO_COLOR"]      # textual takes one that is empty for one that is set (no-color.org)
    # Without the mouse, which a terminal then keeps for marking and copying text.
    Top(setup).run(mouse=False)


class Top(App[None]):
    """The program."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    * { scrollbar-color: ansi_bright_black; scrollbar-background: ansi_default; scrollbar-color-hover: ansi_white;
        scrollbar-color-active: ansi_white; scrollbar-background-hover: ansi_default;
        scrollbar-background-active: ansi_default; }
    Screen, Static, Lines, Table { background: ansi_default; color: ansi_default; }
    Static { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    .bar { text-style: reverse; }
    #heads { text-style: bold underline; }
    #selected { height: 3; }
    #note { display: none; text-style: dim; }
    #nothing, #note { height: auto; text-wrap: wrap; }
    #typed { display: none; }
    #small { display: none; height: 1fr; text-wrap: wrap; }
    .small > * { display: none; }
    .small > #small { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c", "quit", priority=True)]

    def __init__(self, setup: Setup) -> None:
        super().__init__(ansi_color=True)
        self.setup = setup

    def on_mount(self) -> None:
        """Begin with the table."""
        self.push_screen(TableScreen(self.setup))

    async def on_event(self, event: events.Event) -> None:
        """Give what is typed for the filter to it before anything else may take it for a command."""
        if isinstance(event, events.InputEvent) and not event.is_forwarded:
            screen = self.screen
            if isinstance(screen, TableScreen) and screen.takes(event):
                return
        await super().on_event(event)
