"""The page of a running topology, in a real browser."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from zmqtopo.checks import examine
from zmqtopo.checks.graph import Graph
from zmqtopo.draw.dot import RATE_ROOM, live_dot
from zmqtopo.draw.picture import picture

from .conftest import DEADLINE, Control, Up, children

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser, and is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to open the page with"),
]

expect = sync_api.expect

EXAMPLES = Path(__file__).parents[2] / "topologies"

TOPOLOGY = """
http: {listen: "127.0.0.1:*", control: CONTROL}
devices:
  jobs:
    type: streamer
    description: 'says "hi" <img src=x onerror=alert(1)> & more'
    in: {bind: "tcp://127.0.0.1:*"}
    out: {bind: "tcp://127.0.0.1:*"}
  requests: {type: queue, in: {bind: "tcp://127.0.0.1:*"}, out: {bind: "ipc://FOLDER/a'<b>&c"}}
  fragile:
    {type: streamer, run: process, restart: never, in: {connect: jobs.out}, out: {bind: "tcp://127.0.0.1:*"}}
peers:
  sources: {type: PUSH, connect: jobs.in}
"""


class Page:
    """A page in a browser, what it has asked for, and what the browser has complained of."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.url = url
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self) -> Page:
        self.page.goto(self.url)
        expect(self.page.locator("#connection")).to_have_text("● live")
        return self

    def drawn(self) -> Page:
        expect(self.page.locator("#drawing svg")).to_be_visible(timeout=DEADLINE * 1000)
        return self

    def row(self, name: str) -> Any:
        return self.page.locator(f"tr[data-device='{name}']")

    def cell(self, name: str, column: str) -> Any:
        return self.row(name).locator(f"[data-column={column}]")

    def names(self) -> list[str]:
        found: list[str] = self.page.locator("#devices [scope=row]").all_inner_texts()
        return [name for name in found if name not in ("in to out", "out to in", "copies to mon")]

    def node(self, name: str) -> Any:
        return self.page.locator(f"[id='device:{name}']")


def at(up: Up) -> str:
    """The address of the page of a topology."""
    line = next((line for line in up.lines if " http at " in line), None) or up.wait_for(" http at ")
    return line.partition(" http at ")[2]


