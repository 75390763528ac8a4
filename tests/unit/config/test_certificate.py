"""Certificates of CURVE and files with users."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import zmq
import zmq.auth

from zmqtopo.config.certificate import CertificateError, create, parse, part, read, read_file, text_of, users
from zmqtopo.config.curve import key_bytes, key_text

PUBLIC, SECRET = (key.decode() for key in zmq.curve_keypair())


def test_those_of_pyzmq_are_read_and_it_reads_ours(tmp_path: Path) -> None:
    theirs, hidden = zmq.auth.create_certificates(tmp_path, "theirs")
    public, secret = zmq.auth.load_certificate(hidden)
    assert secret is not None
    assert (read(theirs).public, read(theirs).secret) == (key_bytes(public), None)
    assert (read(hidden).public, read(hidden).secret) == (key_bytes(public), key_bytes(secret))
    ours = tmp_path / "ours.key_secret"
    ours.write_text(text_of(PUBLIC, SECRET, {"name": "ours"}))
    assert zmq.auth.load_certificate(ours) == (PUBLIC.encode(), SECRET.encode())
    assert read(str(ours)).metadata == {"name": "ours"}
    assert key_text(read(str(ours)).public) == PUBLIC


@pytest.mark.parametrize(("content", "why"), [
    (b"", "it has no public-key"),
    (b"\xff\xfe", "it is not text"),
    (b"a: b\n", "it has no public-key"),
    (b'curve\n    public-key = "short"\n', "its public-key is not a key"),
    (f'curve\n    public-key = "{PUBLIC}"\n    public-key = "{PUBLIC}"\n'.encode(), "it has public-key twice"),
    (f'curve\n    secret-key = "{SECRET}"\n'.encode(), "it has no public-key"),
    (f'curve\n    public-key = "{SECRET}"\n    secret-key = "{SECRET}"\n'.encode(), "is not that of its secret key"),
    (f'curve\n    public-key = "{PUBLIC}"\n    secret-key = "{"0" * 40}"\n'.encode(), "all zeros"),
])
def test_what_is_no_certificate(content: bytes, why: str) -> None:
    with pytest.raises(CertificateError, match=why) as info:
        parse(content)
    assert SECRET not in str(info.value)


def test_the_parts_of_a_file() -> None:
    both, public = (text_of(PUBLIC, secret, {}).encode() for secret in (SECRET, None))
    assert part(both, "secret-key") == key_bytes(SECRET)
    assert part(both, "public-key") == part(public, "public-key") == key_bytes(PUBLIC)
    with pytest.raises(CertificateError, match="the file that has both ends with"):
        part(public, "secret-key")
    one = b"# mine\n\nalice = a b = c\n"
    assert (part(one, "name"), part(one, "password")) == (b"alice", b"a b = c")
    with pytest.raises(CertificateError, match="and this has 2"):
        part(b"a = 1\nb = 2\n", "name")


@pytest.mark.parametrize(("content", "why"), [
    (b"alice", "line 1 is not NAME = PASSWORD"), (b"\n = secret", "line 2 is not"), (b"alice =", "line 1 is not"),
    (b"a = 1\na = 2", "line 2 has a name that an earlier line has"), (b"a = " + b"x" * 256, "line 1 is too long"),
    (b"\xff", "it is not text"),
])
def test_users_with_mistakes(content: bytes, why: str) -> None:
    with pytest.raises(CertificateError, match=why) as info:
        users(content)
    assert "secret" not in str(info.value)


def test_only_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a pipe or a device and not a file"):
        read_file(str(tmp_path / "pipe"))
    with pytest.raises(IsADirectoryError):
        read_file(str(tmp_path))
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(OSError, match="more than 1 MiB"):
        read_file(str(tmp_path / "large"))


def test_a_file_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.key_secret"
    create(path, "first", 0o600)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("first", 0o600)
    with pytest.raises(FileExistsError):
        create(path, "second", 0o600)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.key_secret", "first")]
