"""Problems as JUnit XML, which every CI machine shows: a suite for each file, a case for each problem.

There is no standard; the elements and attributes are those that the report of Apache Ant began with.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TextIO
from xml.etree import ElementTree as Xml

from zmqtopo.config.problem import Problem, Severity
from zmqtopo.report.visible import visible


def write(by_file: Mapping[str, Sequence[Problem]], fatal: Collection[Severity], stream: TextIO) -> None:
    """Write the document; problems of a ``fatal`` severity are failures, others cases that passed with an output."""
    root = Xml.Element("testsuites", name="zmqtopo validate")
    for file, problems in by_file.items():
        suite = Xml.SubElement(root, "testsuite", name=visible(file))
        for problem in problems:
            _case(suite, problem, failed=problem.severity in fatal)
        if not problems:
            Xml.SubElement(suite, "testcase", name="no problems", classname=visible(file), time="0")
        _count(suite, len(suite), len(suite.findall("testcase/failure")))
    _count(root, len(root.findall("testsuite/testcase")), len(root.findall("testsuite/testcase/failure")))
    Xml.indent(root)
    stream.write(f'<?xml version="1.0" encoding="utf-8"?>\n{Xml.tostring(root, encoding="unicode")}\n')


def _case(suite: Xml.Element, problem: Problem, *, failed: bool) -> None:
    place = f"{problem.place.line}:{problem.place.column}"
    case = Xml.SubElement(suite, "testcase", name=f"{problem.rule} at {place}", classname=visible(problem.file),
                          time="0")
    said = f"{visible(problem.file)}:{place}: {problem.severity}: {visible(problem.message)} [{problem.rule}]"
    if problem.hint:
        said += f"\nhint: {visible(problem.hint)}"
    if failed:
        failure = Xml.SubElement(case, "failure", type=problem.rule, message=visible(problem.message))
        failure.text = said
    else:
        Xml.SubElement(case, "system-out").text = said


def _count(element: Xml.Element, tests: int, failures: int) -> None:
    for name, number in (("tests", tests), ("failures", failures), ("errors", 0), ("skipped", 0)):
        element.set(name, str(number))