def topology(folder: Path, *, control: bool) -> str:
    return TOPOLOGY.replace("CONTROL", json.dumps(control)).replace("FOLDER", str(folder))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        # In a container the user is root, whom Chromium gives no sandbox.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*sandbox, "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One topology for all tests that only look; nobody may control it."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "it.yaml").write_text(topology(folder, control=False))
    up = Up(["it.yaml"], folder, {"ZMQTOPO_STATE_DIR": str(folder)})
    try:
        yield up.ready()
        up.stop()
    finally:
        up.clean_up()


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Any, start: Any) -> Iterator[Visit]:
    """Open the page of a topology; at the end nothing was loaded from elsewhere, and the browser had no complaint.

    It takes ``start`` so that pages are closed before the topologies that they show.
    """
    pages: list[Page] = []

    def visit(up: Up | str, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        pages.append(Page(context.new_page(), up if isinstance(up, str) else at(up)))
        return pages[-1]

    yield visit
    for page in pages:
        page.page.context.close()
        assert page.complaints == []
        assert [url for url in page.requests if not url.startswith(page.url)] == []


@contextlib.contextmanager
def sending(up: Up, socket: str) -> Iterator[None]:
    """Send to a socket of a device as long as this goes on."""
    stop = threading.Event()
    address = up.address(socket)

    def send() -> None:
        with zmq.Context() as context, context.socket(zmq.PUSH) as push:
            push.linger = 0
            push.connect(address)
            while not stop.wait(0.01):
                for _ in range(10):
                    with contextlib.suppress(zmq.Again):
                        push.send(b"x" * 100, zmq.DONTWAIT)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def taking(up: Up, socket: str) -> Iterator[None]:
    """Take what comes out of a device as long as this goes on."""
    stop = threading.Event()
    address = up.address(socket)

    def take() -> None:
        with zmq.Context() as context, context.socket(zmq.PULL) as pull:
            pull.linger = 0
            pull.connect(address)
            while not stop.is_set():
                if pull.poll(50):
                    pull.recv()

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


# -- what it shows ---------------------------------------------------------------------------------------------------


def test_it_shows_every_device_in_a_table_and_in_a_drawing(visit: Visit, shared: Up) -> None:
    page = visit(shared).open().drawn()
    assert page.names() == ["jobs", "requests", "fragile"]
    for name in page.names():
        expect(page.cell(name, "state")).to_have_text("● running")
        expect(page.node(name)).to_contain_text("● running")
    expect(page.page.locator("#log")).to_contain_text("ready, 3 devices")
    expect(page.page.locator("#summary")).to_contain_text("3 ● running")


def test_texts_of_others_are_texts(visit: Visit, shared: Up) -> None:
    page = visit(shared).open().drawn()
    assert "<img src=x onerror=alert(1)> & more" in page.node("jobs").locator("title").text_content()
    expect(page.page.locator("#drawing")).to_contain_text("a'<b>&c")
    page.row("requests").click()
    expect(page.page.locator("tr.detail")).to_contain_text("a'<b>&c")
    assert page.page.locator("main :is(img, b:not(#problems b), script, iframe, a)").count() == 0


def test_rates_move_while_messages_pass_and_nothing_is_laid_out_anew(visit: Visit, start: Any, tmp_path: Path) -> None:
    up = start(topology(tmp_path, control=False)).ready()
    page = visit(up).open().drawn()
    edge = page.page.locator("[id='peer:sources>device:jobs.in#1']")
    expect(edge.locator(".rate")).to_have_text("→ 0/s")
    expect(edge).to_have_attribute("data-flow", "none")
    page.page.evaluate("window.svg = document.querySelector('#drawing svg')")
    with taking(up, "fragile.out"), sending(up, "jobs.in"):
        expect(page.cell("jobs", "in")).to_have_text(re.compile(r"^\d{2,}|k$"))
        expect(page.cell("jobs", "bytes")).to_have_text(re.compile("kB$"))
        expect(edge.locator(".rate")).to_have_text(re.compile(r"^→ (\d{2,}|[\d.]+k)/s$"))
        expect(edge).not_to_have_attribute("data-flow", "none")
        expect(page.cell("jobs", "cpu")).to_have_text(re.compile(r"^[\d.]+$"))
        expect(page.cell("jobs", "rss")).to_have_text(re.compile(r"^\d+ MB$"))
        expect(page.cell("jobs", "peers")).to_have_text("1 / 1")
        expect(page.page.locator("#summary")).to_contain_text(re.compile(r"[1-9][\d.]*k? messages/s"))
    expect(edge).to_have_attribute("data-flow", "none")
    assert page.page.evaluate("document.querySelector('#drawing svg') === window.svg")
    assert sum(url.endswith("/api/graph") for url in page.requests) == 1
    assert sum(url.endswith("/api/events") for url in page.requests) == 1


def test_a_device_that_is_full_says_so(visit: Visit, start: Any, tmp_path: Path) -> None:
    up = start(topology(tmp_path, control=False)).ready()
    page = visit(up).open().drawn()
    with sending(up, "jobs.in"):
        # Nobody takes anything out of fragile; once all queues are full, a message waits.
        expect(page.cell("fragile", "state")).to_have_text("▲ running, out full", timeout=60_000)
    expect(page.node("fragile")).to_have_attribute("data-tone", "warn")
    expect(page.page.locator("#problems")).to_contain_text("nobody takes what waits at out")


def test_a_killed_device_turns_red_with_its_reason_within_two_seconds(visit: Visit, start: Any, tmp_path: Path) -> None:
    up = start(topology(tmp_path, control=False)).ready()
    page = visit(up).open().drawn()
    os.kill(up.worker("fragile"), signal.SIGKILL)
    expect(page.cell("fragile", "state")).to_have_text("✖ failed", timeout=2000)
    expect(page.page.locator("#problems")).to_contain_text(re.compile("fragile ✖ failed.*SIGKILL"), timeout=500)
    assert is_red(page.cell("fragile", "state"), "color")
    assert is_red(page.node("fragile").locator("polygon[stroke-width='2'][fill=none]"), "stroke")
    expect(page.node("fragile")).to_contain_text("✖ failed")
    assert "SIGKILL" in page.node("fragile").locator("title").text_content()
    assert page.page.title().startswith("✖ 1")


def is_red(element: Any, property_: str) -> bool:
    red, green, blue = rgb(element, property_)
    return red > 120 and red > 2 * max(green, blue)


def rgb(element: Any, property_: str) -> list[int]:
    shown = element.first.evaluate(f"element => getComputedStyle(element)['{property_}']")
    return [int(value) for value in re.findall(r"\d+", shown)[:3]]


def test_a_device_that_a_reload_adds_or_removes_is_drawn_or_gone(
    visit: Visit, start: Any, control: Control, tmp_path: Path
) -> None:
    text = topology(tmp_path, control=False)
    up = start(text).ready()
    page = visit(up).open().drawn()
    file = tmp_path / "it.yaml"
    file.write_text(text.replace("peers:", "  more: {type: forwarder, in: {bind: 'tcp://127.0.0.1:*'}, "
                                 "out: {bind: 'tcp://127.0.0.1:*'}}\npeers:"))
    control("reload")
    expect(page.node("more")).to_contain_text("● running")
    assert page.names() == ["jobs", "requests", "fragile", "more"]
    file.write_text(text)
    control("reload")
    expect(page.node("more")).to_have_count(0)
    expect(page.row("more")).to_have_count(0)
    expect(page.node("jobs")).to_contain_text("● running")


# -- control ---------------------------------------------------------------------------------------------------------


def test_a_device_is_paused_resumed_and_restarted(
    visit: Visit, start: Any, control: Control, tmp_path: Path
) -> None:
    page = visit(start(topology(tmp_path, control=True)).ready()).open().drawn()
    page.row("jobs").click()
    page.page.get_by_role("button", name="pause jobs").click()
    expect(page.cell("jobs", "state")).to_have_text("‖ paused")
    expect(page.node("jobs")).to_contain_text("‖ paused")
    expect(page.page.locator("#message")).to_contain_text("jobs: pause done")
    assert control.states(1)["jobs"] == "paused"
    page.page.get_by_role("button", name="resume jobs").click()
    expect(page.cell("jobs", "state")).to_have_text("● running")
    before = control.ps()["jobs"]["uptime"]
    page.page.get_by_role("button", name="restart jobs").click()
    page.page.get_by_role("button", name="Cancel").click()
    expect(page.page.locator("#confirm")).to_be_hidden()
    assert control.ps()["jobs"]["uptime"] > before
    page.page.get_by_role("button", name="restart jobs").click()
    page.page.get_by_role("button", name="Restart", exact=True).click()
    expect(page.page.locator("#message")).to_contain_text("jobs: restart done")
    assert control.ps()["jobs"]["uptime"] < before


def test_keys_control_the_current_device(visit: Visit, start: Any, tmp_path: Path) -> None:
    page = visit(start(topology(tmp_path, control=True)).ready()).open()
    page.page.keyboard.press("j")
    page.page.keyboard.press(" ")
    expect(page.cell("jobs", "state")).to_have_text("‖ paused")
    page.page.keyboard.press(" ")
    expect(page.cell("jobs", "state")).to_have_text("● running")
    page.page.keyboard.press("R")
    expect(page.page.locator("#confirm")).to_be_visible()
    page.page.keyboard.press("Escape")
    expect(page.page.locator("#confirm")).to_be_hidden()
    expect(page.cell("jobs", "state")).to_have_text("● running")


def test_nothing_is_offered_where_control_is_not_allowed(visit: Visit, shared: Up) -> None:
    page = visit(shared).open()
    page.page.keyboard.press("j")
    expect(page.page.locator("tr.detail")).to_be_visible()
    assert page.page.locator("tr.detail button").count() == 0
    for key in (" ", "R"):
        page.page.keyboard.press(key)
    assert page.page.locator("dialog[open]").count() == 0
    with page.page.expect_console_message():    # the browser writes each answer of 403 there
        answer = page.page.evaluate(
            "fetch('api/devices/jobs/pause', {method: 'POST', headers: {'X-Zmqtopo': '1'}}).then(told => told.status)")
    assert answer == 403
    page.complaints.clear()


def test_what_the_server_refuses_is_told(visit: Visit, shared: Up) -> None:
    page = visit(shared)
    # Such as a page that was opened before `control` was taken out of the file.
    page.page.add_init_script("document.addEventListener('readystatechange', () => "
                              "{ document.documentElement.dataset.control = 'yes'; })")
    page.open()
    page.row("jobs").click()
    page.page.get_by_role("button", name="pause jobs").click()
    expect(page.page.locator("#message")).to_contain_text("jobs: pause failed: devices are not controlled here")
    page.complaints.clear()


def test_messages_are_shown_where_the_file_allows_it(visit: Visit, start: Any, tmp_path: Path) -> None:
    text = topology(tmp_path, control=False).replace("control: false", "tap: true")
    up = start(text).ready()
    page = visit(up).open()
    page.row("jobs").click()
    page.page.get_by_role("button", name="Messages of jobs").click()
    page.page.keyboard.press("t")
    expect(page.page.locator(".messages")).to_be_hidden()
    page.page.keyboard.press("t")
    expect(page.page.locator(".tap p")).to_have_text("from now on, twenty a second at most")
    messages = page.page.locator(".messages")
    with taking(up, "fragile.out"):
        with zmq.Context() as context, context.socket(zmq.PUSH) as push:
            push.connect(up.address("jobs.in"))
            push.send_multipart([b"<b>topic</b>", b"\0\1", b'{"a": 1}'])
            expect(messages).to_contain_text('→ #1 <b>topic</b> | 0001 | {"a":1}')
        with sending(up, "jobs.in"):
            expect(page.page.locator(".tap p")).to_have_text(re.compile(r"^[\d,]+ not shown$"))
    assert messages.locator("b").count() == 0
    with page.page.expect_event("requestfailed", lambda request: "/api/tap?" in request.url):   # given up by the page
        page.page.keyboard.press("Escape")
    expect(messages).to_have_count(0)


def test_no_message_is_offered_where_the_file_does_not_allow_it(visit: Visit, shared: Up) -> None:
    page = visit(shared).open()
    page.row("jobs").click()
    expect(page.page.locator("tr.detail")).to_be_visible()
    assert page.page.get_by_role("button", name="Messages of").count() == 0
    assert page.page.context.request.get(f"{page.url}api/tap?device=jobs").status == 403


# -- the table -------------------------------------------------------------------------------------------------------


def test_it_sorts_by_each_column(visit: Visit, shared: Up) -> None:
    page = visit(shared).open()
    head = page.page.locator("thead th[data-column=device]")
    button = head.get_by_role("button")
    ascending = ["fragile", "jobs", "requests"]
    for order, names in [
        ("ascending", ascending), ("descending", ascending[::-1]), (None, ["jobs", "requests", "fragile"]),
    ]:
        button.click()
        assert head.get_attribute("aria-sort") == order
        assert page.names() == names
    for column in page.page.locator("#devices thead th").all():
        column.get_by_role("button").click()
        assert column.get_attribute("aria-sort") in ("ascending", "descending")
        assert page.page.locator("[aria-sort]").count() == 1
        assert sorted(page.names()) == ["fragile", "jobs", "requests"]


def test_it_is_used_by_keyboard_alone(visit: Visit, shared: Up) -> None:
    page = visit(shared).open().drawn()
    press = page.page.keyboard.press
    press("1")
    assert page.names() == ["fragile", "jobs", "requests"]
    press("r")
    assert page.names() == ["requests", "jobs", "fragile"]
    press("s")
    expect(page.page.locator("thead th[data-column=state]")).to_have_attribute("aria-sort", "ascending")
    press("1")
    press("j")
    expect(page.row("fragile")).to_be_focused()
    press("j")
    expect(page.row("jobs")).to_be_focused()
    expect(page.row("jobs")).to_have_attribute("aria-current", "true")
    expect(page.node("jobs")).to_have_class(re.compile("selected"))
    press("k")
    expect(page.row("fragile")).to_be_focused()
    press("Escape")
    expect(page.page.locator("tr.detail")).to_have_count(0)
    press("/")
    page.page.keyboard.type("jo")
    assert page.names() == ["jobs"]
    press("?")      # now it is a character of the filter
    assert page.names() == []
    press("Escape")
    page.page.get_by_label("Filter devices").fill("")
    page.page.get_by_label("Filter devices").blur()
    press("?")
    expect(page.page.locator("#help")).to_be_visible()
    press("j")
    expect(page.page.locator("tr.detail")).to_have_count(0)
    press("Escape")
    expect(page.page.locator("#help")).to_be_hidden()


def test_tab_reaches_everything_and_the_focus_can_be_seen(visit: Visit, shared: Up) -> None:
    page = visit(shared).open().drawn()
    columns = page.page.locator("#devices thead th").evaluate_all("heads => heads.map(head => head.dataset.column)")
    reached = []
    for _ in range(25):
        page.page.keyboard.press("Tab")
        reached.append(page.page.evaluate(
            "(e => [e.id || e.dataset.device || e.parentElement.dataset.column, getComputedStyle(e).outlineStyle])"
            "(document.activeElement)"))
    order = [name for name, _ in reached]
    expected = ["theme", "help-button", "zoom", "drawing", "filter", *columns, "jobs", "log"]
    assert order[:len(expected)] == expected
    assert all(outline != "none" for _, outline in reached[:len(expected)])


def test_the_place_in_the_table_stays_while_events_come(visit: Visit, shared: Up) -> None:
    page = visit(shared).open()
    page.page.keyboard.press("7")      # by DROPPED: all are equal
    page.page.keyboard.press("j")
    name = page.page.evaluate("document.activeElement.dataset.device")
    number = page.page.locator("#connection")
    expect(number).to_have_text("● live")
    since = page.page.locator("tr.detail dl").inner_text()
    expect(page.page.locator("tr.detail dl")).not_to_have_text(since)
    expect(page.row(name)).to_be_focused()


# -- other browsers --------------------------------------------------------------------------------------------------


def test_without_javascript_it_is_a_table(visit: Visit, start: Any, tmp_path: Path) -> None:
    up = start(topology(tmp_path, control=False)).ready()
    page = visit(up, java_script_enabled=False)
    page.page.goto(page.url)
    assert page.names() == ["jobs", "requests", "fragile"]
    expect(page.page.locator("#devices tbody [data-column=state]").first).to_have_text("● running")
    assert page.page.locator(".needs-script:visible").count() == 0
    assert page.page.locator("noscript meta[http-equiv=refresh]").count() == 1
    assert "ready, 3 devices" in page.page.locator("#log").inner_text()
    os.kill(up.worker("fragile"), signal.SIGKILL)
    up.wait_for("fragile: ")
    # It asks again by itself.
    expect(page.page.locator("#problems")).to_contain_text("SIGKILL", timeout=DEADLINE * 1000)
    assert page.page.locator("#devices tbody [data-column=in]").first.inner_text() != "-"


def test_light_and_dark_as_the_system_says_until_the_switch_says_otherwise(visit: Visit, shared: Up) -> None:
    page = visit(shared).open()

    def ground() -> str:
        return "light" if sum(rgb(page.page.locator("body"), "background-color")) > 380 else "dark"

    for scheme in ("dark", "light"):
        page.page.emulate_media(color_scheme=scheme)
        assert ground() == scheme
    switch = page.page.locator("#theme")
    expect(switch).to_have_text("Theme: system")
    switch.click()
    expect(switch).to_have_text("Theme: light")
    assert ground() == "light"
    switch.click()
    expect(switch).to_have_text("Theme: dark")
    assert ground() == "dark"
    page.page.reload(wait_until="commit")
    expect(switch).to_have_text("Theme: dark")
    assert ground() == "dark"


def test_every_text_can_be_read(visit: Visit, shared: Up) -> None:
    page = visit(shared)
    answer_with(page, states(["running", "failed", "paused", "backoff", "starting", "stopping", "stopped", "blocked"]))
    page.page.goto(page.url)
    page.drawn()
    page.page.locator("tr[data-device]").first.click()
    for scheme in ("light", "dark"):
        page.page.emulate_media(color_scheme=scheme)
        assert page.page.evaluate(CONTRASTS) == []


CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const parse = text => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255];
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("title, noscript")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(parse(element.closest("svg") ? style.fill : style.color)), light(ground(element))];
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5) bad.push([walker.currentNode.data, contrast]);
  }
  return bad;
}"""


def test_nothing_sticks_out_of_a_narrow_window(visit: Visit, shared: Up) -> None:
    page = visit(shared, viewport={"width": 400, "height": 800}).open().drawn()
    page.row("jobs").click()
    for width in (400, 320, 701, 1400):
        page.page.set_viewport_size({"width": width, "height": 800})
        expect(page.page.locator("#drawing-note")).to_be_hidden()
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width


def test_everything_has_a_name_for_a_screen_reader(visit: Visit, shared: Up) -> None:
    page = visit(shared).open().drawn()
    page.row("jobs").click()
    unnamed = page.page.evaluate("""[...document.querySelectorAll("button, input, [role], section, table, svg")].filter(
        e => !e.ariaLabel && !e.innerText?.trim() && !e.getAttribute("aria-label") && !e.getAttribute("aria-labelledby")
             && !e.caption && !(e.getAttribute("role") === "status")).map(e => e.outerHTML.slice(0, 100))""")
    assert unnamed == []
    assert page.page.locator("html").get_attribute("lang") == "en"


# -- the stream ------------------------------------------------------------------------------------------------------


def server(up: Up) -> int:
    """The process that serves the page."""
    for pid in children(up.process.pid):
        if b"zmqtopo.observe.web" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise LookupError(up.said)


def test_the_stream_comes_back_after_its_server_was_killed(visit: Visit, start: Any, tmp_path: Path) -> None:
    up = start(topology(tmp_path, control=False)).ready()
    page = visit(up).open().drawn()
    page.page.evaluate("window.same = true")
    os.kill(server(up), signal.SIGKILL)
    expect(page.page.locator("#connection")).to_contain_text("Connection lost; trying again.")
    expect(page.page.locator("#connection")).to_have_text("● live", timeout=3 * DEADLINE * 1000)
    for name in page.names():
        expect(page.cell(name, "state")).to_have_text("● running")
    assert page.page.evaluate("window.same"), "the page was not loaded again"
    assert all("ERR_" in complaint for complaint in page.complaints), page.complaints
    page.complaints.clear()


def with_port(text: str) -> str:
    """The same topology, with a page at the same address each time that it is started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return text.replace('127.0.0.1:*", control', f'127.0.0.1:{port}", control')


