"""The page of a rehearsal of another project template: its report in, one HTML document out. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from textwrap import shorten
from typing import Any

from scripts.rehearsal.report.page import templates, verdict

LONGEST_CAUSE = 240  # characters


def template_page(report: Mapping[str, Any]) -> str:
    """The whole document; report is what other_templates/report.py returns."""
    environment = templates()
    environment.filters["json"] = json.dumps
    return environment.get_template("template.html.jinja").render(
        report=report,
        causes=list(causes(report)),
        resources=sorted(report["resources"], key=lambda resource: verdict(resource["status"]) != "bad"),
    )


def causes(report: Mapping[str, Any]) -> Iterator[str]:
    """What stands first: why the template was refused, or what failed of it, in a line each."""
    for part in report["refused"]:
        where = f"{part['type']} {part['logical_id']}, line {part['line']}: " if part["logical_id"] else ""
        yield where + part["reason"]
    if report["trouble"]:
        yield report["trouble"]
    failed = [resource for resource in report["resources"] if verdict(resource["status"]) == "bad"]
    for resource in failed:
        yield f"{resource['type']} {resource['logical_id']}: {a_line(resource['reason'] or resource['status'])}"
    yield from report["stack"]
    if report["project"]["status"] == "CreateFailed" and not failed and not report["stack"]:
        yield report["message"] or "The project could not be created"
    for pipeline in report["pipelines"]:
        for run in pipeline["executions"][:1]:
            for stage in run["stages"]:
                for action in stage["actions"]:
                    if action["status"] == "Failed":
                        yield f"{stage['name']} / {action['name']}: {a_line(action.get('error') or 'Failed')}"
    for delivery in report["failed_deliveries"]:
        yield f"the event of {delivery['rule']} did not reach {delivery['target']}: {delivery['reason']}"


def a_line(text: str) -> str:
    """The first line of a text, cut; the whole text stands further down on the page."""
    return shorten(text.partition("\n")[0], LONGEST_CAUSE, break_on_hyphens=False, placeholder=" …")
