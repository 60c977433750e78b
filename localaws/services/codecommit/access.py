"""What authorization asks of CodeCommit: repositories and their tags."""

from __future__ import annotations

from awslang.errors import AwsError
from localaws.authorization.needs import strings
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.service import Access
from localaws.services.codecommit.service import codecommit
from localaws.services.codecommit.state import CodeCommitState, find


def resources(call: Call, types: list[str]) -> list[str]:
    params = call.params
    names = strings(params.get("repositoryName") or params.get("repositoryNames") or params.get("oldName") or [])
    names += [target["repositoryName"] for target in params.get("targets", [])]
    if "pullRequestId" in params and not names:
        return [arn("codecommit", call.region, call.account, "*")]
    return [arn("codecommit", call.region, call.account, name) for name in names]


def tags(cloud: Cloud, repository: str, region: str) -> dict[str, str]:
    _, _, _, region, account, name = repository.split(":", 5)
    try:
        return dict(find(cloud.state(CodeCommitState, account, region), name).tags)
    except AwsError:  # it does not exist
        return {}


codecommit.access = Access(resources=resources, tags=tags)
