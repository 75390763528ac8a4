"""Keys of CURVE: their two spellings, and the public key that belongs to a secret one.

``validate`` runs without libzmq, so the curve is computed here: X25519 of RFC 7748, as slow as Python is (a few
milliseconds), for comparing keys only and never for a connection.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from functools import lru_cache
from typing import Final

CURVE_KEYS: Final = ("curve_publickey", "curve_secretkey", "curve_serverkey")

_Z85: Final = ("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#")
_DIGITS: Final = {character: value for value, character in enumerate(_Z85)}
_PRIME: Final = 2**255 - 19
_A24: Final = 121665


def key_bytes(value: str | bytes) -> bytes | None:
    """Return the 32 bytes of a key, which may be 40 characters of Z85 (ZeroMQ RFC 32); None for what is not a key."""
    if len(value) == 32 and isinstance(value, bytes):
        return value
    if len(value) != 40:
        return None
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    key = b""
    for start in range(0, 40, 5):
        number = 0
        for character in text[start: start + 5]:
            if character not in _DIGITS:
                return None
            number = number * 85 + _DIGITS[character]
        if number >= 1 << 32:
            return None
        key += number.to_bytes(4, "big")
    return key


def key_text(key: bytes) -> str:
    """The 40 characters of Z85 of a key of 32 bytes."""
    text = ""
    for start in range(0, 32, 4):
        number = int.from_bytes(key[start: start + 4], "big")
        text += "".join(_Z85[number // 85**power % 85] for power in (4, 3, 2, 1, 0))
    return text


def missing_keys(options: Mapping[str, object], known: Container[str] = ()) -> tuple[str, ...]:
    """Return the keys without which a socket with these options is not secured, or never reaches its server.

    libzmq takes zeros for a key that is not given: everybody can make that secret key, and pass for that server.
    ``known`` are options that are given although ``options`` has no value of them.
    """
    server = bool(options.get("curve_server"))
    if not server and not any(key in options or key in known for key in CURVE_KEYS):
        return ()
    needed = ("curve_secretkey",) if server else CURVE_KEYS
    return tuple(key for key in needed if key not in options and key not in known)


@lru_cache(1000)
def public_key(secret: bytes) -> bytes:
    """Return the public key of a secret key, both of 32 bytes: the base point times the secret number."""
    number = int.from_bytes(secret, "little")
    number = (number & ~(7 | 128 << 248)) | 64 << 248
    x2, z2, x3, z3, swapped = 1, 0, 9, 1, 0
    for bit in reversed(range(255)):    # the Montgomery ladder of RFC 7748, section 5
        now = number >> bit & 1
        if now != swapped:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swapped = now
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a, b * b, d * a % _PRIME, c * b % _PRIME
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % _PRIME, 9 * (da - cb) ** 2 % _PRIME
        x2, z2 = aa * bb % _PRIME, e * (aa + _A24 * e) % _PRIME
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, _PRIME - 2, _PRIME) % _PRIME).to_bytes(32, "little")
