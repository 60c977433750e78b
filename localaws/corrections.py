"""Where moto answers otherwise than AWS, and what stands in for it: the one table of such corrections.

A row is one behaviour. The code of a correction is in its service's package, in a check, a consequence or a handler
(service.py); tests/localaws/test_corrections.py sees that each is in force, and that moto alone still answers
otherwise: a row whose canary fails, and its code, can go.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Correction:
    """moto: what it does; page: the AWS page that says otherwise."""

    name: str
    service: str
    moto: str
    page: str


CORRECTIONS = (
    Correction(
        "target-of-nothing",
        "application-autoscaling",
        "registers a variant that does not exist",
        "Application Auto Scaling API Reference, RegisterScalableTarget",
    ),
    Correction(
        "burstable-target",
        "application-autoscaling",
        "registers a variant on burstable instances",
        "SageMaker Developer Guide, Configure model auto scaling with the console",
    ),
    Correction(
        "capacity-order",
        "application-autoscaling",
        "takes a minimum above the maximum",
        "SageMaker Developer Guide, Register a model",
    ),
    Correction(
        "policy-without-target",
        "application-autoscaling",
        "puts a policy on what is no scalable target",
        "Application Auto Scaling API Reference, PutScalingPolicy",
    ),
    Correction(
        "unknown-target",
        "application-autoscaling",
        "answers ValidationException",
        "Application Auto Scaling API Reference, DeregisterScalableTarget",
    ),
    Correction(
        "policies-of-a-target",
        "application-autoscaling",
        "keeps the policies of a deregistered target",
        "Application Auto Scaling API Reference, DeregisterScalableTarget",
    ),
    Correction(
        "exact-dimensions",
        "cloudwatch",
        "adds the points of every metric that has the dimensions among others",
        "CloudWatch User Guide, Metrics concepts",
    ),
    Correction(
        "percentiles",
        "cloudwatch",
        "breaks at a percentile",
        "CloudWatch User Guide, CloudWatch statistics definitions",
    ),
    Correction(
        "metric-math",
        "cloudwatch",
        "knows no arithmetic",
        "CloudWatch User Guide, Using math expressions with CloudWatch metrics",
    ),
    Correction(
        "metrics-once", "cloudwatch", "lists a metric once for each data point", "CloudWatch API Reference, ListMetrics"
    ),
    Correction(
        "starting-key", "dynamodb", "scans from a key that the table cannot have", "DynamoDB API Reference, Scan"
    ),
    Correction(
        "roots-of-an-organization",
        "organizations",
        "enables no policy type",
        "AWS Organizations API Reference, CreateOrganization",
    ),
    Correction(
        "unit-with-accounts",
        "organizations",
        "deletes the unit, and its accounts hang in the air",
        "AWS Organizations API Reference, DeleteOrganizationalUnit",
    ),
    Correction(
        "policy-size",
        "organizations",
        "takes a policy of any length",
        "AWS Organizations User Guide, Quotas and service limits for AWS Organizations",
    ),
    Correction(
        "last-policy",
        "organizations",
        "detaches the last service control policy",
        "AWS Organizations User Guide, Quotas and service limits for AWS Organizations",
    ),
    Correction(
        "policy-twice", "organizations", "attaches a policy again", "AWS Organizations API Reference, AttachPolicy"
    ),
    Correction(
        "close-of-management",
        "organizations",
        "closes the management account",
        "AWS Organizations API Reference, CloseAccount",
    ),
    Correction(
        "entities-of-a-policy",
        "iam",
        "leaves out what does not fit on the first page",
        "IAM API Reference, ListEntitiesForPolicy",
    ),
    Correction(
        "linked-role", "iam", "names SageMaker's scaling role otherwise", "IAM API Reference, CreateServiceLinkedRole"
    ),
    Correction("protected-role", "iam", "deletes a service-linked role", "IAM API Reference, DeleteRole"),
    Correction(
        "policy-of-aws", "iam", "deletes a policy of AWS", "IAM User Guide, Managed policies and inline policies"
    ),
    Correction("user-of-a-role", "iam", "makes up a user for a role", "IAM API Reference, GetUser"),
    Correction(
        "boundary", "iam", "takes a boundary that does not exist", "IAM API Reference, PutRolePermissionsBoundary"
    ),
    Correction("alias-pattern", "iam", "takes an alias of any characters", "IAM API Reference, CreateAccountAlias"),
    Correction(
        "key-deletion", "kms", "answers the key's id, without its state", "KMS API Reference, ScheduleKeyDeletion"
    ),
    Correction("key-rotation", "kms", "leaves out key and period", "KMS API Reference, GetKeyRotationStatus"),
    Correction("wrong-key", "kms", "answers AccessDeniedException", "KMS API Reference, Decrypt"),
    Correction("secret-name", "secretsmanager", "takes any name", "Secrets Manager API Reference, CreateSecret"),
    Correction(
        "secret-values", "secretsmanager", "takes text and bytes", "Secrets Manager API Reference, CreateSecret"
    ),
    Correction(
        "rotation", "secretsmanager", "rotates without a function", "Secrets Manager API Reference, RotateSecret"
    ),
    Correction(
        "secret-versions",
        "secretsmanager",
        "gives a name as ARN",
        "Secrets Manager API Reference, ListSecretVersionIds",
    ),
    Correction(
        "public-secret", "secretsmanager", "blocks no public policy", "Secrets Manager API Reference, PutResourcePolicy"
    ),
    Correction(
        "lifecycle-tags", "ecr", "takes a rule without tags", "Amazon ECR User Guide, Lifecycle policy properties"
    ),
    Correction("json-status", "secretsmanager", "answers 404", "Secrets Manager API Reference, GetSecretValue"),
    Correction("empty-text", "sqs", "sends an empty message", "SQS API Reference, SendMessage"),
    Correction("structure", "sns", "publishes what is no JSON, as JSON", "SNS API Reference, Publish"),
    Correction("upload-of-parts", "s3", "breaks at an upload that does not exist", "S3 API Reference, UploadPart"),
    Correction("tag-twice", "s3", "takes a key twice", "S3 API Reference, PutObjectTagging"),
    Correction("early-transition", "s3", "takes a day", "S3 User Guide, Lifecycle transition constraints"),
    Correction(
        "parent-of-a-unit",
        "organizations",
        "makes a unit in a parent that does not exist",
        "AWS Organizations API Reference, CreateOrganizationalUnit",
    ),
    Correction(
        "created-accounts",
        "organizations",
        "lists the management account as created",
        "AWS Organizations API Reference, ListCreateAccountStatus",
    ),
    Correction(
        "delegated-member",
        "organizations",
        "removes a delegated administrator",
        "AWS Organizations API Reference, RemoveAccountFromOrganization",
    ),
    Correction("policy-in-use", "iam", "deletes a policy that is attached", "IAM API Reference, DeletePolicy"),
    Correction("policy-of-versions", "iam", "deletes a policy with its versions", "IAM API Reference, DeletePolicy"),
    Correction("group-in-use", "iam", "deletes a group with its users", "IAM API Reference, DeleteGroup"),
    Correction("user-in-use", "iam", "deletes a user with access keys", "IAM API Reference, DeleteUser"),
    Correction("iam-pages", "iam", "ignores the limit of many lists", "IAM API Reference, ListUsers"),
    Correction("kms-pages", "kms", "ignores the limit of every list", "KMS API Reference, ListKeys"),
    Correction(
        "ecr-pages", "ecr", "ignores the limit of repositories", "Amazon ECR API Reference, DescribeRepositories"
    ),
    Correction("alarm-pages", "cloudwatch", "ignores the limit of alarms", "CloudWatch API Reference, DescribeAlarms"),
    Correction("names-by-case", "iam", "takes names that differ in their case alone", "IAM API Reference, CreateRole"),
    Correction("iam-markers", "iam", "breaks at a marker that it did not give", "IAM API Reference, Common Errors"),
    Correction("key-by-arn", "kms", "breaks at the ARN of a key in some operations", "KMS API Reference, DisableKey"),
    Correction(
        "disabled-key",
        "kms",
        "encrypts with a disabled key",
        "KMS Developer Guide, Key states of AWS KMS keys",
    ),
    Correction(
        "dying-key",
        "kms",
        "enables a key that is to be deleted",
        "KMS Developer Guide, Key states of AWS KMS keys",
    ),
    Correction("policy-of-a-key", "kms", "finds no policy where no name is given", "KMS API Reference, GetKeyPolicy"),
    Correction("new-policy-of-a-key", "kms", "takes none without its name", "KMS API Reference, PutKeyPolicy"),
    Correction("metadata-of-a-key", "kms", "leaves out KeyUsage and MultiRegion", "KMS API Reference, KeyMetadata"),
    Correction(
        "key-across-accounts",
        "kms",
        "does not find another account's key",
        "KMS Developer Guide, Allowing users in other accounts to use a KMS key",
    ),
    Correction(
        "object-of-a-disabled-key",
        "s3",
        "reads an object whose key is disabled",
        "KMS Developer Guide, Key states of AWS KMS keys",
    ),
    Correction(
        "checksums",
        "s3",
        "takes an object that is not what its checksum says",
        "Amazon S3 User Guide, Checking object integrity for data uploads in Amazon S3",
    ),
    Correction(
        "acls",
        "s3",
        "takes ACLs",
        "Amazon S3 User Guide, Controlling ownership of objects and disabling ACLs for your bucket",
    ),
    Correction(
        "default-encryption",
        "s3",
        "has none",
        "Amazon S3 User Guide, Setting default server-side encryption behavior for Amazon S3 buckets",
    ),
    Correction("pages-of-buckets", "s3", "gives no token for the next page", "S3 API Reference, ListBuckets"),
    Correction(
        "policy-of-anothers-bucket",
        "s3",
        "shows a bucket's policy to another account",
        "S3 API Reference, GetBucketPolicy",
    ),
    Correction(
        "events-of-a-bucket",
        "s3",
        "does not show that a bucket sends its events to EventBridge",
        "S3 API Reference, GetBucketNotificationConfiguration",
    ),
    Correction("s3-tokens", "s3", "breaks at a token that it did not give", "S3 API Reference, ListObjectsV2"),
    Correction(
        "secret-across-accounts",
        "secretsmanager",
        "does not find another account's secret",
        "Secrets Manager User Guide, Access AWS Secrets Manager secrets from a different account",
    ),
    Correction(
        "secret-tokens",
        "secretsmanager",
        "breaks at a token that it did not give",
        "Secrets Manager API Reference, ListSecrets",
    ),
    Correction(
        "scheduled-secret",
        "secretsmanager",
        "calls a secret that is to be deleted an existing one",
        "Secrets Manager API Reference, CreateSecret",
    ),
    Correction(
        "every-export",
        "dynamodb",
        "lists the exports of one table alone",
        "DynamoDB API Reference, ListExports",
    ),
    Correction(
        "scanning-without-rules",
        "ecr",
        "breaks where no rules are given",
        "Amazon ECR API Reference, PutRegistryScanningConfiguration",
    ),
    Correction(
        "unique-ids",
        "iam",
        "begins the ids of roles alone with what they are of",
        "IAM User Guide, IAM identifiers",
    ),
    Correction(
        "managed-keys",
        "kms",
        "gives AWS's aliases keys that do not exist",
        "KMS API Reference, DescribeKey, ListAliases",
    ),
    Correction(
        "nothing-to-draw",
        "kms",
        "breaks at GenerateRandom without a number of bytes",
        "KMS API Reference, GenerateRandom",
    ),
    Correction(
        "uploads-in-pages",
        "s3",
        "lists every upload in parts at once",
        "S3 API Reference, ListMultipartUploads",
    ),
    Correction(
        "queue-that-does-not-allow",
        "sns",
        "sends to queues whose policy does not allow it",
        "SNS Developer Guide, Subscribing an Amazon SQS queue to an Amazon SNS topic",
    ),
    Correction(
        "empty-message",
        "sns",
        "takes an empty message",
        "SNS API Reference, Publish",
    ),
    Correction(
        "words-of-a-client",
        "sns",
        "puts what a client writes in front of some messages",
        "SNS API Reference, Publish",
    ),
    Correction(
        "whole-seconds",
        "sqs",
        "gives fractions of seconds",
        "SQS API Reference, GetQueueAttributes",
    ),
    Correction("queue-that-is-gone", "sns", "fails Publish", "SNS Developer Guide, Amazon SNS dead-letter queues"),
    Correction("name-of-a-queue", "sqs", "takes .fifo for a standard queue", "SQS API Reference, CreateQueue"),
    Correction("pending-subscription", "sns", "confirms it by itself", "SNS API Reference, Subscribe"),
    Correction("sns-tokens", "sns", "breaks at a token that it did not give", "SNS API Reference, ListTopics"),
    Correction(
        "queue-across-accounts",
        "sqs",
        "does not find another account's queue",
        "SQS Developer Guide, Basic examples of Amazon SQS policies",
    ),
    Correction(
        "repository-across-accounts",
        "ecr",
        "does not find another account's repository",
        "Amazon ECR User Guide, Private repository policies in Amazon ECR",
    ),
    Correction("root-user", "iam", "makes up a user for the root user", "IAM API Reference, GetUser"),
    Correction(
        "address-of-a-provider",
        "iam",
        "takes a provider over http, and calls one that exists unknown",
        "IAM API Reference, CreateOpenIDConnectProvider",
    ),
    Correction("usage-of-a-key", "kms", "uses a key for what it is not made for", "KMS API Reference, CreateKey"),
    Correction("grantee", "kms", "grants to a role that does not exist", "KMS API Reference, CreateGrant"),
    Correction("grants", "kms", "leaves out by whom and when", "KMS API Reference, ListGrants"),
    Correction("topic-twice", "sns", "answers a topic with other tags", "SNS API Reference, CreateTopic"),
    Correction("dead-letters-to-nothing", "sqs", "answers NonExistentQueue", "SQS API Reference, SetQueueAttributes"),
    Correction("sender", "sqs", "gives every sender one id", "SQS API Reference, ReceiveMessage"),
    Correction(
        "destination-of-events",
        "s3",
        "sends events to a queue that does not exist or does not allow it",
        "S3 API Reference, PutBucketNotificationConfiguration",
    ),
    Correction("order-of-parts", "s3", "takes parts in any order", "S3 API Reference, CompleteMultipartUpload"),
    Correction("copy-to-itself", "s3", "takes a copy that changes nothing", "S3 API Reference, CopyObject"),
    Correction("key-of-s3", "s3", "names no key where a request names none", "S3 API Reference, PutObject"),
    Correction(
        "endpoint-of-nothing",
        "ec2",
        "takes a VPC endpoint of a service that does not exist, and a route table that does not",
        "Amazon EC2 API Reference, CreateVpcEndpoint",
    ),
    Correction(
        "gateway-by-default",
        "ec2",
        "shows no type of a VPC endpoint that is made without one",
        "Amazon EC2 API Reference, CreateVpcEndpoint",
    ),
    Correction(
        "endpoint-that-is-gone",
        "ec2",
        "goes on showing a deleted VPC endpoint",
        "Amazon EC2 API Reference, DeleteVpcEndpoints",
    ),
    Correction(
        "route-to-a-gateway",
        "ec2",
        "writes no route where a route table is added later",
        "AWS PrivateLink Guide, Gateway endpoints for Amazon S3",
    ),
    Correction("no-tags", "s3", "breaks at an empty set", "S3 API Reference, PutObjectTagging"),
)
