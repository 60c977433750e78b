"""What authorization asks of ECR: repositories, their policies, and what setting up a registry needs beside.

Amazon ECR User Guide, "Amazon ECR service-linked role for replication" and "… for repository creation templates",
"IAM permissions for creating repository creation templates".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from awslang.policy.document import Policy, parse, parse_resource
from localaws import moto_bridge
from localaws.authorization.needs import linked_role, strings
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.service import Access, Need, policies_in_moto
from localaws.services.ecr import images
from localaws.services.ecr.service import ecr


def resources(call: Call, types: list[str]) -> list[str]:
    names = strings(call.params.get("repositoryName") or call.params.get("repositoryNames") or [])
    if "repository" not in types:
        return []
    owner = call.params.get("registryId") or call.account
    return [arn("ecr", call.region, owner, f"repository/{name}") for name in names or ["*"]]


def further(call: Call, arns: list[str], keys: Mapping[str, tuple[str, ...]]) -> Iterator[Need]:
    """The role that the registry then acts as, and what a creation template stands for."""
    if call.operation == "PutReplicationConfiguration" and call.params["replicationConfiguration"]["rules"]:
        yield linked_role(call, "replication.ecr.amazonaws.com", "AWSServiceRoleForECRReplication")
    elif call.operation == "CreateRepositoryCreationTemplate":
        yield linked_role(call, "ecr.amazonaws.com", "AWSServiceRoleForECRTemplate")
    if call.operation in {"CreateRepositoryCreationTemplate", "UpdateRepositoryCreationTemplate"}:
        repositories = arn("ecr", call.region, call.account, f"repository/{call.params['prefix'].rstrip('/')}/*")
        yield Need("ecr:CreateRepository", repositories, call.account)
        for parameter, action in (
            ("repositoryPolicy", "SetRepositoryPolicy"),
            ("lifecyclePolicy", "PutLifecyclePolicy"),
        ):
            if parameter in call.params:
                yield Need(f"ecr:{action}", repositories, call.account)


def policy(cloud: Cloud, repository: str) -> Policy | None:
    _, _, _, region, account, name = repository.split(":", 5)
    if not name.startswith("repository/"):
        return None
    if images.is_built_in(cloud, account, region) or cloud.published.monitors.get(region) == account:
        return parse(images.EVERYBODY_PULLS, f"repository {name}", "", "resource")
    found = moto_bridge.backend("ecr", account, region).repositories.get(name.removeprefix("repository/"))
    return parse_resource(getattr(found, "policy", "") or "", f"repository {name}", account)


policies = policies_in_moto("ecr", "repositories")
ecr.access = Access(resources=resources, further=further, policy=policy, rewrite=policies)
