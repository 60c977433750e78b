"""aws:ResourceTag: the tags of every taggable resource, as its own service lists them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from botocore import xform_name
from moto.core.utils import get_service_model

from localaws import registry
from localaws.authorization.tags import LISTINGS, tags_of
from localaws.cloud import Cloud
from tests.support.authorization import REGION, A, allow, check_refused, session, trust

LIST, LOWER, MAP = [{"Key": "team", "Value": "red"}], [{"key": "team", "value": "red"}], {"team": "red"}
TEMPLATE = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}


def test_every_listing_is_an_operation_that_is_supported() -> None:
    for name, listings in LISTINGS.items():
        service = registry.find(name)
        assert service is not None
        by_method = {xform_name(one): one for one in get_service_model(name).operation_names}
        for listing in listings:
            operation = by_method[listing.operation]
            assert operation in service.handlers or service.answered_by_moto(operation), f"{name}:{operation}"


def test_tags_are_read_from_every_service(cloud: Cloud) -> None:
    root = cloud.root(A, REGION)
    role = root.client("iam").create_role(
        RoleName="builder", AssumeRolePolicyDocument=trust(Service="codebuild.amazonaws.com"), Tags=LIST
    )["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [allow("*")]}
    project = root.client("codebuild").create_project(
        name="build", source={"type": "NO_SOURCE", "buildspec": "version: 0.2"}, artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
                     "computeType": "BUILD_GENERAL1_SMALL"}, serviceRole=role, tags=LOWER,
    )["project"]["arn"]  # fmt: skip
    catalog = root.client("servicecatalog")
    portfolio = catalog.create_portfolio(DisplayName="p", ProviderName="us", Tags=LIST)["PortfolioDetail"]["ARN"]
    root.client("ssm").put_parameter(Name="/kit/version", Value="1", Type="String", Tags=LIST)
    root.client("ssm").put_parameter(Name="plain", Value="1", Type="String", Tags=LIST)
    root.client("cloudwatch").put_metric_alarm(
        AlarmName="alarm", MetricName="m", Namespace="n", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold", Tags=LIST,
    )  # fmt: skip
    root.client("logs").create_log_group(logGroupName="/x", tags=MAP)
    root.client("events").put_rule(Name="rule", EventPattern='{"source":["x"]}', Tags=LIST)
    root.client("sqs").create_queue(QueueName="events", tags=MAP)
    at = f"{REGION}:{A}"
    found: dict[str, Any] = {
        "cloudformation": root.client("cloudformation").create_stack(
            StackName="s", TemplateBody=json.dumps(TEMPLATE), Tags=LIST
        )["StackId"],
        "codebuild": project,
        "codecommit": root.client("codecommit").create_repository(repositoryName="r", tags=MAP)[
            "repositoryMetadata"
        ]["Arn"],
        "codeconnections": root.client("codeconnections").create_connection(
            ProviderType="GitHub", ConnectionName="c", Tags=LIST
        )["ConnectionArn"],
        "ecr": root.client("ecr").create_repository(repositoryName="inference", tags=LIST)["repository"][
            "repositoryArn"
        ],
        "iam role": role,
        "iam policy": root.client("iam").create_policy(
            PolicyName="p", PolicyDocument=json.dumps(policy), Tags=LIST
        )["Policy"]["Arn"],
        "kms": root.client("kms").create_key(Tags=[{"TagKey": "team", "TagValue": "red"}])["KeyMetadata"]["Arn"],
        "sagemaker": root.client("sagemaker").create_model_package_group(ModelPackageGroupName="g", Tags=LIST)[
            "ModelPackageGroupArn"
        ],
        "secretsmanager": root.client("secretsmanager").create_secret(Name="t", SecretString="x", Tags=LIST)["ARN"],
        "servicecatalog": portfolio,
        "sns": root.client("sns").create_topic(Name="alarms", Tags=LIST)["TopicArn"],
        "ssm": f"arn:aws:ssm:{at}:parameter/kit/version",
        "ssm without a slash": f"arn:aws:ssm:{at}:parameter/plain",
        "cloudwatch": f"arn:aws:cloudwatch:{at}:alarm:alarm",
        "logs": f"arn:aws:logs:{at}:log-group:/x:log-stream:s",
        "events": f"arn:aws:events:{at}:rule/rule",
        "sqs": f"arn:aws:sqs:{at}:events",
    }  # fmt: skip
    assert {name: tags_of(cloud, arn, REGION) for name, arn in found.items()} == dict.fromkeys(found, MAP)
    assert tags_of(cloud, f"arn:aws:ssm:{at}:parameter/none", REGION) == {}
    assert tags_of(cloud, f"arn:aws:codebuild:{at}:project/none", REGION) == {}
    assert tags_of(cloud, "*", REGION) == {}
    assert cloud.faults == []
    asked: dict[str, tuple[str, str, dict[str, Any]]] = {
        "cloudformation": ("cloudformation", "describe_stacks", {"StackName": "s"}),
        "cloudwatch": ("cloudwatch", "describe_alarms", {"AlarmNames": ["alarm"]}),
        "codebuild": ("codebuild", "batch_get_projects", {"names": ["build"]}),
        "codeconnections": ("codeconnections", "get_connection", {"ConnectionArn": found["codeconnections"]}),
        "ecr": ("ecr", "describe_images", {"repositoryName": "inference"}),
        "secretsmanager": ("secretsmanager", "get_secret_value", {"SecretId": "t"}),
        "servicecatalog": ("servicecatalog", "describe_portfolio", {"Id": portfolio.rpartition("/")[2]}),
        "ssm": ("ssm", "get_parameter", {"Name": "/kit/version"}),
    }
    of = {
        team: session(cloud, team, allow("*", Condition={"StringEquals": {"aws:ResourceTag/team": team}}))
        for team in ("red", "blue")
    }
    for service, operation, given in asked.values():
        getattr(of["red"].client(service), operation)(**given)
        check_refused(partial(getattr(of["blue"].client(service), operation), **given))


def test_a_condition_on_a_parameters_tag_decides_and_the_look_is_not_recorded(cloud: Cloud) -> None:
    ssm = cloud.root(A, REGION).client("ssm")
    for name, team in (("/red", "red"), ("/blue", "blue")):
        ssm.put_parameter(Name=name, Value="1", Type="String", Tags=[{"Key": "team", "Value": team}])
    of_red = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    reader = session(cloud, "reader", allow("ssm:GetParameter", Condition=of_red)).client("ssm")
    reader.get_parameter(Name="/red")
    check_refused(lambda: reader.get_parameter(Name="/blue"))
    assert '"ListTagsForResource"' not in (cloud.folder / "requests.jsonl").read_text()
