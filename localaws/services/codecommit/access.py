"""What authorization asks of CodeCommit: repositories, and the branches that a request changes."""

from __future__ import annotations

from localaws.authorization.needs import strings
from localaws.calls import Call
from localaws.cloud import arn
from localaws.service import Access, Keys
from localaws.services.codecommit.pull_requests import MERGES, requests_of
from localaws.services.codecommit.service import codecommit


def resources(call: Call, types: list[str]) -> list[str]:
    params = call.params
    names = strings(params.get("repositoryName") or params.get("repositoryNames") or params.get("oldName") or [])
    names += [target["repositoryName"] for target in params.get("targets", [])]
    if "pullRequestId" in params and not names:
        request = requests_of(call).get(params["pullRequestId"])
        names = [request.repo.metadata["repositoryName"] if request else "*"]
    return [arn("codecommit", call.region, call.account, name) for name in names]


def keys(call: Call) -> Keys:
    """codecommit:References (Service Authorization Reference, "… condition keys for AWS CodeCommit")."""
    request = requests_of(call).get(call.params["pullRequestId"]) if call.operation in MERGES else None
    if request is not None:
        return {"codecommit:references": (request.target["destinationReference"],)}
    if call.operation in WRITES and call.params.get("branchName"):
        return {"codecommit:references": (f"refs/heads/{call.params['branchName']}",)}
    return {}


WRITES = ("CreateBranch", "CreateCommit", "DeleteBranch", "DeleteFile", "PutFile")
codecommit.access = Access(resources=resources, keys=keys)
