"""Secrets in a file, and what is left of them in a report."""

from __future__ import annotations

import time

import pytest

from zmqtopo.config.secrets import concealed, concealed_lines


@pytest.mark.parametrize("line", [
    "plain_password: hunter2", "  plain_password : hunter2", "plain_password:hunter2", "plain_password=hunter2",
    "'plain_password': 'hunter2'", '"plain_password": "a \\" hunter2"', "plain_password: !!binary hunter2==",
    "plain_password: &pw hunter2", "options: {hwm: 3, plain_password: hunter2}",
    "{plain_password: 'a, hunter2', hwm: 3}",
    "{plain_password: hun{ter2}, plain_password: hunter2}", "# plain_password: hunter2", "ZMQ_PLAIN_PASSWORD: hunter2",
    "plain_password: see, hunter2", "plain_pasword: hunter2",
    "plian_password: hunter2", "curve_secertkey: hunter2", "my_secret: hunter2",
    "plain_password: ${PW:-hunter2}", "wss_key_pem: hunter2", "socks_password: 'it''s hunter2'",
])
def test_what_stands_behind_the_name_of_a_secret_is_hidden(line: str) -> None:
    shown = concealed(line)
    assert "hunter" not in shown
    assert "ter2" not in shown
    assert len(shown) == len(line)
    assert shown[: line.index(":") if ":" in line else 4] == line[: line.index(":") if ":" in line else 4]


@pytest.mark.parametrize("line", [
    "curve_serverkey: rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "curve_server: true", "plain_username: joe",
    "plain_password: {file: secrets/password}", "plain_password: ${PW}", "in: {bind: tcp://*:5559}", "plain_password:",
    "expected text for plain_password, got a secret of 4 characters", "socks_proxy: h:80", "x-pass: 5", "password",
    "secrets: {type: queue, in: {bind: tcp://*:5559}}", "  passengers:", "wss-feed: {type: queue}",
    "curve_srever: true",
])
def test_what_is_no_secret_is_shown(line: str) -> None:
    assert concealed(line) == line


@pytest.mark.parametrize(("text", "shown"), [
    ("a:\n  plain_password:\n    hunter2\n  hwm: 3", "a:\n  plain_password:\n    *******\n  hwm: 3"),
    ("  wss_key_pem: |\n    BEGIN\n    To: me\n\n    x\n  hwm: 3",
     "  wss_key_pem: *\n    *****\n    ******\n\n    *\n  hwm: 3"),
    ("  wss_key_pem: |\nBEGIN\nx\nhwm: 3", "  wss_key_pem: *\n*****\n*\nhwm: 3"),
    ("plain_password: 'a\n  b'\nhwm: 3", "plain_password: **\n  **\nhwm: 3"),
    ("{plain_password: a,\n    hwm: 3}", "{plain_password: *,\n    hwm: 3}"),
    ("{plain_password: a\n}\nhwm: 3", "{plain_password: *\n*\nhwm: 3"),
    ("  plain_password hunter2\n  hwm: 3", "  plain_password *******\n  hwm: 3"),
    ("  ? plain_password\n  : hunter2\n  hwm: 3", "  ? plain_password\n  *********\n  hwm: 3"),
    ("secrets:\n  type: queue", "secrets:\n  type: queue"),
    ("plain_password: {file: x}\nhwm: 3", "plain_password: {file: x}\nhwm: 3"),
])
def test_a_secret_over_several_lines(text: str, shown: str) -> None:
    assert list(concealed_lines(text.split("\n"))) == shown.split("\n")


@pytest.mark.parametrize("text", [
    "plain_password: a, " * 100_000, "{" + "plain_password: a, " * 100_000,
    pytest.param("\n".join(f"pass{n}: x" for n in range(20_000)), marks=pytest.mark.slow),
    "{plain_password: " + "! " * 100_000, "plain_password: " + "'" * 100_001, "pass " * 100_000 + ":",
])
def test_long_lines_and_many_names_are_no_matter(text: str) -> None:
    before = time.process_time()
    concealed_lines(text.split("\n"))
    assert time.process_time() - before < 5
