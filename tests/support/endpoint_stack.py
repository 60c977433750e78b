"""Endpoints of template 50 in a target account with the roles of templates 20 and 21, pushed to other settings.

Their stacks are made with the rights of the execution role of self-managed stack sets, as a stack set would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from awslang.principals import Principal
from localaws.cloud import Cloud, Session
from scripts.rehearsal.embedded import embedded_aws
from tests.support import ROOT
from tests.support.roles import make_role, trust_policy
from tests.support.sagemaker_world import (
    ACCOUNT,
    BUCKET,
    OTHER,
    REGION,
    client,
    make_bucket,
    make_key,
    make_trainer,
    share_group,
    specification,
    train,
    whole_template,
)
from tests.support.waiting import until

TEMPLATE = (ROOT / "templates/50-endpoint.yaml").read_text(encoding="utf-8")
EXECUTION = (ROOT / "templates/21-self-managed-roles.yaml").read_text(encoding="utf-8")
EXECUTION_ROLE = "AWSCloudFormationStackSetExecutionRole"
TARGET = (ROOT / "templates/20-target-account.yaml").read_text(encoding="utf-8")
PROJECT, STAGE = "iris", "prod"
DATA = f"endpoint-data-{OTHER}-{REGION}"


@dataclass
class Place:
    """versions: ARNs of two approved versions; key: of the models; tester: the role that the test runs as"""

    cloud: Cloud
    versions: tuple[str, str]
    key: str
    tester: str

    def there(self, service: str) -> Any:
        return client(self.cloud, service, OTHER)

    def give_rights(self, **parameters: str) -> str:
        """Template 20 with these parameters, as `make accounts` deploys it; the stack's state."""
        values = {
            "SageMakerRoleSuffix": "prod", "PipelineExecutionRoleArn": self.tester, "ModelBucketName": BUCKET,
            "ModelKeyArn": self.key, **parameters,
        }  # fmt: skip
        return self.stack("roles", TARGET, values)

    def give_execution_role(self) -> None:
        """The role of template 21, which here CloudFormation enters directly, for a stack that no stack set makes."""
        for account in (ACCOUNT, OTHER):
            assert (
                self.stack("stack-sets", EXECUTION, {"AdministratorAccountId": ACCOUNT}, account) == "CREATE_COMPLETE"
            )
        trust = trust_policy({"Service": "cloudformation.amazonaws.com"})
        self.there("iam").update_assume_role_policy(RoleName=EXECUTION_ROLE, PolicyDocument=trust)

    def stack(self, name: str, body: str, values: dict[str, str], account: str = OTHER, role: str = "") -> str:
        cloudformation = client(self.cloud, "cloudformation", account)
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
        known = {one["StackName"] for one in cloudformation.list_stacks()["StackSummaries"]}
        asked = {"StackName": name, "Parameters": given, "Capabilities": ["CAPABILITY_NAMED_IAM"]}
        asked |= whole_template(self.cloud, body, account)
        if role:
            asked["RoleARN"] = f"arn:aws:iam::{account}:role/{role}"
        try:
            (cloudformation.update_stack if name in known else cloudformation.create_stack)(**asked)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise

        def ended() -> Any:
            status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            return None if status.endswith("_IN_PROGRESS") else status

        return str(until(ended, 120))

    def push(self, project: str, **settings: str) -> str:
        """The endpoint's stack with these settings and the defaults of all others; its state."""
        values = {
            "SageMakerProjectName": PROJECT, "SageMakerProjectId": project, "StageName": STAGE,
            "ModelPackageName": self.versions[0], "SageMakerExecutionRoleName": "sagemaker-role-prod", **settings,
        }  # fmt: skip
        return self.stack(self.stack_of(project), TEMPLATE, values, role=EXECUTION_ROLE)

    def stack_of(self, project: str) -> str:
        """The name of the project's stack, which begins as that of a stack instance does."""
        return f"StackSet-sagemaker-{project}"

    def seen_batch(self, project: str) -> dict[str, Any]:
        """What AWS shows of a batch stage, by part. endpoint: nothing, since it has none"""
        name, states, events = self.name(project), self.there("stepfunctions"), self.there("events")
        machine = states.describe_state_machine(stateMachineArn=f"arn:aws:states:{REGION}:{OTHER}:stateMachine:{name}")
        job = json.loads(machine["definition"])["States"]["Transform"]["Arguments"]
        alarms = self.there("cloudwatch").describe_alarms(AlarmNamePrefix=f"{name}-")["MetricAlarms"]
        rules = events.list_rules(NamePrefix=f"{self.stack_of(project)}-")["Rules"]
        stack = self.there("cloudformation").describe_stacks(StackName=self.stack_of(project))["Stacks"][0]
        return {
            "endpoint": {},
            "machine": machine,
            "job": job,
            "model": self.there("sagemaker").describe_model(ModelName=job["ModelName"]),
            "patterns": [json.loads(rule["EventPattern"]) for rule in rules if "EventPattern" in rule],
            "schedules": [rule["ScheduleExpression"] for rule in rules if "ScheduleExpression" in rule],
            "alarms": [alarm["AlarmName"].removeprefix(f"{name}-") for alarm in alarms],
            "outputs": {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]},
        }

    def seen(self, project: str) -> dict[str, Any]:
        """What AWS shows of the endpoint, by part."""
        name, sagemaker = self.name(project), self.there("sagemaker")
        endpoint = sagemaker.describe_endpoint(EndpointName=name)
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        (variant,) = config["ProductionVariants"]
        shadows = [
            sagemaker.describe_model(ModelName=one["ModelName"]) for one in config.get("ShadowProductionVariants", [])
        ]
        scaling, cloudwatch = self.there("application-autoscaling"), self.there("cloudwatch")
        resource = {"ServiceNamespace": "sagemaker", "ResourceId": f"endpoint/{name}/variant/AllTraffic"}
        targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource["ResourceId"]])
        stack = self.there("cloudformation").describe_stacks(StackName=self.stack_of(project))["Stacks"][0]
        monitors: dict[str, Any] = {}
        for end in ("m", "q"):
            with suppress(ClientError):
                monitors[end] = sagemaker.describe_monitoring_schedule(MonitoringScheduleName=f"{name}-{end}")
        (quality,) = [
            sagemaker.describe_model_quality_job_definition(JobDefinitionName=one["MonitoringJobDefinitionName"])
            for one in sagemaker.list_model_quality_job_definitions(EndpointName=name)["JobDefinitionSummaries"]
        ] or [{}]
        return {
            "endpoint": endpoint,
            "deployment": endpoint.get("LastDeploymentConfig", {}),
            "config": config,
            "variant": variant,
            "model": sagemaker.describe_model(ModelName=variant["ModelName"]),
            "shadows": shadows,
            "alarms": {
                alarm["AlarmName"].removeprefix(f"{name}-"): alarm
                for alarm in cloudwatch.describe_alarms(AlarmNamePrefix=f"{name}-")["MetricAlarms"]
            },
            "monitor": monitors.get("m", {}),
            "quality_schedule": monitors.get("q", {}),
            "quality": quality,
            "dashboards": [one["DashboardName"] for one in cloudwatch.list_dashboards()["DashboardEntries"]],
            "target": next(iter(targets["ScalableTargets"]), {}),
            "policies": {p["PolicyName"]: p for p in scaling.describe_scaling_policies(**resource)["ScalingPolicies"]},
            "scheduled": {
                one["ScheduledActionName"]: one
                for one in scaling.describe_scheduled_actions(**resource)["ScheduledActions"]
            },
            "outputs": {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]},
        }

    def reason(self, project: str) -> str:
        """Why the last update of the endpoint's stack failed."""
        events = self.there("cloudformation").describe_stack_events(StackName=self.stack_of(project))["StackEvents"]
        failed = [e.get("ResourceStatusReason", "") for e in events if e["ResourceStatus"].endswith("_FAILED")]
        return str(next((reason for reason in failed if "cancelled" not in reason), ""))

    def scale(self, project: str, count: int) -> None:
        capacity = {"VariantName": "AllTraffic", "DesiredInstanceCount": count}
        self.there("sagemaker").update_endpoint_weights_and_capacities(
            EndpointName=self.name(project), DesiredWeightsAndCapacities=[capacity]
        )

    def update(self, project: str, **variant: Any) -> None:
        """Update the endpoint outside of its stack, to its configuration with other members of the variant."""
        config = self.seen(project)["config"]
        (one,) = config["ProductionVariants"]
        sagemaker, name = self.there("sagemaker"), f"{self.name(project)}-other"
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[{**one, **variant}])
        sagemaker.update_endpoint(EndpointName=self.name(project), EndpointConfigName=name)

    @property
    def data(self) -> str:
        return DATA

    def name(self, project: str) -> str:
        return f"{PROJECT}-{project}-{STAGE}"

    def test_session(self, project: str) -> Session:
        """The tester's role, as the pipeline's test becomes it for this project."""
        by = Principal(kind="role", account=ACCOUNT, arn=self.tester, role_arn=self.tester)
        tags = {"sagemaker:project-name": PROJECT, "sagemaker:project-id": project}
        role = f"arn:aws:iam::{OTHER}:role/sagemaker-role-prod-tester"
        return self.cloud.assume_role(role, "test", by, REGION, external_id="sagemaker-multi-account", tags=tags)


@contextmanager
def target_account(folder: Path, waits: float) -> Iterator[Place]:
    """A target account with template 20, and two versions of a model that it may use. waits: as of embedded_aws"""
    with embedded_aws(folder, waits=waits) as cloud:
        trainer, key = make_trainer(cloud), make_key(cloud, OTHER)
        make_bucket(cloud, OTHER)
        output = {"S3OutputPath": f"s3://{BUCKET}/models", "KmsKeyId": key}
        url = train(cloud, "first", trainer, OutputDataConfig=output)["ModelArtifacts"]["S3ModelArtifacts"]
        sagemaker = client(cloud, "sagemaker")
        sagemaker.create_model_package_group(ModelPackageGroupName=PROJECT)
        share_group(cloud, PROJECT, OTHER)
        first, second = (
            sagemaker.create_model_package(
                ModelPackageGroupName=PROJECT,
                InferenceSpecification=specification(url),
                ModelApprovalStatus="Approved",
            )["ModelPackageArn"]
            for _ in range(2)
        )
        test = {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": "*"}
        place = Place(cloud, (first, second), key, make_role(cloud, "tests", "codebuild", test))
        place.give_execution_role()
        yield place
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)
