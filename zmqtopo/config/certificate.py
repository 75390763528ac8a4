"""Certificates of CURVE: the files of czmq and pyzmq's ``zmq.auth``, which others read and write too.

``NAME.key`` has the public key, ``NAME.key_secret`` both. The form is ZPL (ZeroMQ RFC 4): a section ``curve`` with
``public-key`` and ``secret-key``, each 40 characters of Z85 in quotes, and a section ``metadata`` for people.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zmqtopo.config.curve import key_bytes, public_key

MAX_FILE_SIZE: Final = 1 << 20
"""Bytes of a file with the value of an option or a certificate; those of TLS are the longest."""

PUBLIC, SECRET = ".key", ".key_secret"
"""How the names of the files of a certificate end."""

_KEYS: Final = ("public-key", "secret-key")


class CertificateError(ValueError):
    """What is wrong with a certificate; never its content."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The keys of one side, of 32 bytes each; who has only the public one of somebody has no secret."""

    public: bytes
    secret: bytes | None
    metadata: Mapping[str, str]


def read_file(path: str) -> bytes:
    """The content of a regular file. Raises OSError, also for what would have to be waited for."""
    with open(path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "a pipe or a device and not a file")
        content = file.read(MAX_FILE_SIZE + 1)
    if len(content) > MAX_FILE_SIZE:
        raise OSError(errno.EFBIG, f"more than {MAX_FILE_SIZE >> 20} MiB")
    return content


def read(path: str) -> Certificate:
    """The certificate in a file. Raises OSError and CertificateError."""
    return parse(read_file(path))


def parse(content: bytes) -> Certificate:
    """Read a certificate. Raises CertificateError."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise CertificateError("it is not a certificate: it is not text") from None
    section, found, metadata = "", {}, {}
    for line in text.splitlines():
        words = line.partition("#")[0] if '"' not in line else line
        name, mark, value = words.partition("=")
        if not words.strip() or words.lstrip().startswith("#"):
            continue
        if not mark:
            section = words.strip()
        elif section == "curve" and name.strip() in _KEYS:
            if name.strip() in found:
                raise CertificateError(f"it has {name.strip()} twice")
            found[name.strip()] = _key(name.strip(), value.strip().strip("\"'"))
        elif section == "metadata":
            metadata[name.strip()] = value.strip().strip("\"'")
    if "public-key" not in found:
        raise CertificateError("it is not a certificate of CURVE: it has no public-key in a section curve")
    secret = found.get("secret-key")
    if secret == bytes(32):
        raise CertificateError("its secret key is all zeros, which everybody knows")
    if secret is not None and public_key(secret) != found["public-key"]:
        raise CertificateError("its public key is not that of its secret key")
    return Certificate(found["public-key"], secret, metadata)


def users(content: bytes) -> Mapping[str, str]:
    """The passwords by name of a file with lines ``NAME = PASSWORD``. Raises CertificateError; never tells content."""
    found: dict[str, str] = {}
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError:
        raise CertificateError("it is not text") from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, mark, password = (part.strip() for part in line.partition("="))
        if not (mark and name and password):
            raise CertificateError(f"line {number} is not NAME = PASSWORD")
        if name in found:
            raise CertificateError(f"line {number} has a name that an earlier line has")
        # A ZeroMQ RFC 23 command has one byte for the length of each.
        if max(len(name.encode()), len(password.encode())) > 255:
            raise CertificateError(f"line {number} is too long: a name and a password have at most 255 bytes")
        found[name] = password
    return found


def part(content: bytes, wanted: str) -> bytes:
    """What `zmqtopo.config.model.File` names as a part. Raises CertificateError."""
    if wanted in ("name", "password"):
        told = users(content)
        if len(told) != 1:
            raise CertificateError(f"what connects has one line NAME = PASSWORD, its own, and this has {len(told)}")
        return next(iter(told.items()))[wanted == "password"].encode()
    certificate = parse(content)
    if wanted == "public-key":
        return certificate.public
    if certificate.secret is None:
        raise CertificateError(f"it has no secret key; the file that has both ends with {SECRET}")
    return certificate.secret


def text_of(public: str, secret: str | None, metadata: Mapping[str, str]) -> str:
    """A certificate as czmq and ``zmq.auth`` read it; the keys are in Z85."""
    kind = "secret: keep it to its owner" if secret is not None else "public: give it to those who connect"
    lines = [f"#   ZeroMQ CURVE certificate, {kind}", "", "metadata"]
    lines += [f'    {name} = "{value}"' for name, value in metadata.items()]
    lines += ["curve", f'    public-key = "{public}"']
    lines += [f'    secret-key = "{secret}"'] if secret is not None else []
    return "\n".join(lines) + "\n"


def create(path: Path, text: str, mode: int) -> None:
    """Make a file that is not there yet, whole or not at all, whatever the umask. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".zmqtopo-")     # O_EXCL and 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.link(name, path)     # unlike a rename it replaces nothing
    finally:
        Path(name).unlink()


def _key(name: str, text: str) -> bytes:
    key = key_bytes(text)
    if key is None:
        raise CertificateError(f"its {name} is not a key: 40 characters of Z85")
    return key
