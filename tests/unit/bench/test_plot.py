from __future__ import annotations

from xml.etree import ElementTree

from zmqtopo.bench.plot import plot
from zmqtopo.bench.results import CaseResults

SVG = "{http://www.w3.org/2000/svg}"


def test_a_bar_for_each_result_as_long_as_its_median(streamer: CaseResults, machine: dict[str, str | int]) -> None:
    svg = ElementTree.fromstring(plot([streamer], machine))
    bars = [float(bar.attrib["width"]) for bar in svg.iter(f"{SVG}rect") if bar.get("class") == "bar"]
    assert len(bars) == 3       # of the fourth there is nothing to draw
    assert bars[1] == 2 * bars[0] == 2 * bars[2]
    assert len([path for path in svg.iter(f"{SVG}path") if path.get("class") == "spread"]) == 2


def test_latency_is_a_time(latency: CaseResults, machine: dict[str, str | int]) -> None:
    words = ["".join(text.itertext()) for text in ElementTree.fromstring(plot([latency], machine)).iter(f"{SVG}text")]
    assert "µs at the median, less is better" in words
    assert "100p99 200, 50 µs CPU" in words


def test_everything_is_inside_and_names_are_text(
    streamer: CaseResults, latency: CaseResults, forwarder: CaseResults, machine: dict[str, str | int]
) -> None:
    svg = ElementTree.fromstring(plot([streamer, latency, forwarder], machine))
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    assert svg.attrib["viewBox"] == f"0 0 {width:g} {height:g}"
    for element in svg.iter():
        if "x" in element.attrib:
            assert 0 <= float(element.attrib["x"]) <= width
            assert 0 <= float(element.attrib["y"]) <= height
    words = "\n".join("".join(text.itertext()) for text in svg.iter(f"{SVG}text"))
    assert "Fast & <Small>, 1 core" in words
    assert "10.0% lost" in words
