"""Probes of AWS CloudFormation: tags that reach a resource, and what a template's conditions may use."""

from __future__ import annotations

import json

from scripts.kit.probes.lab import Json, Lab, statement
from scripts.kit.probes.probe import Answers, Probe

TAG = "kit-probe"
HANDLE = "AWS::CloudFormation::WaitConditionHandle"  # needs no permission
CONDITIONS: dict[str, Json] = {  # AWS CloudFormation User Guide, "Condition functions", names the first alone
    "Fn::FindInMap": {"Fn::FindInMap": ["Map", "a", "b"]},
    "Fn::Join": {"Fn::Join": ["", ["y", "es"]]},
    "Fn::Select and Fn::Split": {"Fn::Select": [1, {"Fn::Split": [",", "no,yes"]}]},
    "Fn::Sub": {"Fn::Sub": "yes"},
}


def rule_tags(lab: Lab) -> Answers:
    """A stack with a tag and a rule, by a role that may do everything with rules but tag them."""
    name = f"{lab.name}-rule"
    allowed = ["events:PutRule", "events:DeleteRule", "events:DescribeRule", "events:ListTargetsByRule"]
    role = lab.service_role("stack", "cloudformation", statement("Allow", allowed))
    rule = {"Name": name, "EventPattern": {"source": [lab.name]}}
    template = {"Resources": {"Rule": {"Type": "AWS::Events::Rule", "Properties": rule}}}
    done = lab.stack("tagged", template, RoleARN=role, Tags=[{"Key": TAG, "Value": "yes"}])
    lab.words["failures"] = lab.failures(done["StackName"])
    answers: dict[str, object] = {"the stack": done["StackStatus"]}
    if done["StackStatus"] == "CREATE_COMPLETE":
        tags = lab.client("events").list_tags_for_resource(ResourceARN=lab.arn("events", f"rule/{name}"))["Tags"]
        answers["the rule's tags"] = sorted(tag["Key"] for tag in tags)
    return answers


def bucket_tags(lab: Lab) -> Answers:
    """A stack with a tag and a bucket, by a role that may not create a bucket without the tag in the request."""
    name = f"{lab.name}-{lab.here.account}"
    untagged = statement("Deny", "s3:CreateBucket", Condition={"Null": {f"aws:RequestTag/{TAG}": "true"}})
    role = lab.service_role("stack", "cloudformation", statement("Allow", "s3:*"), untagged)
    template = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}}}
    done = lab.stack("tagged", template, RoleARN=role, Tags=[{"Key": TAG, "Value": "yes"}])
    lab.words["failures"] = lab.failures(done["StackName"])
    return {"the stack": done["StackStatus"]}


def condition_functions(lab: Lab) -> Answers:
    answers, make = {}, lab.client("cloudformation").create_stack
    for number, (what, function) in enumerate(CONDITIONS.items()):
        template = {
            "Mappings": {"Map": {"a": {"b": "yes"}}},
            "Conditions": {"Holds": {"Fn::Equals": [function, "yes"]}},
            "Resources": {"Always": {"Type": HANDLE}, "Perhaps": {"Type": HANDLE, "Condition": "Holds"}},
        }
        answers[what] = lab.said(what, make, StackName=f"{lab.name}-{number}", TemplateBody=json.dumps(template))
    return answers


PROBES = (
    Probe(
        "rule-tags",
        "Does CloudFormation pass a stack's tags to an event rule when the role may not tag rules?",
        ("cloudformation:CreateStack", "events:ListTagsForResource"),
        ("stack", "rule", "role"),
        rule_tags,
    ),
    Probe(
        "bucket-tags",
        "Does CloudFormation create a bucket with its tags, or tag it afterwards?",
        ("cloudformation:CreateStack",),
        ("stack", "bucket", "role"),
        bucket_tags,
    ),
    Probe(
        "condition-functions",
        "Which functions may a template's conditions use?",
        ("cloudformation:CreateStack",),
        ("stack",),
        condition_functions,
    ),
)
