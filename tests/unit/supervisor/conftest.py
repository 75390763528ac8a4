from __future__ import annotations

import pytest

from .histories import World


@pytest.fixture
def world() -> World:
    return World()
