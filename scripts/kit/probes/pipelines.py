"""Probes of AWS CodePipeline; and the small pipelines that other probes need."""

from __future__ import annotations

import copy
import json
from typing import Any

from scripts.kit.connect import if_there, pages
from scripts.kit.probes.lab import ACCEPTED, Json, Lab, paths, statement
from scripts.kit.probes.probe import Answers, Cost, Probe

MINUTES = Cost(0.01, "AWS CodePipeline pricing: $0.002 for each minute of an action, after 100 free ones a month")
NOTHING = {"Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}  # needs no permission
ENDED = {"Succeeded", "Failed"}  # of an action


def action(name: str, category: str, provider: str, **more: Any) -> Json:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, **more}


def declaration(lab: Lab, bucket: str, role: str, then: Json, **more: Any) -> Json:
    """A pipeline that takes seed.zip of a bucket, and then does one action. more: of the second stage"""
    read = {"S3Bucket": bucket, "S3ObjectKey": "seed.zip", "PollForSourceChanges": "false"}
    source = action("Source", "Source", "S3", configuration=read, outputArtifacts=[{"name": "Seed"}])
    stages = [{"name": "Source", "actions": [source]}, {"name": "Then", "actions": [then], **more}]
    store = {"type": "S3", "location": bucket}
    return {"name": lab.name, "roleArn": role, "artifactStore": store, "pipelineType": "V2", "stages": stages}


APPROVE = action("Wait", "Approval", "Manual")


def rights(lab: Lab, bucket: str, *statements: Json) -> list[Json]:
    """What the role of a pipeline may do: use its bucket, and the statements."""
    inside = [f"arn:{lab.here.partition}:s3:::{bucket}{end}" for end in ("", "/*")]
    return [statement("Allow", ["s3:Get*", "s3:List*", "s3:PutObject"], inside), *statements]


def pipeline_role(lab: Lab, bucket: str, *statements: Json) -> str:
    return lab.service_role("pipeline", "codepipeline", *rights(lab, bucket, *statements))


def create(lab: Lab, declared: Json) -> str:
    """The name of a new pipeline."""
    make = lab.client("codepipeline").create_pipeline
    return str(lab.once_ready("the pipeline's role", lambda: make(pipeline=declared))["pipeline"]["name"])


def waiting(lab: Lab, **more: Any) -> str:
    """The name of a new pipeline that waits for an approval. more: of its declaration"""
    bucket = lab.bucket(versioned=True)
    lab.zipped(bucket, "seed.zip", {"seed.txt": "probe"})
    return create(lab, {**declaration(lab, bucket, pipeline_role(lab, bucket), APPROVE), **more})


def executions(lab: Lab, name: str) -> list[Json]:
    asked = {"pipelineName": name}
    return list(pages(lab.client("codepipeline"), "list_pipeline_executions", "pipelineExecutionSummaries", **asked))


def action_ended(lab: Lab, pipeline: str, name: str) -> Json:
    """How an action of a pipeline ended."""
    codepipeline = lab.client("codepipeline")

    def look() -> Json | None:
        listed = pages(codepipeline, "list_action_executions", "actionExecutionDetails", pipelineName=pipeline)
        done = (one for one in listed if one["actionName"] == name)
        return next((one for one in done if one["status"] in ENDED), None)

    return lab.ended(f"action {name} of {pipeline}", look)


def error_of(done: Json) -> str:
    return str(done.get("output", {}).get("executionResult", {}).get("errorDetails", {}).get("message", ""))


# -- probes ------------------------------------------------------------------------------------


