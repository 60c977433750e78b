"""What authorization asks of CodeBuild: projects and report groups."""

from __future__ import annotations

import re

from localaws.authorization.needs import strings
from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Access
from localaws.services.codebuild.service import codebuild


def resources(call: Call, types: list[str]) -> list[str]:
    params, found = call.params, []
    project = params.get("projectName") or params.get("name")
    if "project" in types:
        ids = [params["id"]] if "id" in params else params.get("ids", [])
        names = [project] if project else [*params.get("names", []), *(project_of(i) for i in ids)]
        found = [_build_arn(call, "project", name) for name in names if name]
    if "report-group" in types and not found:
        names = strings(params.get("reportGroupArns") or params.get("reportGroupArn") or params.get("arn") or [])
        names += [
            re.sub(r":[^:]*$", "", report).replace(":report/", ":report-group/")
            for report in strings(params.get("reportArns") or params.get("reportArn") or [])
        ]
        names += [params["name"]] if "name" in params else []
        found = [_build_arn(call, "report-group", name) for name in names]
    return found


def project_of(build: str) -> str:
    """The project of a build given by id (PROJECT:UUID) or ARN; "" for anything else."""
    return build.rpartition("build/")[2].rpartition("build-batch/")[2].rpartition(":")[0]


def _build_arn(call: Call, kind: str, name: str) -> str:
    return name if name.startswith("arn:") else arn("codebuild", call.region, call.account, f"{kind}/{name}")


codebuild.access = Access(resources=resources)
