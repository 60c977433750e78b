"""The roles that SageMaker Studio makes where projects are switched on, beside the launch role.

SageMaker Developer Guide, "Granting SageMaker Studio Permissions Required to Use Projects" (the names) and
"AWS Managed Policies for SageMaker Projects and JumpStart" (the policy of each). The use role is the older one
that all services share; Studio gives it a policy of the account's own, which has no page: what is here is what
that policy lets each service do with resources named sagemaker-*.
"""

from __future__ import annotations

import json
from typing import Any

PREFIX = "AmazonSageMakerServiceCatalogProducts"
POLICIES = "arn:aws:iam::aws:policy/"
AT_THE_ROOT = {"CodeBuild"}  # the one whose policy has no path
USE_ROLE = f"{PREFIX}UseRole"
SERVICES = {  # a role's name after PREFIX and before Role, and the service that it is for
    "ApiGateway": "apigateway",
    "Cloudformation": "cloudformation",
    "CodeBuild": "codebuild",
    "CodePipeline": "codepipeline",
    "Events": "events",
    "Firehose": "firehose",
    "Glue": "glue",
    "Lambda": "lambda",
}
USED_BY = sorted({*SERVICES.values(), "sagemaker", "states"})
STATEMENTS: list[tuple[list[str], list[str]]] = [  # of the use role: actions, resources
    (
        [
            f"cloudformation:{name}"
            for name in (
                "CreateChangeSet", "CreateStack", "DescribeChangeSet", "DeleteChangeSet", "DeleteStack",
                "DescribeStacks", "ExecuteChangeSet", "SetStackPolicy", "UpdateStack",
            )
        ],
        ["arn:aws:cloudformation:*:*:stack/sagemaker-*"],
    ),
    (["cloudwatch:PutMetricData"], ["*"]),
    (
        ["codebuild:BatchGetBuilds", "codebuild:StartBuild"],
        ["arn:aws:codebuild:*:*:project/sagemaker-*", "arn:aws:codebuild:*:*:build/sagemaker-*"],
    ),
    (
        [
            f"codecommit:{name}"
            for name in ("CancelUploadArchive", "GetBranch", "GetCommit", "GetUploadArchiveStatus", "UploadArchive")
        ],
        ["arn:aws:codecommit:*:*:sagemaker-*"],
    ),
    (["codepipeline:StartPipelineExecution"], ["arn:aws:codepipeline:*:*:sagemaker-*"]),
    (["ec2:DescribeRouteTables"], ["*"]),
    (
        [
            "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:Describe*", "ecr:GetAuthorizationToken",
            "ecr:GetDownloadUrlForLayer",
        ],
        ["*"],
    ),
    (
        [
            "ecr:BatchDeleteImage", "ecr:CompleteLayerUpload", "ecr:CreateRepository", "ecr:DeleteRepository",
            "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ],
        ["arn:aws:ecr:*:*:repository/sagemaker-*"],
    ),
    (
        [f"events:{name}" for name in ("DeleteRule", "DescribeRule", "PutRule", "PutTargets", "RemoveTargets")],
        ["arn:aws:events:*:*:rule/sagemaker-*"],
    ),
    (["firehose:PutRecord", "firehose:PutRecordBatch"], ["arn:aws:firehose:*:*:deliverystream/sagemaker-*"]),
    (["iam:PassRole"], [f"arn:aws:iam::*:role/service-role/{PREFIX}Use*"]),
    (["lambda:InvokeFunction"], ["arn:aws:lambda:*:*:function:sagemaker-*"]),
    (
        [
            "logs:CreateLogDelivery", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DeleteLogDelivery",
            "logs:Describe*", "logs:GetLogDelivery", "logs:GetLogEvents", "logs:ListLogDeliveries",
            "logs:PutLogEvents", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
        ],
        ["*"],
    ),
    (
        [
            f"s3:{name}"
            for name in (
                "CreateBucket", "DeleteBucket", "GetBucketAcl", "GetBucketCors", "GetBucketLocation",
                "ListAllMyBuckets", "ListBucket", "ListBucketMultipartUploads", "PutBucketCors", "PutObjectAcl",
                "AbortMultipartUpload", "DeleteObject", "GetObject", "GetObjectVersion", "PutObject",
            )
        ],
        ["arn:aws:s3:::aws-glue-*", "arn:aws:s3:::sagemaker-*"],
    ),
    (
        [
            f"states:{name}"
            for name in (
                "DescribeExecution", "DescribeStateMachine", "DescribeStateMachineForExecution",
                "GetExecutionHistory", "ListExecutions", "ListTagsForResource", "StartExecution", "StopExecution",
                "TagResource", "UntagResource", "UpdateStateMachine",
            )
        ],
        ["arn:aws:states:*:*:stateMachine:sagemaker-*", "arn:aws:states:*:*:execution:sagemaker-*:*"],
    ),
    (["states:ListStateMachines"], ["*"]),
    (
        ["codestar-connections:UseConnection"],
        ["arn:aws:codestar-connections:*:*:connection/*"],
    ),
]  # fmt: skip
NOT_OF_PROJECTS = ["domain", "user-profile", "app", "flow-definition"]  # what sagemaker:* leaves out


def use_policy() -> dict[str, Any]:
    """The policy of the use role."""
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": actions, "Resource": resources} for actions, resources in STATEMENTS
    ]
    left_out = [f"arn:aws:sagemaker:*:*:{kind}/*" for kind in NOT_OF_PROJECTS]
    statements.append({"Effect": "Allow", "Action": "sagemaker:*", "NotResource": left_out})
    return {"Version": "2012-10-17", "Statement": statements}


def make_role(iam: Any, name: str, services: list[str], policy_arn: str) -> None:
    trusted = [f"{service}.amazonaws.com" for service in services]
    statement = {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_role(RoleName=name, Path="/service-role/", AssumeRolePolicyDocument=trust)
    iam.attach_role_policy(RoleName=name, PolicyArn=policy_arn)


def make_stock_roles(iam: Any) -> None:
    """Every role of the list, in the account that iam acts in."""
    for kind, service in SERVICES.items():
        path = "" if kind in AT_THE_ROOT else "service-role/"
        make_role(iam, f"{PREFIX}{kind}Role", [service], f"{POLICIES}{path}{PREFIX}{kind}ServiceRolePolicy")
    make_role(iam, f"{PREFIX}ExecutionRole", ["sagemaker"], f"{POLICIES}AmazonSageMakerFullAccess")
    policy = iam.create_policy(
        PolicyName=f"{USE_ROLE}Policy", Path="/service-role/", PolicyDocument=json.dumps(use_policy())
    )
    make_role(iam, USE_ROLE, USED_BY, policy["Policy"]["Arn"])
