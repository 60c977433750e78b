"""What S3 and KMS refuse in the policies of their resources, and which service principals exist.

S3 API Reference, PutBucketPolicy; KMS Developer Guide, "Default key policy", the lockout safety check; IAM User Guide,
"AWS JSON policy elements: Principal".
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from botocore.loaders import Loader

from awslang.policy.action_table import PREFIXES
from awslang.policy.document import MalformedPolicy, Policy, parse
from awslang.policy.evaluator import AuthorizationRequest, Policies, decide
from awslang.policy.patterns import resource_like
from awslang.principals import Principal

SERVICE_ENDINGS = (".amazonaws.com", ".amazonaws.com.cn", ".aws.internal")
# Service principals whose first part is no IAM prefix of its own ("AWS services that work with IAM").
SERVICES = set(PREFIXES) | {
    "access-analyzer", "apigateway", "airflow", "appsync", "athena", "autoscaling", "backup", "batch", "bedrock",
    "billing", "budgets", "chatbot", "cloudfront", "cloudtrail", "codeconnections", "codedeploy", "codestar",
    "codestar-connections", "codestar-notifications", "cognito-idp", "config", "costalerts", "datasync", "delivery",
    "ds", "ec2", "ecs", "ecs-tasks", "edgelambda", "eks", "elasticache", "elasticfilesystem", "elasticloadbalancing",
    "elasticmapreduce", "firehose", "glue", "guardduty", "inspector", "iot", "kafka", "kinesis", "kinesisanalytics",
    "lakeformation", "license-manager", "macie", "member", "opensearchservice", "opsworks", "pipes", "quicksight",
    "ram", "rds", "redshift", "rekognition", "replicator", "resource-groups", "rolesanywhere", "scheduler",
    "securityhub", "serverlessrepo", "servicediscovery", "ses", "shield", "signer", "spotfleet", "ssm-incidents",
    "ssmmessages", "sso", "storagegateway", "streams", "support", "transcribe", "transfer", "trustedadvisor",
    "vpc-flow-logs", "waf", "workspaces", "xray", "monitoring", "vpce",
}  # fmt: skip


@cache
def services() -> frozenset[str]:
    """The names that a service principal may begin with: botocore has a folder for each service that it knows."""
    return frozenset(SERVICES).union(path.name for path in Path(Loader.BUILTIN_DATA_PATH).iterdir() if path.is_dir())


def known_service(name: str) -> bool:
    """Whether a service of this principal exists: it ends as they do, and one part of its name is a service's."""
    ending = next((ending for ending in SERVICE_ENDINGS if name.endswith(ending)), "")
    return bool(ending) and any(part in services() for part in name.removesuffix(ending).split("."))


def check_bucket_policy(policy: Policy, bucket: str) -> None:
    """A bucket's policy speaks of this bucket only, and of S3's actions."""
    own = f"arn:aws:s3:::{bucket}"
    for statement in policy.statements:
        if any(action != "*" and not action.lower().startswith("s3:") for action in statement.actions):
            raise MalformedPolicy("Policy has invalid action")
        for resource in statement.resources or ("",):
            name = resource.partition("/")[0]
            if name != own and not (("*" in name or "?" in name) and resource_like(name, own, {})) and "${" not in name:
                raise MalformedPolicy("Policy has invalid resource")


# SNS Developer Guide, "Amazon SNS API permissions"; Receive, which it does not list, is taken (aws/aws-cli#3143).
TOPIC_ACTIONS = {
    "addpermission", "deletetopic", "getdataprotectionpolicy", "gettopicattributes", "listsubscriptionsbytopic",
    "listtagsforresource", "publish", "putdataprotectionpolicy", "receive", "removepermission", "settopicattributes",
    "subscribe",
}  # fmt: skip


def check_topic_policy(policy: Policy, topic: str) -> None:
    """A topic's policy names actions on a topic one by one, and speaks of this topic only."""
    for statement in policy.statements:
        parts = [action.lower().partition(":") for action in statement.actions]
        if any(service != "sns" or action not in TOPIC_ACTIONS for service, _, action in parts):
            raise MalformedPolicy("Invalid parameter: Policy statement action out of service scope!")
        if any(not resource_like(resource, topic, {}) for resource in statement.resources or ()):
            raise MalformedPolicy("Invalid parameter: Policy statement resource is not this topic")


def check_queue_policy(policy: Policy) -> None:
    """A queue's policy speaks of SQS's actions (SQS API Reference, SetQueueAttributes: InvalidAttributeValue)."""
    if any(foreign(action, "sqs") for statement in policy.statements for action in statement.actions):
        raise MalformedPolicy("Invalid value for the parameter Policy.")


def check_repository_policy(policy: Policy) -> None:
    """A repository's policy has ECR's actions and no Resource (ECR User Guide, "Private repository policies")."""
    for statement in policy.statements:
        if statement.resources or any(foreign(action, "ecr") for action in statement.actions):
            what = "Invalid parameter at 'PolicyText' failed to satisfy constraint:"
            raise MalformedPolicy(f"{what} 'Invalid repository policy provided'")


def foreign(action: str, service: str) -> bool:
    return action != "*" and action.lower().partition(":")[0] != service


def check_lockout(policy: Policy, principal: Principal, account: str) -> None:
    """MalformedPolicy unless the principal that writes the key policy could change it again."""
    context = {
        "kms:calleraccount": (account,),
        "aws:principalarn": (principal.role_arn or principal.arn,),
        "aws:principalaccount": (account,),
        "aws:securetransport": ("true",),
    }
    request = AuthorizationRequest(principal, "kms:PutKeyPolicy", "*", account, context)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    whole = parse(everything, "all", account)
    if not decide(request, Policies(identity=(whole,), resource=policy, resource_kind="key")).allowed:
        raise MalformedPolicy("The new key policy will not allow you to update the key policy in the future.")
