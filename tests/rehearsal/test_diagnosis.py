"""What a failed chapter says of requests that were refused, and of stacks that failed: the place in the kit."""

from __future__ import annotations

import json
from pathlib import Path

from localaws.cloud import Cloud
from scripts.kit.stacks.stack import failures, reasons
from scripts.rehearsal import diagnosis
from tests.support.stacks import ACCOUNT, REGION, create_stack

ROLE = """Resources:
  Reader:
    Type: AWS::IAM::Role
    Properties:
      RoleName: sagemaker-model-reader
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]
      Policies:
        - PolicyName: reads
          PolicyDocument:
            Version: '2012-10-17'
            Statement:
              - Sid: ReadModels
                Effect: Allow
                Action: s3:GetObject
                Resource: '*'
Outputs:
  Net: {Value: !ImportValue network-that-is-not-there}
"""


def test_a_refused_request_is_named_with_statement_resource_file_and_line(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/40-stage.yaml").write_text(ROLE.partition("Outputs")[0])
    client = cloud.root(ACCOUNT, REGION).client("cloudformation")
    create_stack(client, ROLE.partition("Outputs")[0], "sagemaker-x-deploy-prod", Capabilities=["CAPABILITY_NAMED_IAM"])
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    allowed = {"action": "s3:GetObject", "resource": "arn:aws:s3:::models/a", "decision": "allowed"}
    asked = {
        "role": f"arn:aws:iam::{ACCOUNT}:role/sagemaker-model-reader",
        "action": "kms:Decrypt",
        "resource": key,
        "decision": "denied",
        "statement": f"no statement allows kms:Decrypt on {key} (identity policy: reads); "
        "statement ReadModels of reads allows the action, but not on this resource",
    }
    cloud.record({**asked, **allowed})
    cloud.record(asked)
    assert list(diagnosis.refused(cloud, tmp_path)) == [
        f"refused for {asked['role']}: kms:Decrypt on {key}: {asked['statement']}",
        "    templates/40-stage.yaml:2 Reader is sagemaker-model-reader",
        "    templates/40-stage.yaml:14 statement ReadModels",
    ]


def test_a_stack_that_failed_by_itself_has_its_reason_on_the_rollback(cloud: Cloud) -> None:
    client = cloud.root(ACCOUNT, REGION).client("cloudformation")
    made = create_stack(client, ROLE, "shop", Capabilities=["CAPABILITY_NAMED_IAM"])
    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reasons(client, "shop", lambda id: id) == (
        "    No export named network-that-is-not-there found. Rollback requested by user."
    )


def test_a_resources_reason_stands_without_the_stacks_list_of_them() -> None:
    def event(status: str, physical: str, reason: str = "") -> dict[str, str]:
        return {
            "StackId": "stack",
            "PhysicalResourceId": physical,
            "LogicalResourceId": physical,
            "ResourceStatus": status,
            "ResourceStatusReason": reason,
        }

    listing = "The following resource(s) failed to create: [A]. Rollback requested by user."  # english: quoted
    events = [
        event("ROLLBACK_FAILED", "stack", "the role is gone"),
        event("ROLLBACK_IN_PROGRESS", "stack", listing),
        event("CREATE_FAILED", "A", "no such bucket"),
        event("CREATE_IN_PROGRESS", "stack", "User Initiated"),
    ]
    assert failures(events) == [("A", "no such bucket"), ("", "the role is gone")], json.dumps(events)
