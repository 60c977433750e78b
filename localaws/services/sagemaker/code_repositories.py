"""Code repositories: the Git repositories that Studio and notebooks know by name.

CreateCodeRepository, DescribeCodeRepository, UpdateCodeRepository, ListCodeRepositories and
DeleteCodeRepository (SageMaker API Reference, the page of each operation; "GitConfig").
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from localaws.calls import Call
from localaws.cloud import arn
from localaws.services.sagemaker import base
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.service import sagemaker

MEMBERS = ("CodeRepositoryName", "CodeRepositoryArn", "CreationTime", "LastModifiedTime", "GitConfig")


@dataclass
class CodeRepositories:
    """The code repositories of an account in a Region, as DescribeCodeRepository shows them."""

    by_name: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


def known(call: Call) -> CodeRepositories:
    return call.cloud.state(CodeRepositories, call.account, call.region)


def find(call: Call) -> dict[str, Any]:
    name = call.params["CodeRepositoryName"]
    if name not in known(call).by_name:
        whole = arn("sagemaker", call.region, call.account, f"code-repository/{name}")
        raise invalid(f'Cannot find CodeRepository: "{whole}"')
    return known(call).by_name[name]


@sagemaker.operation("CreateCodeRepository")
def create_code_repository(call: Call) -> dict[str, Any]:
    params, repositories = call.params, known(call)
    name = params["CodeRepositoryName"]
    whole = arn("sagemaker", call.region, call.account, f"code-repository/{name}")
    with repositories.lock:
        if name in repositories.by_name:
            raise invalid(f'Cannot create already existing code repository "{whole}".')
        repositories.by_name[name] = {
            "CodeRepositoryName": name,
            "CodeRepositoryArn": whole,
            "CreationTime": base.now(),
            "LastModifiedTime": base.now(),
            "GitConfig": dict(params["GitConfig"]),
        }
        base.put_tags(call.cloud, whole, params.get("Tags", []))
    return {"CodeRepositoryArn": whole}


@sagemaker.operation("DescribeCodeRepository")
def describe_code_repository(call: Call) -> dict[str, Any]:
    return dict(find(call))


@sagemaker.operation("UpdateCodeRepository")
def update_code_repository(call: Call) -> dict[str, Any]:
    """GitConfigForUpdate: only the secret can be changed."""
    found = find(call)
    found["GitConfig"] = {**found["GitConfig"], **(call.params.get("GitConfig") or {})}
    found["LastModifiedTime"] = base.now()
    return {"CodeRepositoryArn": found["CodeRepositoryArn"]}


@sagemaker.operation("ListCodeRepositories")
def list_code_repositories(call: Call) -> dict[str, Any]:
    items = [{name: item[name] for name in MEMBERS} for item in known(call).by_name.values()]
    return base.page(base.selected(items, call.params, "CodeRepositoryName"), call.params, "CodeRepositorySummaryList")


@sagemaker.operation("DeleteCodeRepository")
def delete_code_repository(call: Call) -> dict[str, Any]:
    whole = find(call)["CodeRepositoryArn"]
    del known(call).by_name[call.params["CodeRepositoryName"]]
    base.drop_tags(call.cloud, whole)
    return {}
