"""What a batch stage has in a target account: state machines, transform jobs, rules, logs and objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.support.who_may.policies import PRODUCTION, REGION, STAGING
from tests.support.who_may.storage import data_bucket
from tests.support.who_may.thing import BETWEEN, NAME, OTHER_NAME, OURS, THEIRS, Thing


def of_batch() -> Iterator[Thing]:
    for stage, account in (("staging", STAGING), ("prod", PRODUCTION)):
        for name, kinds, arn in (*_there(stage, account), *_objects(stage, account)):
            yield Thing(f"{name} in {stage}", arn, account, kinds, _tags(name) if kinds == ("statemachine",) else {})


def _tags(machine: str) -> Mapping[str, str]:
    """Of a state machine: a project's where 50-endpoint.yaml makes it."""
    if machine.startswith("another team's") or machine == "another batch machine":
        return {}
    return THEIRS if machine.startswith(("another project's", "a namesake's")) else OURS


def _there(stage: str, account: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Name, resource types and ARN of each, but of objects."""
    other = {"staging": "prod", "prod": "staging"}[stage]
    states, events = f"arn:aws:states:{REGION}:{account}", f"arn:aws:events:{REGION}:{account}:rule"
    owners = {
        "the project's": f"{NAME}-{stage}", "another project's": f"{OTHER_NAME}-{stage}", "another": "billing",
        "a namesake's": f"my-{NAME}-{stage}", "a namesake's other stage's": f"my-{NAME}-{other}",
        "beside the stage's": f"{NAME}-trial", "the other stage's": f"{NAME}-{other}",
        **{f"{name}'s": f"{NAME}-{stage}" for name, stage in BETWEEN.items()},
        "another project's QA's": f"{OTHER_NAME}-qa", "another team's": f"billing-{stage}",
        "another team's QA's": "billing-qa",
    }  # fmt: skip
    for whose, owner in owners.items():
        yield f"{whose} batch machine", ("statemachine",), f"{states}:stateMachine:{owner}"
        yield f"an execution of {whose} batch machine", ("execution",), f"{states}:execution:{owner}:1"
    for what, name in (("a job of a batch machine", "batch-1"), ("another transform job", "mine")):
        yield what, ("transform-job",), f"arn:aws:sagemaker:{REGION}:{account}:transform-job/{name}"
    for what, name in (
        ("the rule of jobs", "StepFunctionsGetEventsForSageMakerTransformJobsRule"),
        ("a rule of a stage's stack", "StackSet-sagemaker-iris-1a2b-Arrival-3C"),
        ("another rule", "billing"),
    ):
        yield what, ("rule-on-default-event-bus", "rule"), f"{events}/{name}"
    for what, name in (("the log of transform jobs", "/aws/sagemaker/TransformJobs"),):
        stream = f"arn:aws:logs:{REGION}:{account}:log-group:{name}:log-stream:1"
        yield what, ("log-group", "log-stream"), stream
    for what, name in (("batch machines", "batch"), ("the rules of batch", "starter")):
        yield f"the role of {what}", ("role",), f"arn:aws:iam::{account}:role/sagemaker-role-{stage}-{name}"
    yield "another team's role of batch", ("role",), f"arn:aws:iam::{account}:role/billing-batch"
    yield "another team's starter", ("role",), f"arn:aws:iam::{account}:role/billing-starter"
    yield "another team's role of alarms", ("role",), f"arn:aws:iam::{account}:role/billing-alarms"


def _objects(stage: str, account: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for bucket, where in ((data_bucket(account), ""), ("arn:aws:s3:::salaries", " of another bucket")):
        owners = {
            "": NAME,
            "another project's ": OTHER_NAME,
            "a namesake's ": f"my-{NAME}",
            "a longer id's ": f"{NAME}-2",
        }
        for whose, owner in owners.items():
            for kind, key in (("tests", "tests"), ("test answers", "answers/tests"), ("requests", "requests")):
                arn = f"{bucket}/batch/{owner}-{stage}/{key}/1/0"
                yield f"{whose}batch {kind}{where}", ("object",), arn
        for kind, key in (("tests", "tests"), ("test answers", "answers/tests")):
            yield f"batch {kind} of QA{where}", ("object",), f"{bucket}/batch/{NAME}-qa/{key}/1/0"
        yield f"batch tests elsewhere{where}", ("object",), f"{bucket}/other/{NAME}-{stage}/tests/1/0"
        within = f"{bucket}/capture/{OTHER_NAME}-{stage}/batch/{NAME}-{stage}/tests/1/0"
        yield f"batch tests within another project's folder{where}", ("object",), within