def replace_on_failure(lab: Lab) -> Answers:
    """A stack that failed at its creation, because its role may not make what is in it; then the pipeline's action."""
    bucket = lab.bucket(versioned=True)
    lab.zipped(bucket, "seed.zip", {"template.json": json.dumps(NOTHING)})
    topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    stack_role = lab.service_role("stack", "cloudformation", statement("Allow", "cloudformation:Describe*"))
    allowed = [statement("Allow", "cloudformation:*"), statement("Allow", "iam:PassRole", stack_role)]
    role = pipeline_role(lab, bucket, *allowed)
    before = lab.stack("replaced", topic, RoleARN=stack_role)
    deploy = action(
        "Deploy",
        "Deploy",
        "CloudFormation",
        configuration={
            "ActionMode": "REPLACE_ON_FAILURE",
            "StackName": before["StackName"],
            "RoleArn": stack_role,
            "TemplatePath": "Seed::template.json",
        },
        inputArtifacts=[{"name": "Seed"}],
    )
    name = create(lab, declaration(lab, bucket, role, deploy))
    done = action_ended(lab, name, "Deploy")
    lab.words["the action"] = error_of(done)
    stacks = lab.client("cloudformation").describe_stacks(StackName=before["StackName"])["Stacks"]
    return {
        "the stack before": before["StackStatus"],
        "the action": done["status"],
        "another stack is there": stacks[0]["StackId"] != before["StackId"],
    }


def skip_on_failure(lab: Lab) -> Answers:
    bucket = lab.bucket(versioned=True)
    role, rule = pipeline_role(lab, bucket), {"category": "Rule", "owner": "AWS", "provider": "VariableCheck"}
    given = {"Variable": "a", "Operator": "EQ", "Value": "a"}
    rules = [{"name": "Always", "ruleTypeId": {**rule, "version": "1"}, "configuration": given}]
    create(lab, {**declaration(lab, bucket, role, APPROVE), "name": f"{lab.name}-ready"})
    answers = {}
    for result in ("FAIL", "SKIP"):
        failing = {"conditions": [{"result": result, "rules": copy.deepcopy(rules)}]}
        declared = declaration(lab, bucket, role, APPROVE, onFailure=failing)
        declared["name"] = f"{lab.name}-{result.lower()}"
        answers[result] = lab.said(result, lab.client("codepipeline").create_pipeline, pipeline=declared)
    return answers


def source_account(lab: Lab) -> Answers:
    """Roles that are trusted for this account alone, each beside one without the condition that shows it is ready."""
    only = {"StringEquals": {"aws:SourceAccount": lab.here.account}}
    bucket, text = lab.bucket(versioned=True), json.dumps(NOTHING)
    lab.zipped(bucket, "seed.zip", {"seed.txt": "probe"})
    calling = {"Service": "codepipeline.amazonaws.com"}
    strict = lab.role("pipeline-strict", calling, *rights(lab, bucket), condition=only)
    loose = pipeline_role(lab, bucket)
    trusted = {"Service": "cloudformation.amazonaws.com"}
    strict_stack = lab.role("strict", trusted, statement("Allow", "s3:ListAllMyBuckets"), condition=only)
    lab.stack("ready", NOTHING, RoleARN=lab.role("loose", trusted, statement("Allow", "s3:ListAllMyBuckets")))
    make = lab.client("cloudformation").create_stack
    given = {"StackName": f"{lab.name}-asked", "TemplateBody": text, "RoleARN": strict_stack}
    cloudformation = lab.said("CloudFormation", make, **given)
    create(lab, {**declaration(lab, bucket, loose, APPROVE), "name": f"{lab.name}-loose"})
    control = action_ended(lab, f"{lab.name}-loose", "Source")
    declared = declaration(lab, bucket, strict, APPROVE)
    made = lab.said("CodePipeline", lab.client("codepipeline").create_pipeline, pipeline=declared)
    done = action_ended(lab, lab.name, "Source") if made == ACCEPTED else {"status": made}
    lab.words["the source action"] = error_of(done)
    return {
        "CloudFormation": cloudformation,
        "CreatePipeline": made,
        "the source action": done["status"],
        "the source action of a role without the condition": control["status"],
    }


