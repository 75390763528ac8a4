"""What commands say on standard error."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from zmqtopo.config.wording import printable

if TYPE_CHECKING:
    from zmqtopo.checks import Checked  # which commands that only report need not import


def complain(text: str) -> None:
    """Write an error; it may have text from outside in it."""
    priority = ""
    if "JOURNAL_STREAM" in os.environ:
        from zmqtopo.report.priority import PRIORITIES, leads_to_journal

        priority = f"<{PRIORITIES['error']}>" if leads_to_journal(2) else ""
    print(f"{priority}zmqtopo: error: {printable(text)}", file=sys.stderr)


def errors_and_warnings(checked: Checked) -> None:
    """Write the errors and warnings of a file; what is only information belongs to ``validate``."""
    problems = [problem for problem in checked.problems if problem.severity != "info"]
    if problems:
        from zmqtopo.report import text

        text.full(problems, {checked.file: checked.lines}, sys.stderr, colour=text.wants_colour(sys.stderr))
