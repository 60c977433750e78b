"""In which way something is asked for: over plain HTTP, through another service, with tags, with an external id."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache

from tests.support.who_may.policies import (
    CLERK,
    DATA_SCIENCE,
    FURTHER,
    PROJECT,
    PROJECT_ID,
    REGION,
    SERVICE_ROLE,
    SHOP,
)

Keys = Mapping[str, str | tuple[str, ...]]
S3_HOST = f"https://sagemaker-multi-account-bundle-{DATA_SCIENCE}-{REGION}.s3.{REGION}.amazonaws.com"
ROLE_OF_STACK, URL = "cloudformation:RoleArn", "cloudformation:TemplateUrl"
PLAIN: dict[str, Keys] = {"": {}}
TEMPLATES: dict[str, Keys] = {
    "of the endpoint template": {URL: f"{S3_HOST}/bundle/1a2b/templates/50-endpoint.yaml"},
    "of a template from elsewhere": {
        URL: "https://elsewhere.s3.us-east-1.amazonaws.com/bundle/1/templates/50-endpoint.yaml"
    },
    "of a template of the requester's own": {},
    "of a project template, as the launch role": {
        URL: f"{S3_HOST}/project-templates/kit.yaml",
        ROLE_OF_STACK: f"{SERVICE_ROLE}LaunchRole",
    },
    "of a template of the requester's own, as the launch role": {ROLE_OF_STACK: f"{SERVICE_ROLE}LaunchRole"},
    "of a project template, as the requester": {URL: f"{S3_HOST}/project-templates/kit.yaml"},
    "of a project template, as the stages' role": {
        URL: f"{S3_HOST}/project-templates/kit.yaml",
        ROLE_OF_STACK: f"{SERVICE_ROLE}StageRole",
    },
    "of a template from elsewhere, as the launch role": {
        URL: "https://elsewhere.s3.us-east-1.amazonaws.com/x.yaml",
        ROLE_OF_STACK: f"{SERVICE_ROLE}LaunchRole",
    },
}


def _tags(name: str, id: str, *more: str) -> Keys:
    keys = {"aws:RequestTag/sagemaker:project-name": name, "aws:RequestTag/sagemaker:project-id": id}
    return {**keys, "aws:TagKeys": ("sagemaker:project-name", "sagemaker:project-id", *more)}


TAGGED: dict[str, Keys] = {
    "with the project's tags": _tags(PROJECT, PROJECT_ID),
    "with another project's tags": _tags("churn", "p-2"),
    "with the project's tags and one more": _tags(PROJECT, PROJECT_ID, "owner"),
    "without tags": {},
}
KNOWN: Keys = {"sts:ExternalId": "the-external-id"}
OWN_TESTS: Keys = {"sts:RoleSessionName": f"own-tests-{PROJECT_ID}-staging"}
NO_ID: Keys = {"aws:RequestTag/sagemaker:project-name": PROJECT, "aws:TagKeys": ("sagemaker:project-name",)}
NO_NAME: Keys = {"aws:RequestTag/sagemaker:project-id": PROJECT_ID, "aws:TagKeys": ("sagemaker:project-id",)}
CHURN: Keys = {"aws:RequestTag/sagemaker:project-name": "churn", "aws:TagKeys": ("sagemaker:project-name",)}
CONSUMERS: dict[str, Keys] = {
    "as the shop of the project": {"sts:ExternalId": f"{PROJECT}@{SHOP}", **NO_ID},
    "as the shop of the project, with another project's tag": {"sts:ExternalId": f"{PROJECT}@{SHOP}", **CHURN},
    "as the shop of another project": {"sts:ExternalId": f"churn@{SHOP}", **CHURN},
    "as the clerk of another project": {"sts:ExternalId": f"churn@{CLERK}", **CHURN},
}
HTTP: dict[str, Keys] = {"over plain HTTP": {"aws:SecureTransport": "false"}}
ONE_TAG = {stage: {f"s3:RequestObjectTag/sagemaker-multi-account-{stage}": "true"} for stage in ("staging", "prod")}
WAYS: dict[str, Mapping[str, Keys]] = {  # the first that fits an action
    "s3:PutObject": PLAIN
    | HTTP
    | {
        "once (If-None-Match)": {"s3:if-none-match": "*"},
        "under a key of KMS": {"s3:x-amz-server-side-encryption": "aws:kms"},
        "under S3's own key": {"s3:x-amz-server-side-encryption": "AES256"},
    },
    "s3:Put*Tagging": {
        "with no tag of a stage": {},
        "with the tag of staging": ONE_TAG["staging"],
        "with the tag of production": ONE_TAG["prod"],
    },
    "s3:ListBucket": PLAIN
    | HTTP
    | {
        "beneath record/": {"s3:prefix": "record/approvals/"},
        "beneath a project's baselines": {"s3:prefix": f"{PROJECT}-{PROJECT_ID}/models/baselines/1/"},
        "beneath a project's baselines of pushes": {"s3:prefix": f"{PROJECT}-{PROJECT_ID}/models/on-push/baselines/1/"},
        "beneath project-templates/": {"s3:prefix": "project-templates/"},
        "beneath the project's answers": {"s3:prefix": f"asynchronous/{PROJECT}-{PROJECT_ID}-staging/answers/"},
        "beneath the project's answers in production": {
            "s3:prefix": f"asynchronous/{PROJECT}-{PROJECT_ID}-prod/answers/"
        },
        "beneath the project's answers in QA": {"s3:prefix": f"asynchronous/{PROJECT}-{PROJECT_ID}-qa/answers/"},
        "beneath the project's batch tests": {"s3:prefix": f"batch/{PROJECT}-{PROJECT_ID}-staging/answers/tests/"},
        "beneath what the project's endpoint captured": {"s3:prefix": f"capture/{PROJECT}-{PROJECT_ID}-staging/"},
        "beneath another project's answers": {"s3:prefix": "asynchronous/churn-p-2-staging/answers/"},
        "beneath a longer id's answers": {"s3:prefix": f"asynchronous/{PROJECT}-{PROJECT_ID}-2-staging/answers/"},
        "within another project's folder": {"s3:prefix": f"batch/churn-p-2-staging/{PROJECT}-{PROJECT_ID}-staging/"},
    },
    "s3:*": PLAIN | HTTP,
    "kms:CreateGrant": {"for a service of AWS": {"kms:GrantIsForAWSResource": "true"}, "directly": {}},
    "kms:*": {
        "directly": {},
        "through S3": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"},
        "through S3 in a further Region": {"kms:ViaService": f"s3.{FURTHER}.amazonaws.com"},
        "through Secrets Manager": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"},
    },
    "iam:PassRole": {"to no service": {}}
    | {
        f"to {one}": {"iam:PassedToService": f"{one}.amazonaws.com"}
        for one in ("cloudformation", "sagemaker", "servicecatalog", "lambda", "events", "states")
    },
    "iam:CreateServiceLinkedRole": {
        f"for {one}": {"iam:AWSServiceName": f"{one}.amazonaws.com"}
        for one in ("sagemaker.application-autoscaling", "ecs")
    },
    "cloudformation:CreateStack": TEMPLATES,
    "cloudformation:UpdateStack": TEMPLATES,
    "cloudformation:CreateStackSet": TEMPLATES,
    "cloudformation:UpdateStackSet": TEMPLATES,
    "cloudformation:GetTemplateSummary": TEMPLATES,
    "sagemaker:AddTags": TAGGED,
    "sagemaker:CreatePipeline": TAGGED,
    "sagemaker:*ateModelPackage": {
        "to wait for approval": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"},
        "as approved": {"sagemaker:ModelApprovalStatus": "Approved"},
        "without a status": {},
        "with a stage of the kit": {
            "sagemaker:ModelLifeCycle:Stage": "Staging",
            "sagemaker:ModelLifeCycle:StageStatus": "Tested",
        },
        "with another stage": {
            "sagemaker:ModelLifeCycle:Stage": "QA",
            "sagemaker:ModelLifeCycle:StageStatus": "Tested",
        },
        "with another status of a stage": {
            "sagemaker:ModelLifeCycle:Stage": "Staging",
            "sagemaker:ModelLifeCycle:StageStatus": "Approved",
        },
        "with a stage, as approved": {
            "sagemaker:ModelApprovalStatus": "Approved",
            "sagemaker:ModelLifeCycle:Stage": "Staging",
            "sagemaker:ModelLifeCycle:StageStatus": "Tested",
        },
    },
    "events:PutEvents": {
        "of a notice": {
            "events:source": ("multi-account-sagemaker",),
            "events:detail-type": ("Model Deployment Notice",),
        },
        "of a notice of another type": {
            "events:source": ("multi-account-sagemaker",),
            "events:detail-type": ("Billing",),
        },
        "of another program": {"events:source": ("billing",), "events:detail-type": ("Model Deployment Notice",)},
        "of an alarm": {"events:source": ("aws.cloudwatch",), "events:detail-type": ("CloudWatch Alarm State Change",)},
        "of another event of CloudWatch": {"events:source": ("aws.cloudwatch",), "events:detail-type": ("Billing",)},
        "of another service named as an alarm": {
            "events:source": ("aws.s3",),
            "events:detail-type": ("CloudWatch Alarm State Change",),
        },
    },
    "sagemaker:CreateModelPackageGroup": TAGGED,
    "sts:AssumeRole": {
        "with the project's tags, in the name of the pipeline's test": {
            **TAGGED["with the project's tags"],
            "sts:RoleSessionName": f"test-{PROJECT_ID}-staging",
        },
        "with the external id and the project's tags": {**KNOWN, **TAGGED["with the project's tags"]},
        "with the external id and another project's tags": {**KNOWN, **TAGGED["with another project's tags"]},
        "with the external id and one tag more": {**KNOWN, **TAGGED["with the project's tags and one more"]},
        "with the external id and the tag of the name alone": {**KNOWN, **NO_ID},
        "with the external id and the tag of the id alone": {**KNOWN, **NO_NAME},
        "with the external id and without tags": KNOWN,
        "with another external id": {"sts:ExternalId": "another", **TAGGED["with the project's tags"]},
        **{name: {**keys, **OWN_TESTS} for name, keys in TAGGED.items()},
        "with the tag of the name alone": {**NO_ID, **OWN_TESTS},
        "with the tag of the id alone": {**NO_NAME, **OWN_TESTS},
        **CONSUMERS,
    },
    "sts:TagSession": TAGGED
    | {
        "with the tag of the name alone": NO_ID,
        "with the tag of the id alone": NO_NAME,
        "with the external id and the project's tags": {**KNOWN, **TAGGED["with the project's tags"]},
        "with the external id and one tag more": {**KNOWN, **TAGGED["with the project's tags and one more"]},
        "as the shop of the project, with one tag more": {
            **CONSUMERS["as the shop of the project"],
            "aws:TagKeys": ("sagemaker:project-name", "owner"),
        },
    },
    "cloudwatch:PutMetricData": {
        f"of {one}": {"cloudwatch:namespace": one}
        for one in ("AWS/SageMaker", "/aws/sagemaker/Endpoints", "AWS/Billing")
    },
    "*": PLAIN,
}


@cache
def ways(action: str) -> Mapping[str, Keys]:
    """The ways to ask for an action, by what a reader calls them."""
    return next(found for pattern, found in WAYS.items() if fnmatchcase(action, pattern))