HANDLER = """
import boto3, json, os
def handler(event, context):
    boto3.client('s3').put_object(Bucket=os.environ['BUCKET'], Key='event.json', Body=json.dumps(event))
    return {}
"""


def lambda_rule(lab: Lab) -> Answers:
    """A function that writes down the event it gets, called by the entry condition of a stage."""
    bucket, s3 = lab.bucket(versioned=True), lab.client("s3")
    lab.zipped(bucket, "seed.zip", {"seed.txt": "probe"})
    lab.zipped(bucket, "function.zip", {"probe.py": HANDLER})
    inside = f"arn:{lab.here.partition}:s3:::{bucket}/*"
    role = lab.service_role("function", "lambda", statement("Allow", "s3:PutObject", inside))
    invoke = statement("Allow", ["lambda:InvokeFunction", "lambda:ListFunctions"])
    calling = pipeline_role(lab, bucket, invoke)
    code = {"S3Bucket": bucket, "S3Key": "function.zip"}
    given = {"FunctionName": lab.name, "Runtime": "python3.13", "Handler": "probe.handler", "Role": role, "Timeout": 60}
    held = {"Variables": {"BUCKET": bucket}}
    make = lab.client("lambda").create_function
    denied = {"InvalidParameterValueException"}
    lab.once_ready("the function's role", lambda: make(**given, Code=code, Environment=held), denied)
    lab.client("lambda").get_waiter("function_active_v2").wait(FunctionName=lab.name)
    rule = {"category": "Rule", "owner": "AWS", "provider": "LambdaInvoke", "version": "1"}
    rules = [{"name": "Ask", "ruleTypeId": rule, "configuration": {"FunctionName": lab.name}}]
    create(
        lab,
        declaration(lab, bucket, calling, APPROVE, beforeEntry={"conditions": [{"result": "FAIL", "rules": rules}]}),
    )

    def written() -> Json | None:
        found = if_there(s3.get_object, Bucket=bucket, Key="event.json")
        return dict(json.loads(found["Body"].read())) if found else None

    event = lab.ended("the function's event", written)
    lab.words["members"] = json.dumps(sorted(set(paths(event))))
    entered = lab.perhaps("the stage", lambda: _asks(lab), 60)
    return {"members of the event": sorted(set(paths(event))), "an empty answer: the stage begins": bool(entered)}


def _asks(lab: Lab) -> bool | None:
    """Whether the pipeline waits for its approval."""
    stages = lab.client("codepipeline").get_pipeline_state(name=lab.name)["stageStates"]
    return True if stages[-1]["actionStates"][0].get("latestExecution", {}).get("token") else None


PROBES = (
    Probe(
        "source-account",
        "Do CodePipeline and CloudFormation send aws:SourceAccount when they assume a service role?",
        ("cloudformation:CreateStack", "codepipeline:CreatePipeline", "codepipeline:ListActionExecutions"),
        ("pipeline", "stack", "bucket", "role"),
        source_account,
        MINUTES,
    ),
    Probe(
        "replace-on-failure",
        "Does REPLACE_ON_FAILURE replace a stack that is ROLLBACK_COMPLETE?",
        ("codepipeline:ListActionExecutions", "cloudformation:DescribeStacks"),
        ("pipeline", "stack", "bucket", "role"),
        replace_on_failure,
        MINUTES,
    ),
    Probe(
        "skip-on-failure",
        "May a stage's failure condition have the result SKIP?",
        ("codepipeline:CreatePipeline",),
        ("pipeline", "bucket", "role"),
        skip_on_failure,
        MINUTES,
    ),
    Probe(
        "lambda-rule",
        "What does CodePipeline send to the function of a LambdaInvoke rule?",
        ("codepipeline:CreatePipeline", "lambda:Invoke"),
        ("pipeline", "function", "log group", "bucket", "role"),
        lambda_rule,
        MINUTES,
    ),
)
