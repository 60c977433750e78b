"""Finds what probes make, by its prefix, and removes it: after each probe, however it ended, and before the next.

One list of kinds, in the order in which they can be removed: what uses a role goes before the role.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from scripts.kit.connect import Connection, if_there, pages, unless
from scripts.kit.console import UserError, say
from scripts.kit.patience import until

PATIENCE = 600.0  # seconds for a stack to go


@dataclass(frozen=True)
class Kind:
    """How a kind of resource is found and removed. found: (account, prefix) → what remove() takes."""

    found: Callable[[Connection, str], Iterable[str]]
    remove: Callable[[Connection, str], object]


def starting(names: Iterable[str], prefix: str) -> list[str]:
    return [name for name in names if name.startswith(prefix)]


def listed(service: str, operation: str, member: str, name: str) -> Callable[[Connection, str], list[str]]:
    """What a paginated operation lists and whose name has the prefix. name: of the member with it, "" for texts"""

    def found(at: Connection, prefix: str) -> list[str]:
        items = pages(at.named_client(service), operation, member)
        return starting((item[name] if name else item for item in items), prefix)

    return found


# -- pipelines, builds, events -----------------------------------------------------------------


def remove_rule(at: Connection, rule: str) -> None:
    events = at.named_client("events")
    targets = [target["Id"] for target in events.list_targets_by_rule(Rule=rule)["Targets"]]
    if targets:
        events.remove_targets(Rule=rule, Ids=targets)
    events.delete_rule(Name=rule)


def found_rules(at: Connection, prefix: str) -> list[str]:
    return [rule["Name"] for rule in at.named_client("events").list_rules(NamePrefix=prefix)["Rules"]]


def found_queues(at: Connection, prefix: str) -> list[str]:
    queues: list[str] = at.named_client("sqs").list_queues(QueueNamePrefix=prefix).get("QueueUrls", [])
    return queues


def found_machines(at: Connection, prefix: str) -> list[str]:
    machines = pages(at.named_client("stepfunctions"), "list_state_machines", "stateMachines")
    return [machine["stateMachineArn"] for machine in machines if machine["name"].startswith(prefix)]


def found_logs(at: Connection, prefix: str) -> list[str]:
    """Log groups that CodeBuild and Lambda made."""
    found = []
    for service in ("codebuild", "lambda"):
        begins = {"logGroupNamePrefix": f"/aws/{service}/{prefix}"}
        found += [
            one["logGroupName"] for one in pages(at.named_client("logs"), "describe_log_groups", "logGroups", **begins)
        ]
    return found


def found_alarms(at: Connection, prefix: str) -> list[str]:
    alarms = pages(at.named_client("cloudwatch"), "describe_alarms", "MetricAlarms", AlarmNamePrefix=prefix)
    return [alarm["AlarmName"] for alarm in alarms]


# -- stacks ------------------------------------------------------------------------------------


def remove_stack(at: Connection, stack: str) -> None:
    cloudformation = at.named_client("cloudformation")

    def gone() -> bool | None:
        described = if_there(cloudformation.describe_stacks, StackName=stack)
        status = described["Stacks"][0]["StackStatus"] if described else "DELETE_COMPLETE"
        return None if status.endswith("_IN_PROGRESS") else True

    until(f"stack {stack}", gone, PATIENCE)
    cloudformation.delete_stack(StackName=stack)
    until(f"the deletion of stack {stack}", gone, PATIENCE)
    if if_there(cloudformation.describe_stacks, StackName=stack):
        raise UserError("it cannot be deleted: its events say why")


# -- Service Catalog ---------------------------------------------------------------------------


def found_launches(at: Connection, prefix: str) -> list[str]:
    asked = {"AccessLevelFilter": {"Key": "Account", "Value": "self"}}
    launches = pages(at.named_client("servicecatalog"), "scan_provisioned_products", "ProvisionedProducts", **asked)
    return [one["Id"] for one in launches if one["Name"].startswith(prefix)]


def remove_launch(at: Connection, launch: str) -> None:
    catalog = at.named_client("servicecatalog")
    record = catalog.terminate_provisioned_product(ProvisionedProductId=launch)["RecordDetail"]["RecordId"]

    def ended() -> str | None:
        status = str(catalog.describe_record(Id=record)["RecordDetail"]["Status"])
        return status if status in {"SUCCEEDED", "FAILED"} else None

    if until(f"the end of launch {launch}", ended, PATIENCE) == "FAILED":
        raise UserError("it cannot be terminated: its record says why")


def found_products(at: Connection, prefix: str) -> list[str]:
    listed = pages(at.named_client("servicecatalog"), "search_products_as_admin", "ProductViewDetails")
    products = [one["ProductViewSummary"] for one in listed]
    return [one["ProductId"] for one in products if one["Name"].startswith(prefix)]


def remove_product(at: Connection, product: str) -> None:
    catalog = at.named_client("servicecatalog")
    for portfolio in catalog.list_portfolios_for_product(ProductId=product)["PortfolioDetails"]:
        catalog.disassociate_product_from_portfolio(ProductId=product, PortfolioId=portfolio["Id"])
    catalog.delete_product(Id=product)


def found_portfolios(at: Connection, prefix: str) -> list[str]:
    portfolios = pages(at.named_client("servicecatalog"), "list_portfolios", "PortfolioDetails")
    return [one["Id"] for one in portfolios if one["DisplayName"].startswith(prefix)]


def remove_portfolio(at: Connection, portfolio: str) -> None:
    catalog = at.named_client("servicecatalog")
    for one in catalog.list_principals_for_portfolio(PortfolioId=portfolio)["Principals"]:
        catalog.disassociate_principal_from_portfolio(PortfolioId=portfolio, PrincipalARN=one["PrincipalARN"])
    catalog.delete_portfolio(Id=portfolio)


# -- models ------------------------------------------------------------------------------------


def found_groups(at: Connection, prefix: str) -> list[str]:
    """NameContains is a search, and whether SageMaker writes names in lower case is an open question."""
    asked = {"NameContains": prefix}
    groups = pages(at.named_client("sagemaker"), "list_model_package_groups", "ModelPackageGroupSummaryList", **asked)
    names = [group["ModelPackageGroupName"] for group in groups]
    return [name for name in names if name.lower().startswith(prefix.lower())]


def remove_group(at: Connection, group: str) -> None:
    sagemaker = at.named_client("sagemaker")
    versions = {"ModelPackageGroupName": group}
    for version in list(pages(sagemaker, "list_model_packages", "ModelPackageSummaryList", **versions)):
        sagemaker.delete_model_package(ModelPackageName=version["ModelPackageArn"])
    unless({"ValidationException"}, sagemaker.delete_model_package_group_policy, ModelPackageGroupName=group)
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)


# -- storage and keys --------------------------------------------------------------------------


def found_buckets(at: Connection, prefix: str) -> list[str]:
    return starting((bucket["Name"] for bucket in at.named_client("s3").list_buckets()["Buckets"]), prefix)


def remove_bucket(at: Connection, bucket: str) -> None:
    s3 = at.named_client("s3")
    if_there(s3.delete_bucket_policy, Bucket=bucket)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        held = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if held:
            objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in held]
            s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    s3.delete_bucket(Bucket=bucket)


def found_keys(at: Connection, prefix: str) -> Iterator[str]:
    """By their description: a key has no name, and an alias would come after it."""
    kms = at.named_client("kms")
    for key in pages(kms, "list_keys", "Keys"):
        try:
            described = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        except ClientError:
            continue  # another team's, which its policy closes to these credentials
        if described.get("Description", "").startswith(prefix) and described["KeyState"] != "PendingDeletion":
            yield key["KeyId"]


def remove_key(at: Connection, key: str) -> None:
    at.named_client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


def remove_role(at: Connection, role: str) -> None:
    iam = at.named_client("iam")
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    iam.delete_role(RoleName=role)


def replication_rules(at: Connection) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = at.named_client("ecr").describe_registry()["replicationConfiguration"]["rules"]
    return rules


def found_replication(at: Connection, prefix: str) -> list[str]:
    """The registry's replication, if a probe set it: every rule filters by the prefix."""
    rules = replication_rules(at)
    filters = [one["filter"] for rule in rules for one in rule.get("repositoryFilters", [{"filter": ""}])]
    return ["the registry's replication"] if filters and all(text.startswith(prefix) for text in filters) else []