def test_the_end_of_the_topology_is_told(visit: Visit, start: Any, tmp_path: Path) -> None:
    text = with_port(topology(tmp_path, control=False))
    up = start(text).ready()
    page = visit(up).open().drawn()
    up.stop()
    expect(page.page.locator("#connection")).to_have_text(re.compile(
        r"■ Nobody listens here any more: the topology has ended, or serves no page\. What is shown is \d+ s old\."))
    expect(page.page.locator("body")).to_have_class(re.compile("stale"))
    expect(page.cell("jobs", "state")).to_have_text(re.compile("running|stopp"))
    page.complaints.clear()
    # The same page, when the topology runs again.
    start(text).ready()
    expect(page.page.locator("#connection")).to_have_text("● live", timeout=DEADLINE * 1000)
    page.complaints.clear()


def test_a_topology_that_does_not_answer_is_told(visit: Visit, start: Any, tmp_path: Path) -> None:
    up = start(topology(tmp_path, control=False)).ready()
    page = visit(up).open()
    up.send(signal.SIGSTOP)
    try:
        expect(page.page.locator("#connection")).to_contain_text("✖ The topology does not answer: ", timeout=20_000)
    finally:
        up.send(signal.SIGCONT)
    expect(page.page.locator("#connection")).to_have_text("● live", timeout=DEADLINE * 1000)


