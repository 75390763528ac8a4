"""Types of the compiled loop; tests compare them with the module."""

from collections.abc import Callable
from typing import Final

BLOCK_SIZE: Final[int]
LINE_WORDS: Final[int]
STATES: Final[dict[int, str]]

def load(path: str) -> None: ...
def run(
    in_socket: int,
    out_socket: int,
    mon_socket: int,
    control: int,
    block: bytearray | memoryview,
    prefix_in: bytes | None,
    prefix_out: bytes | None,
    mon_blocks: bool,
    wakeup: int,
    attend: Callable[[], tuple[bytes | None, bytes | None, bool, int, int] | None] | None,
    subscription_flags: int,
    topic_length: int,
    most_topics: int,
    most_frames: int,
    tap_drops: int,
    tap_blocks: int,
) -> tuple[int, int, bool]: ...
