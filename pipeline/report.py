"""Test results: as JUnit XML, which CodeBuild shows as a report, and as JSON, which the evidence card reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

CASE_LIMIT = 500  # test cases of a report (CodeBuild User Guide, "Quotas for AWS CodeBuild")


@dataclass(frozen=True)
class Result:
    """One check at one place (account/Region). failure, skipped: why, or ""."""

    place: str
    name: str
    seconds: float = 0.0
    failure: str = ""
    skipped: str = ""


def junit(stage: str, results: Iterable[Result]) -> bytes:
    """One test suite for each place, in the order in which they come."""
    root = ElementTree.Element("testsuites", name=stage)
    by_place: dict[str, list[Result]] = {}
    for result in results:
        by_place.setdefault(result.place, []).append(result)
    for place, some in by_place.items():
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=f"{stage} {place}",
            tests=str(len(some)),
            failures=str(sum(bool(r.failure) for r in some)),
            skipped=str(sum(bool(r.skipped) for r in some)),
            errors="0",
            time=f"{sum(r.seconds for r in some):.3f}",
        )
        for result in some:
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"{stage}.{place}", name=result.name, time=f"{result.seconds:.3f}"
            )
            if result.failure:
                ElementTree.SubElement(case, "failure", message=result.failure)
            if result.skipped:
                ElementTree.SubElement(case, "skipped", message=result.skipped)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def at_most(results: list[Result]) -> list[Result]:
    """The results, or where they are more than a report holds: one for each place, with its first failure."""
    if len(results) <= CASE_LIMIT:
        return results
    by_place: dict[str, list[Result]] = {}
    for result in results:
        by_place.setdefault(result.place, []).append(result)
    return [
        Result(
            place,
            f"{len(some)} checks",
            sum(result.seconds for result in some),
            next((result.failure for result in some if result.failure), ""),
        )
        for place, some in by_place.items()
    ]


def write_junit(place: Path, stage: str, results: Iterable[Result]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(junit(stage, at_most(list(results))))


def write_results(place: Path, results: Iterable[Result]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps([asdict(result) for result in results]), encoding="utf-8")


def read_results(place: Path) -> list[Result]:
    return [Result(**result) for result in json.loads(place.read_text(encoding="utf-8"))]
