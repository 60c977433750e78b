"""What authorization asks of CodeCommit: repositories and their tags."""

from __future__ import annotations

from localaws.authorization.needs import strings
from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Access
from localaws.services.codecommit.service import codecommit


def resources(call: Call, types: list[str]) -> list[str]:
    params = call.params
    names = strings(params.get("repositoryName") or params.get("repositoryNames") or params.get("oldName") or [])
    names += [target["repositoryName"] for target in params.get("targets", [])]
    if "pullRequestId" in params and not names:
        return [arn("codecommit", call.region, call.account, "*")]
    return [arn("codecommit", call.region, call.account, name) for name in names]


codecommit.access = Access(resources=resources)
