"""What the kit's pages show, with content as long and as awkward as a real one's: the documents by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.page import document
from pipeline.report import Result
from pipeline.shadow_page import attention, doubts, stale
from scripts.kit.organization.members import Member
from scripts.kit.publish import by_hand
from scripts.kit.publish.catalog import WantedProduct
from scripts.rehearsal.report.facts import Facts, Point, Span, StackEvents, Unit
from scripts.rehearsal.report.page import page
from scripts.rehearsal.report.template_page import template_page

SCIENCE, STAGING, PROD, REGION = "111111111111", "333333333333", "222222222222", "us-east-1"
PROJECT = "churn-of-business-customers-2026"  # 32 characters, the longest that SageMaker takes
ID = "p-4ln2wbs1nbor"
START = datetime(2026, 11, 29, 20, 41, 3, 212000, UTC)
ARN = f"arn:aws:sagemaker:{REGION}:{SCIENCE}:model-package/{PROJECT}-{ID}/12"
NAMES = {STAGING: "staging", PROD: "production", "444444444444": "production of the subsidiary in Ireland"}


def report(failed: bool) -> str:
    """The report of a rehearsal that succeeded, or that failed when staging was deployed."""
    stages = ["Source", "Build", "DeployStaging", "ApproveDeployment", "DeployProd"]
    statuses = ["Succeeded", "Succeeded", "Failed", "NotStarted", "NotStarted"] if failed else ["Succeeded"] * 5
    endpoint_stack = f"StackSet-sagemaker-{PROJECT}-{ID}-deploy-staging-03b7075b-0c33-46a6-9008-9e7f3a9d73d0"
    summary: dict[str, Any] = {
        "outcome": "failed" if failed else "succeeded",
        "seconds": 21.96,
        "project": {"name": PROJECT, "id": ID},
        "pipeline": {
            "name": f"sagemaker-{PROJECT}-{ID}-deploy",
            "execution_id": "89307062-b67d-4372-bd81-9e784fc09906",
            "stages": [{"name": n, "status": s} for n, s in zip(stages, statuses, strict=True)],
        },
        "endpoints": [endpoint(STAGING, "staging", failed), endpoint(PROD, "prod", failed)],
    }
    if failed:
        summary["failure"] = {
            "message": f"{PROJECT}-{ID}-staging in {STAGING} {REGION} predicts 0.0 2.0 1.0, expected 0.0 2.0 2.0",
            "account": STAGING,
            "log": f"DeployStaging/TestStaging: JobFailed\n{ARN}\n" + "    ok  the endpoint is in service\n" * 40,
        }
    last = "UPDATE_ROLLBACK_COMPLETE" if failed else "UPDATE_COMPLETE"
    return page(
        Facts(
            summary=summary,
            spans=tuple(spans(failed)),
            organization=Unit("Root", (Member("999999999999", "management"),), (
                Unit("multi-account-deployment", (Member(SCIENCE, "data-science"),), (
                    Unit("staging", (Member(STAGING, "staging"),), ()),
                    Unit("production", tuple(Member(a, NAMES[a]) for a in (PROD, "444444444444")), ()),
                )),
            )),
            runs=dict.fromkeys((SCIENCE, STAGING, PROD), (f"stack {endpoint_stack}: {last}",)),
            stacks=(
                stack(SCIENCE, f"sagemaker-{PROJECT}-{ID}-deploy-prod", "CREATE_COMPLETE"),
                stack(STAGING, endpoint_stack, last),
            ),
            builds=((f"sagemaker-{PROJECT}-{ID}-build df8165df-5ecc-4954-83be-74bcda3456e6", "[Container]\n" * 49),),
            requests=tuple(request(number, failed and number % 8 == 0) for number in range(16)),
            points=tuple(Point(1 + n / 10, n % 25 / 10, n // 20, min(n // 19, 2)) for n in range(60)),
        )
    )  # fmt: skip


def endpoint(account: str, stage: str, failed: bool) -> dict[str, Any]:
    return {
        "account": account, "region": REGION, "stage": stage, "name": f"{PROJECT}-{ID}-{stage}", "status": "InService",
        "model_package_arn": ARN, "predictions": ["0.0", "2.0", "1.0"],
        "expected": ["0.0", "2.0", "2.0" if failed else "1.0"],
    }  # fmt: skip


def spans(failed: bool) -> list[Span]:
    begin = START.timestamp()
    titles = ["Units, delegation, roles, buckets and keys (templates 10 and 20)", "A model is trained and registered"]
    chapters = [Span("chapter", title, begin + 2 * n, begin + 2 * n + 2, "succeeded") for n, title in enumerate(titles)]
    status, detail = ("Failed", f"Build terminated with state: FAILED. {ARN}") if failed else ("Succeeded", "")
    return [*chapters, Span("action", "DeployStaging / DeployResourcesStaging", begin + 3, begin + 4, status, detail)]


def stack(account: str, name: str, last: str) -> StackEvents:
    statuses = ["UPDATE_IN_PROGRESS", "UPDATE_FAILED" if "ROLLBACK" in last else "UPDATE_COMPLETE", last]
    events = [
        {
            "Timestamp": START + timedelta(seconds=number),
            "LogicalResourceId": "EndpointConfiguration",
            "ResourceType": "AWS::SageMaker::EndpointConfig",
            "ResourceStatus": status,
            "ResourceStatusReason": f"no capacity for {ARN}" if status.endswith("FAILED") else "",
        }
        for number, status in enumerate(statuses)
    ]
    return StackEvents(account, REGION, name, tuple(events))


def request(number: int, denied: bool) -> dict[str, Any]:
    who = f"arn:aws:sts::{STAGING}:assumed-role/sagemaker-role-staging/test-{ID}-staging"
    return {
        "time": START.timestamp() + number,
        "chapter": "deployment-approval",
        "service": "sagemaker",
        "operation": "DescribeModelPackage",
        "principal": who,
        "action": "sagemaker:DescribeModelPackage" if number else "",
        "resource": ARN,
        "decision": "denied" if denied else "allowed" if number else "free",
        "statement": "no statement allows it" if denied else f"statement ReadVersions of {who}",
    }


def template_report(failed: bool) -> dict[str, Any]:
    """The report of another project template as other_templates/report.py gives it."""
    launch = f"arn:aws:iam::{SCIENCE}:role/service-role/AmazonSageMakerServiceCatalogProductsLaunchRole"
    topic = f"arn:aws:sns:{REGION}:{SCIENCE}:sagemaker-{ID}"
    reason = f'Resource handler returned message: "User: {launch} is not authorized to perform: sns:CreateTopic"'
    denied = {
        "principal": launch,
        "action": "sns:CreateTopic",
        "resource": topic,
        "missing": f"no statement allows sns:CreateTopic on {topic}",
        "statement": {"Effect": "Allow", "Action": "sns:CreateTopic", "Resource": topic},
    }
    build: dict[str, Any] = {"name": "Build", "status": "Failed" if failed else "Succeeded"}
    if failed:
        build |= {"error": "JobFailed: Build terminated with state: FAILED", "stack": [], "log": [f"echo {topic}"] * 9}
    stages = [
        {"name": "Source", "actions": [{"name": "Code", "status": "Succeeded"}]},
        {"name": "Build", "actions": [build]},
        {"name": "Deploy", "actions": []},
    ]
    run = {"id": "99812ee1-748b-431e-b40c-ffca7bb722b6", "trigger": f"CreatePipeline {launch}", "stages": stages}
    resources = [
        {"logical_id": "Bucket", "type": "AWS::S3::Bucket", "status": "CREATE_COMPLETE", "line": 9, "reason": ""},
        {"logical_id": "Topic", "type": "AWS::SNS::Topic", "status": "CREATE_FAILED", "line": 14, "reason": reason},
    ]
    return {
        "outcome": "failed" if failed else "waiting",
        "template": "templates/of-another-team/project-with-a-long-name.yaml",
        "style": "service-catalog",
        "project": {"name": PROJECT, "id": ID, "status": "CreateFailed" if failed else "CreateCompleted"},
        "message": "",
        "stack": [],
        "refused": [],
        "resources": resources if failed else resources[:1],
        "denied": [denied] if failed else [],
        "not_supported": {"emr:RunJobFlow": 1} if failed else {},
        "pipelines": [
            {"name": f"sagemaker-{PROJECT}-deploy", "executions": [run | {"status": "Failed" if failed else "Waiting"}]}
        ],
        "waiting": [] if failed else [f"approve or reject the model {ARN}"],
        "failed_deliveries": [{"rule": "on-approval", "target": topic, "reason": "NO_PERMISSIONS"}] if failed else [],
        "notes": ["CODE___BUCKET is not a bucket name"],
        "trouble": "",
        "seconds": 6.7,
    }


def metric(name: str, new: float | None, live: float | None, **gate: Any) -> dict[str, Any]:
    """A metric of a card. gate: what a gate adds to it"""
    judged = {"direction": "", "bound": None, "worse_by": None, "judged": True, "problem": ""} if gate else {}
    return {"name": name, "new": new, "live": live, **judged, **gate}


def card(**changes: Any) -> dict[str, Any]:
    """A card as the action Card gathers it (pipeline.card.gather): an update from 11 to 12, with what a page adds."""

    def stage(accounts: int, before: float | None, after: float | None) -> dict[str, Any]:
        return {
            "from": "11", "to": "12", "joined": [], "left": [], "same": accounts, "accounts": accounts,
            "regions": [REGION, "eu-west-1"], "cost": {"before": before, "after": after, "unknown": []},
            "settings": [
                {"name": "ContainerStartupHealthCheckTimeoutInSeconds", "live": "", "new": "120"},  # the longest name
                {"name": "InstanceType", "live": "ml.t2.medium", "new": "ml.m5.large"},
            ],
            "resources": [
                {"name": "model", "done": "replaced", "live": "", "new": ""},
                {"name": "alarm server-errors", "done": "updated", "live": "more than 1", "new": "more than 100"},
            ],
        }  # fmt: skip

    made: dict[str, Any] = {
        "project": PROJECT,
        "execution": "89307062-b67d-4372-bd81-9e784fc09906",
        "version": {
            "number": 12,
            "arn": ARN,
            "by": "ann.lovelace@example.com",
            "at": "2026-11-29T20:41:03+00:00",
            "because": "merror 0.02 on 150 held-out rows, better than version 11 on every species",
            "images": [f"111111111111.dkr.ecr.us-east-1.amazonaws.com/team/churn:7 sha256:{'0a1b2c3d' * 8}"],
        },
        "reason": "version 12 is approved",
        "live": "11",
        "busy": "",
        "approver": "",
        "made": "2026-11-30T09:12:44+00:00",
        "manifest_sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        "metrics": [
            metric("validation:balanced_accuracy_of_all", 0.9473684, 0.9210526),
            metric("validation:merror", 0.02, None),
        ],
        "first": [],
        "commit": {
            "link": "https://git.example.com/commit/9bd1c61bafb3",
            "id": "9bd1c61bafb3b9d7ac07fbe7f1a2b9b6ff36a6d5",
            "author": "Ann Lovelace",
            "message": "Serve production on larger instances",
            "date": "2026-11-29T20:30:11Z",
        },
        "comparison": {
            "live": {
                "version": "11",
                "execution": "2edb8500-6898-4a29-967f-fb546a6685a8",
                "at": "2026-11-28T09:12:44+00:00",
                "errors": 0,
                "measured": 1200,
                "latency_ms": {"50": 11.2, "95": 48.0, "99": 1204.5},
            },
            "new": {"errors": 1, "measured": 600, "latency_ms": {"50": 9.1, "95": 33.3, "99": 87.0}},
            "on": {"live": "4 × ml.m5.large", "new": "1 × ml.t2.medium"},
            "compared": 6,
            "agree": 4,
            "differ": [
                {"name": "virginica with long petals", "live": "2.0", "new": "1.0"},
                {"name": "a-payload-without-a-space-in-its-name", "live": json.dumps([0.1] * 9), "new": "no answer"},
            ],
            "left": {"new": ["setosa of 2026"], "edited": ["versicolor"], "unanswered": []},
            "left_out": 2,
        },
        "origin": {
            "training-job": "pipelines-a1b2c3d4e5f6-Train-0a1b2c3d4e",
            "data": "s3://sagemaker-project-p-a1b2c3d4e5f6/model-build/iris/iris.csv",
            "data-hash": "3a5e1c7b9d",
            "commit": "1c0ffee",
            "author": "ann",
        },
        "links": {
            "execution": "https://console.aws.amazon.com/codesuite/codepipeline/pipelines/x/executions/y/timeline",
            "tests": "https://console.aws.amazon.com/codesuite/codebuild/111111111111/projects/x/history",
        },
        "stages": {"staging": stage(1, 83.95, 83.95), "prod": stage(2, 167.9, 335.8)},
        "names": NAMES,
        "prices": "US dollars for 730 hours a month on demand, by AWS's price list of 2026-11-02. Savings plans, "
        "instances that a load adds or takes away, storage, transfer and alarms are not in it.",
    }
    of_stages = {name: changes.pop(name, {}) for name in ("staging", "prod")}
    made["stages"] = {name: made["stages"][name] | of_stages[name] for name in made["stages"]}
    return made | changes


def checks(failed: bool = False) -> list[Result]:
    names = ["the tester's role can be assumed", "the endpoint is in service", "setosa", "virginica with long petals"]
    made = [Result(f"{STAGING}/{region}", name) for region in (REGION, "eu-west-1") for name in names]
    if failed:
        where = f"account {STAGING}, Region {REGION}, setosa"
        made[2] = Result(made[2].place, "setosa", failure=f"{where}: AccessDenied: not authorized to read {ARN}")
    return [*made, Result(f"{STAGING}/{REGION}", "own tests", skipped="the repository has none")]


def shadowed() -> dict[str, Any]:
    """What makes a card one of a shadow: one endpoint whose figures cannot be, and one that could not be read."""
    counted: dict[str, Any] = {"requests": 120, "errors": 3, "latency_ms": {"50": 9.1, "95": 33.3, "99": 1204.5}}
    live = {"requests": 41, "errors": 0, "latency_ms": {"50": 11.2, "95": 48.0, "99": 87.0}}
    here = {"account": PROD, "captured": {"live": 41, "new": 120}, "left_out": 7, "unread": True}
    shadow = {
        "live": ARN.replace("/12", "/10"), "began": "2026-11-30T08:12:44+00:00", "at": "2026-11-30T09:12:44+00:00",
        "places": [
            {**here, "region": REGION, "compared": 40, "agree": 38, "live": live, "new": counted},
            {"account": PROD, "region": "eu-west-1", "problem": "AccessDenied: the tester's role cannot be assumed"},
        ],
    }  # fmt: skip
    production = {"ModelPackageName": ARN.replace("/12", "/11"), "MaximumModelLatencyMicroseconds": "500000"}
    made = card(shadow=shadow, production={"parameters": production})
    return made | {"first": [*stale(made), *doubts(made), *attention(made)]}


def alone() -> dict[str, Any]:
    """A card without staging."""
    made = card(production_alone=True, checked={"now": {"payloads": 6, "own_tests": 1}})
    return made | {"stages": {"prod": made["stages"]["prod"]}, "comparison": {}}


def cards() -> dict[str, str]:
    added = [[PROD, REGION], [PROD, "eu-west-1"], ["444444444444", REGION], ["444444444444", "eu-west-1"]]
    costs: dict[str, Any] = {"before": 0.0, "after": 335.8, "unknown": []}
    first = {"from": "", "joined": added, "same": 0, "cost": costs}
    return {
        "card of a first deployment": document(
            card(
                live="",
                staging={"from": "", "same": 0, "joined": [[STAGING, REGION]], "cost": costs},
                prod=first,
                metrics=[],
                comparison={"why": "production serves no version yet"},
            ),
            checks(),
        ),
        "card of an update": document(card(prod={"joined": added[2:], "left": added[:2]}), checks()),
        "card of an update that weakens production": document(
            card(
                first=[
                    "the VPC is switched off (VpcSubnetIds subnet-0a1b2c3d4e5f60718,subnet-8f7e6d5c4b3a29180 → none)",
                    "the alarm on server errors passes over more (MaximumServerErrorsPerMinute 1 → 100)",
                    "validation:merror is worse than the live version's: 0.02 → 0.08",
                ],
                metrics=[
                    metric(
                        "validation:merror", 0.08, 0.02, direction="worse", goal="minimize", bound=0.1, worse_by=0.1
                    ),
                    metric("auc", 0.7, 0.9, direction="worse", goal="maximize", bound=0.8, problem="auc is 0.7"),
                    metric("f1", 0.7, None),
                ],
            ),
            checks(),
        ),
        "card beside another deployment": document(
            card(
                busy="2edb8500-6898-4a29-967f-fb546a6685a8",
                approver="another person than the author of the version (ann.lovelace@example.com)",
                prod={"settings": []},
            ),
            checks(),
        ),
        "card of new settings": document(
            card(
                live="12",
                staging={"from": "12"},
                prod={"from": "12", "cost": {"before": 83.95, "after": None, "unknown": ["no price of ml.x9.huge"]}},
            ),
            checks(),
        ),
        "card of a rollback": document(
            card(reason="version 13 was rejected: back to version 12", live="13", prod={"from": "13"}), checks()
        ),
        "card of failed tests": document(card(), checks(failed=True)),
        "card after a shadow in doubt": document(shadowed(), checks()),
        "card of production alone": document(alone(), []),
        "card of 60 new accounts": document(
            card(prod={"joined": [[f"{n:012}", REGION] for n in range(60)], "accounts": 60, "same": 0}), checks()
        ),
    }


def console_page() -> str:
    folder = "bundle/0.2.0-57d0c89e"
    return by_hand.page(
        WantedProduct(
            account=SCIENCE,
            region=REGION,
            bucket=f"sagemaker-multi-account-deployment-{SCIENCE}-{REGION}",
            objects={f"{folder}/30-project.yaml": b""},
            portfolio="SageMaker projects of the organization",
            product="Multi Account Deployment",
            owner="ML platform",
            version="0.2.0-57d0c89e",
            template_url="",
            launch_role=f"arn:aws:iam::{SCIENCE}:role/service-role/AmazonSageMakerServiceCatalogProductsLaunchRole",
            principals=(
                f"arn:aws:iam::{SCIENCE}:role/service-role/AmazonSageMaker-ExecutionRole-20261129T204103",
                f"arn:aws:iam::{SCIENCE}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_MLEngineer_0123456789abcdef",
            ),
        )
    )


def documents() -> dict[str, str]:
    """Every page by the name of what it shows."""
    return {
        "report of a success": report(failed=False),
        "report of a failure": report(failed=True),
        "report of a failed template": template_page(template_report(failed=True)),
        "report of a template that waits": template_page(template_report(failed=False)),
        **cards(),
        "console page": console_page(),
    }
