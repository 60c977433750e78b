"""A project without staging: its versions go to production alone, once an approver has approved.

The product says so (30-project.yaml, HasStaging), by a variable of the builds that decide: no file of a repository, no
object and no missing variable makes a project one without staging. See docs/decisions/0095-*.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.documents import shown

VARIABLE = "PRODUCTION_ALONE"
STAGING, PRODUCTION = "staging", "prod"
FILE = f"{PRODUCTION}-config.json"
SAID = "No staging: nothing was tested before production, and own tests were not run"  # what an approver reads first


def asked(environment: Mapping[str, str]) -> bool:
    return environment.get(VARIABLE) == "true"


def is_alone(manifest: Mapping[str, Any]) -> bool:
    """Whether a deployment goes to production without a stage before it."""
    return list(manifest["stages"]) == [PRODUCTION]


def contradiction(manifest: Mapping[str, Any], alone: bool) -> str:
    """Why a deployment was not built for the project as its template has it; "" where it was. alone: as that says"""
    if alone == is_alone(manifest):
        return ""
    if alone:
        return "it was built for a project with staging, and this one has none any more"
    return f"it was built without staging, which this project has: its stages are {', '.join(manifest['stages'])}"


def problems_of(config: Mapping[str, Any]) -> Iterator[str]:
    """What production's file asks for that only a stage before it can give."""
    gates = config.get("gates")
    if isinstance(gates, dict) and "agreement" in gates:
        yield (
            f"{FILE}: gates.agreement is {shown(gates['agreement'])}: answers are compared in staging, and this "
            'project has none. Take it out, and write gates of metrics alone, such as {"metrics": {}}'
        )


def notes(repository: Path) -> Iterator[str]:
    """What of the deploy repository has no part in such a project, for the log of Build."""
    yield "this project has no staging: nothing is tested before production"
    if files := sorted(path.name for path in repository.glob("*-config.json") if path.name != FILE):
        yield f"not read, since there is no such stage: {', '.join(files)}"
    if any((repository / "tests").glob("test_*.py")):
        yield "own tests (tests/test_*.py) are not run: their role exists for staging alone"