def test_a_token_in_the_address_opens_the_page_once_and_goes(visit: Visit, start: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret")
    text = topology(tmp_path, control=True).replace("control: true", "control: true, token: {file: token}")
    page = visit(start(text).ready())
    assert page.page.context.request.get(page.url).status == 401
    page.page.goto(f"{page.url}?token=s3cret")
    expect(page.page.locator("#connection")).to_have_text("● live")
    assert page.page.url == page.url
    page.drawn()
    page.row("jobs").click()
    page.page.get_by_role("button", name="pause jobs").click()
    expect(page.cell("jobs", "state")).to_have_text("‖ paused")


# -- many devices and odd ones: what a server might say --------------------------------------------------------------


def device(name: str, state: str = "running", **more: Any) -> dict[str, Any]:
    blocked = state == "blocked"
    flow = {"messages": 0, "bytes": 0, "dropped": 0, "blocked": 0, "blocked_time": 0.0, "waiting": False, "last": None,
            "in_hand": 0, "dropped_exact": True}
    return {
        "name": name, "type": "streamer", "run": "thread", "state": "running" if blocked else state, "pid": 1,
        "uptime": 1.0, "restarts": 0, "endpoints": {"in": ["tcp://127.0.0.1:5555"], "out": [], "mon": []},
        "counters": {"in_to_out": {**flow, "waiting": blocked}, "out_to_in": flow, "mon": flow},
        "error": "<script>window.hacked = true</script>" if state in ("failed", "backoff") else None, "warning": None,
        "stops_within": None, **more,
    }


def states(names: list[str]) -> list[dict[str, Any]]:
    return [device(f"{state}-{i}", state) for i, state in enumerate(names)]


def answer_with(page: Page, devices: list[dict[str, Any]], drawing: str | None = None) -> None:
    """Let the server seem to have these devices, and this drawing of them."""
    nodes = "".join(
        f'"device:{one["name"]}" [shape="plain", id="device:{one["name"]}", label=<<table border="2" bgcolor="white">'
        f'<tr><td>{one["name"]}<br/># running, mon full</td></tr></table>>]\n' for one in devices)

    def events(route: Any) -> None:
        event = {"time": time.time(), "config": "c", "devices": devices, "log": []}
        route.fulfill(content_type="text/event-stream", body=f"retry: 100\n\ndata: {json.dumps(event)}\n\n")

    page.page.route("**/api/events", events)
    page.page.route("**/api/graph", lambda route: route.fulfill(
        body=f"digraph {{ graph [] {nodes} }}" if drawing is None else drawing))


def test_each_state_has_a_sign_and_a_word_of_its_own(visit: Visit, shared: Up) -> None:
    page = visit(shared)
    answer_with(page, states(["running", "starting", "paused", "backoff", "stopping", "stopped", "failed", "blocked"]))
    page.page.goto(page.url)
    expect(page.page.locator("tr[data-device]")).to_have_count(8)
    shown = page.page.locator("#devices tbody [data-column=state]").all_inner_texts()
    assert [text.partition(" ")[2] for text in shown] == [
        "running", "starting", "paused", "backoff", "stopping", "stopped", "failed", "running, out full"]
    assert len({text.partition(" ")[0] for text in shown}) == 8
    assert page.page.evaluate("window.hacked") is None
    expect(page.page.locator("#problems")).to_contain_text("<script>window.hacked = true</script>")


def test_a_thousand_devices_are_a_table_and_the_drawing_says_why_it_is_not_there(visit: Visit, shared: Up) -> None:
    page = visit(shared)
    answer_with(page, [device(f"device-{i:04}", "failed" if i == 999 else "running") for i in range(1000)])
    page.page.goto(page.url)
    expect(page.page.locator("tr[data-device]")).to_have_count(1000)
    note = page.page.locator("#drawing-note")
    expect(note).to_contain_text("The drawing is left out: with 1,000 devices Graphviz takes long in a browser.")
    assert not any(url.endswith("/api/graph") for url in page.requests)
    page.page.locator("th[data-column=state] button").click()
    assert page.names()[0] == "device-0999"
    page.page.get_by_label("Filter devices").fill("device-0500")
    assert page.names() == ["device-0500"]
    page.page.route("**/api/graph", lambda route: route.fulfill(
        body='digraph { "device:device-0001" [shape="plain", id="device:device-0001", '
             'label=<<table><tr><td># running, mon full</td></tr></table>>] }'))
    note.get_by_role("button", name="Draw it").click()
    expect(page.node("device-0001")).to_contain_text("● running")


def test_a_drawing_that_cannot_be_made_leaves_the_table(visit: Visit, shared: Up) -> None:
    page = visit(shared)
    page.page.route("**/api/graph", lambda route: route.fulfill(body="digraph {"))
    page.open()
    expect(page.page.locator("#drawing-note")).to_contain_text("No drawing: syntax error")
    expect(page.cell("jobs", "state")).to_have_text("● running")
    page.page.unroute("**/api/graph")
    page.page.get_by_role("button", name="Try again").click()
    page.drawn()
    expect(page.page.locator("#drawing-note")).to_be_hidden()


def test_every_example_is_drawn_with_room_for_all_that_changes(visit: Visit, shared: Up) -> None:
    page = visit(shared)
    for path in sorted(EXAMPLES.glob("*.yaml")):
        checked = examine(str(path))
        assert checked.topology is not None
        drawn = live_dot(picture(Graph(checked.topology)))
        answer_with(page, [device(name) for name in checked.topology.devices], drawn)
        page.page.goto(page.url)
        for name in checked.topology.devices:
            expect(page.node(name).locator(".state")).to_have_text("● running")
        edges = page.page.locator("#drawing .edge")
        assert edges.count() == drawn.count(" -> ")
        assert edges.locator(".rate").count() == drawn.count(RATE_ROOM)
        assert "#" not in page.page.locator("#drawing").inner_text()


def test_long_and_foreign_names(visit: Visit, shared: Up) -> None:
    page = visit(shared, viewport={"width": 400, "height": 800})
    names = ["日本-1", "größe", "हिन्दी", "n" * 200]
    answer_with(page, [device(name, "failed" if len(name) > 100 else "running", error="e" * 20_000) for name in names])
    page.page.goto(page.url)
    for name in names:
        expect(page.node(name).locator(".state")).to_be_visible()
    page.row("größe").click()
    expect(page.node("größe")).to_have_class(re.compile("selected"))
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.page.locator("#problems").bounding_box()["height"] < 300


def test_what_a_drawing_may_hold_is_known(visit: Visit, shared: Up) -> None:
    page = visit(shared)
    page.page.route("**/api/graph", lambda route: route.fulfill(
        body='digraph { "device:jobs" [shape="plain", id="device:jobs", URL="javascript:window.hacked=1", '
             'label=<<table href="javascript:window.hacked=1"><tr><td># running, mon full</td></tr></table>>] }'))
    page.open().drawn()
    assert page.page.locator("#drawing :is(a, image, script, style, use, foreignObject)").count() == 0
    assert page.page.locator("#drawing").evaluate("box => box.innerHTML.includes('javascript')") is False


def test_numbers_are_written_as_everywhere(visit: Visit, shared: Up) -> None:
    from zmqtopo.report.figures import duration, number

    page = visit(shared).open()
    values = [0, 9.4, 9.94, 9.96, 99.6, 999.4, 999.6, 1000, 9949, 9951, 12_345, 999_499, 999_501, 5e6, 7e9, 3e12, 4e15]
    spans = [0, 1, 59, 60, 61, 3599, 3600, 86399, 86400, 90061, 1e7]
    written = page.page.evaluate(
        "([values, spans]) => import('/static/format.js').then(f => [values.map(f.number), spans.map(f.duration)])",
        [values, spans])
    assert written == [[number(value) for value in values], [duration(span) for span in spans]]


def test_a_restarting_topology_is_not_asked_for_without_end(visit: Visit, shared: Up) -> None:
    """An answer that is none, as of a proxy, is met with one request each two seconds and no more."""
    page = visit(shared)
    page.page.route("**/api/events", lambda route: route.fulfill(status=502, body="bad gateway"))
    page.page.goto(page.url)
    expect(page.page.locator("#connection")).to_contain_text("Connection lost")
    page.page.unroute("**/api/events")
    expect(page.page.locator("#connection")).to_have_text("● live")
    assert sum(url.endswith("/api/events") for url in page.requests) <= 4
    page.complaints.clear()
