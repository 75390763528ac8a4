from __future__ import annotations

import pytest

from zmqtopo.report.figures import number


@pytest.mark.parametrize(("value", "written"), [
    (0, "0"), (9.96, "10"), (999.4, "999"), (999.6, "1.0k"), (9_949, "9.9k"), (9_960, "10k"), (1_234_567, "1.2M"),
    (56e9, "56G"), (2e12, "2T"),
])
def test_a_number_has_at_most_four_characters(value: float, written: str) -> None:
    assert number(value) == written
    assert len(number(value)) <= 4
