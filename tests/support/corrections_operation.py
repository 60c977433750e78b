"""What a user asks of Application Auto Scaling, CloudWatch, Organizations and IAM, and AWS's answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.corrections_world import BOGUS, SCP, World, answer, probe, refusal, target, trusting_role


@probe("target-of-nothing", "ValidationException")
def _(world: World) -> Any:
    scaling = world.client("application-autoscaling")
    return refusal(lambda: scaling.register_scalable_target(**target(world.name("none")), MinCapacity=1, MaxCapacity=2))


@probe("burstable-target", "ValidationException")
def _(world: World) -> Any:
    scaling, names = world.client("application-autoscaling"), world.endpoint("ml.t2.medium")
    return refusal(lambda: scaling.register_scalable_target(**names, MinCapacity=1, MaxCapacity=2))


@probe("capacity-order", "ValidationException")
def _(world: World) -> Any:
    scaling, names = world.client("application-autoscaling"), world.endpoint("ml.m5.large")
    return refusal(lambda: scaling.register_scalable_target(**names, MinCapacity=3, MaxCapacity=2))


def track(world: World, names: dict[str, str]) -> None:
    world.client("application-autoscaling").put_scaling_policy(
        **names,
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 1.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        },
    )


@probe("policy-without-target", "ObjectNotFoundException")
def _(world: World) -> Any:
    return refusal(lambda: track(world, target(world.name("none"))))


@probe("unknown-target", "ObjectNotFoundException")
def _(world: World) -> Any:
    scaling = world.client("application-autoscaling")
    return refusal(lambda: scaling.deregister_scalable_target(**target(world.name("none"))))


@probe("policies-of-a-target", [])
def _(world: World) -> Any:
    scaling, names = world.client("application-autoscaling"), world.endpoint("ml.m5.large")
    scaling.register_scalable_target(**names, MinCapacity=1, MaxCapacity=2)
    track(world, names)
    scaling.deregister_scalable_target(**names)
    return scaling.describe_scaling_policies(**names)["ScalingPolicies"]


def measured(world: World) -> dict[str, Any]:
    """A metric of two dimensions with the values 1, 2 and 3, one of the same name with one of them; where to look."""
    cloudwatch, now = world.client("cloudwatch"), datetime.now(UTC)
    both = [{"Name": "E", "Value": world.name("e")}, {"Name": "V", "Value": "v"}]
    for dimensions, value in ((both, 1.0), (both, 2.0), (both, 3.0), (both[:1], 10.0)):
        datum = {"MetricName": "m", "Dimensions": dimensions, "Value": value, "Timestamp": now}
        cloudwatch.put_metric_data(Namespace=world.name("N"), MetricData=[datum])
    # one period, whatever the minute
    times = {"StartTime": now - timedelta(minutes=30), "EndTime": now + timedelta(minutes=30)}
    return {"cloudwatch": cloudwatch, "both": both, "namespace": world.name("N"), "times": times}


@probe("exact-dimensions", ([6.0], [10.0], []))
def _(world: World) -> Any:
    made = measured(world)

    def sums(dimensions: list[dict[str, str]]) -> list[float]:
        points = made["cloudwatch"].get_metric_statistics(
            Namespace=made["namespace"], MetricName="m", Dimensions=dimensions, Period=3600, Statistics=["Sum"],
            **made["times"],
        )["Datapoints"]  # fmt: skip
        return [point["Sum"] for point in points]

    return sums(made["both"]), sums(made["both"][:1]), sums([])


def computed(made: dict[str, Any], statistic: str, **expressions: str) -> Any:
    metric = {"Namespace": made["namespace"], "MetricName": "m", "Dimensions": made["both"]}
    stat = {"Metric": metric, "Period": 3600, "Stat": statistic}
    queries = [{"Id": "m1", "MetricStat": stat, "ReturnData": not expressions}]
    queries += [{"Id": name, "Expression": text} for name, text in expressions.items()]
    found = made["cloudwatch"].get_metric_data(MetricDataQueries=queries, **made["times"])["MetricDataResults"]
    return {one["Id"]: one["Values"] for one in found}


@probe("percentiles", {"m1": [2.98]})
def _(world: World) -> Any:
    return answer(lambda: computed(measured(world), "p99"))


@probe("metric-math", {"e1": [12.0], "e2": [37.0], "e3": [6.0]})
def _(world: World) -> Any:
    return computed(measured(world), "Sum", e1="m1*2", e2="e1*3 + 1^2", e3="SUM([m1, FILL(m1, 0) - m1])")


@probe("metrics-once", 2)
def _(world: World) -> Any:
    made = measured(world)
    return len(made["cloudwatch"].list_metrics(Namespace=made["namespace"])["Metrics"])


@probe("roots-of-an-organization", [{"Type": SCP, "Status": "ENABLED"}])
def _(world: World) -> Any:
    client, _ = world.organization()
    return client.list_roots()["Roots"][0]["PolicyTypes"]


@probe("unit-with-accounts", "OrganizationalUnitNotEmptyException")
def _(world: World) -> Any:
    client, root = world.organization()
    unit = client.create_organizational_unit(ParentId=root, Name="u")["OrganizationalUnit"]["Id"]
    client.create_organizational_unit(ParentId=unit, Name="below")
    return refusal(lambda: client.delete_organizational_unit(OrganizationalUnitId=unit))


@probe("policy-size", ("", "ConstraintViolationException"))
def _(world: World) -> Any:
    client, _ = world.organization()

    def create(length: int) -> str:
        text = '{"Version":"2012-10-17","Statement":[{"Sid":"%s","Effect":"Allow","Action":"*","Resource":"*"}]}'
        content = text % ("s" * (length - len(text) + 2))
        assert len(content) == length
        made = {"Content": content, "Name": f"p{length}", "Description": "d", "Type": SCP}
        return refusal(lambda: client.create_policy(**made))

    return create(5_120), create(5_121)


@probe("last-policy", "ConstraintViolationException")
def _(world: World) -> Any:
    client, root = world.organization()
    return refusal(lambda: client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=root))


@probe("policy-twice", "DuplicatePolicyAttachmentException")
def _(world: World) -> Any:
    client, root = world.organization()
    return refusal(lambda: client.attach_policy(PolicyId="p-FullAWSAccess", TargetId=root))


@probe("close-of-management", ("ConstraintViolationException", ""))
def _(world: World) -> Any:
    client, _ = world.organization()
    made = client.create_account(Email=f"{world.number}@example.com", AccountName="a")["CreateAccountStatus"]
    own = client.describe_organization()["Organization"]["MasterAccountId"]
    refused = refusal(lambda: client.close_account(AccountId=own))
    return refused, refusal(lambda: client.close_account(AccountId=made["AccountId"]))


@probe("entities-of-a-policy", 3)
def _(world: World) -> Any:
    iam = world.client("iam")
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
    policy = iam.create_policy(PolicyName=world.name("p"), PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    for number in range(3):
        iam.attach_role_policy(RoleName=trusting_role(world, world.name(f"r{number}")), PolicyArn=policy)
    pages = iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=policy, PaginationConfig={"PageSize": 1})
    return len([role for page in pages for role in page["PolicyRoles"]])


@probe("names-by-case", "EntityAlreadyExists")
def _(world: World) -> Any:
    name = trusting_role(world, world.name("role"))
    return refusal(lambda: trusting_role(world, name.upper()))


@probe("iam-markers", "ValidationError")
def _(world: World) -> Any:
    return refusal(lambda: world.client("iam").list_roles(Marker=BOGUS))


def policy_of(world: World) -> str:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
    made = world.client("iam").create_policy(PolicyName=world.name("p"), PolicyDocument=json.dumps(document))
    return str(made["Policy"]["Arn"])


@probe("policy-in-use", "DeleteConflict")
def _(world: World) -> Any:
    iam, policy = world.client("iam"), policy_of(world)
    iam.attach_role_policy(RoleName=trusting_role(world, world.name("role")), PolicyArn=policy)
    return refusal(lambda: iam.delete_policy(PolicyArn=policy))


@probe("policy-of-versions", "DeleteConflict")
def _(world: World) -> Any:
    iam, policy = world.client("iam"), policy_of(world)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=json.dumps(document))
    return refusal(lambda: iam.delete_policy(PolicyArn=policy))


@probe("group-in-use", "DeleteConflict")
def _(world: World) -> Any:
    iam, name = world.client("iam"), world.name("crew")
    iam.create_group(GroupName=name)
    iam.create_user(UserName=name)
    iam.add_user_to_group(GroupName=name, UserName=name)
    return refusal(lambda: iam.delete_group(GroupName=name))


@probe("user-in-use", "DeleteConflict")
def _(world: World) -> Any:
    iam, name = world.client("iam"), world.name("user")
    iam.create_user(UserName=name)
    iam.create_access_key(UserName=name)
    return refusal(lambda: iam.delete_user(UserName=name))


def pages(client: Any, operation: str, member: str, size: int = 1, **of: str) -> list[int]:
    """How many items each page has."""
    found = client.get_paginator(operation).paginate(**of, PaginationConfig={"PageSize": size})
    return [len(page[member]) for page in found]


@probe("iam-pages", [1, 1])
def _(world: World) -> Any:
    iam = world.client("iam")
    for number in range(2):
        iam.create_user(UserName=world.name(f"u{number}"), Path=f"/{world.number}/")
    return pages(iam, "list_users", "Users", PathPrefix=f"/{world.number}/")


@probe("kms-pages", [2, 1])
def _(world: World) -> Any:
    kms, key = world.client("kms"), world.key()
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": f"k{number}", "TagValue": "v"} for number in range(3)])
    return pages(kms, "list_resource_tags", "Tags", 2, KeyId=key)


@probe("ecr-pages", True)
def _(world: World) -> Any:
    ecr = world.client("ecr")
    for number in range(2):
        ecr.create_repository(repositoryName=world.name(f"r{number}"))
    return set(pages(ecr, "describe_repositories", "repositories")) == {1}


@probe("alarm-pages", [1, 1])
def _(world: World) -> Any:
    cloudwatch, prefix = world.client("cloudwatch"), world.name("a") + "-"
    alarm = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "MetricName": "m", "Namespace": "n"}
    for number in range(2):
        name = f"{prefix}{number}"
        cloudwatch.put_metric_alarm(**alarm, AlarmName=name, Period=60, Statistic="Sum", Threshold=1)
    return pages(cloudwatch, "describe_alarms", "MetricAlarms", AlarmNamePrefix=prefix)


@probe("unique-ids", ["AIDA", "AGPA", "AIPA", "ANPA", "ANPA"])
def _(world: World) -> Any:
    iam, name = world.client("iam"), world.name("ids")
    document = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}})
    ids = (
        iam.create_user(UserName=name)["User"]["UserId"],
        iam.create_group(GroupName=name)["Group"]["GroupId"],
        iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]["InstanceProfileId"],
        iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["PolicyId"],
        iam.get_policy(PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")["Policy"]["PolicyId"],
    )
    return [one[:4] for one in ids]