def remove_replication(at: Connection, _: str) -> None:
    at.named_client("ecr").put_replication_configuration(replicationConfiguration={"rules": []})


KINDS: dict[str, Kind] = {
    "pipeline": Kind(
        listed("codepipeline", "list_pipelines", "pipelines", "name"),
        lambda at, name: at.named_client("codepipeline").delete_pipeline(name=name),
    ),
    "build project": Kind(
        listed("codebuild", "list_projects", "projects", ""),
        lambda at, name: at.named_client("codebuild").delete_project(name=name),
    ),
    "function": Kind(
        listed("lambda", "list_functions", "Functions", "FunctionName"),
        lambda at, name: at.named_client("lambda").delete_function(FunctionName=name),
    ),
    "log group": Kind(found_logs, lambda at, name: at.named_client("logs").delete_log_group(logGroupName=name)),
    "provisioned product": Kind(found_launches, remove_launch),
    "product": Kind(found_products, remove_product),
    "portfolio": Kind(found_portfolios, remove_portfolio),
    "stack": Kind(listed("cloudformation", "describe_stacks", "Stacks", "StackName"), remove_stack),
    "rule": Kind(found_rules, remove_rule),
    "queue": Kind(found_queues, lambda at, url: at.named_client("sqs").delete_queue(QueueUrl=url)),
    "state machine": Kind(
        found_machines, lambda at, arn: at.named_client("stepfunctions").delete_state_machine(stateMachineArn=arn)
    ),
    "alarm": Kind(found_alarms, lambda at, name: at.named_client("cloudwatch").delete_alarms(AlarmNames=[name])),
    "model group": Kind(found_groups, remove_group),
    "bucket": Kind(found_buckets, remove_bucket),
    "key": Kind(found_keys, remove_key),
    "replication": Kind(found_replication, remove_replication),
    "role": Kind(listed("iam", "list_roles", "Roles", "RoleName"), remove_role),
}


def clean(at: Connection, prefix: str, kinds: Iterable[str], tell: bool = False) -> list[str]:
    """Remove everything of these kinds with the prefix; what could not be removed, and why.

    tell: say what is removed, for what an earlier run left
    """
    chosen, left = set(kinds), []
    for name, kind in KINDS.items():
        for one in list(kind.found(at, prefix)) if name in chosen else []:
            if tell:
                say(f"  - {at.account}  {name} {one}")
            try:
                if_there(kind.remove, at, one)
            except (ClientError, UserError) as error:
                left.append(f"{name} {one} in account {at.account}: {error}")
    return left
