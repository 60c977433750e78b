"""The chapters of one deployment: an approved version goes to staging, before the approver, to production, and answers.

Each does what a person would do; the services do the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from localaws.cloud import arn
from scripts.kit.console import say
from scripts.kit.projects.history import ENDED
from scripts.kit.stages import Stage
from scripts.rehearsal import evidence, examples
from scripts.rehearsal.playing import Person, Playing, StoryFailed


def approve(story: Playing, act: Callable[[], object]) -> None:
    """Follow the execution that an approval of the story's version starts. act: approves it"""
    version = story.model_package_arn.rsplit("/", 1)[1]
    recorded = recorded_approvals(story)
    story.execution_id = started(story, act)
    if not story.execution_id:
        raise StoryFailed(
            f"the approval of version {version} started no pipeline",
            story.setting.data_science,
            "\n".join(story.unstarted()),
        )
    new = [key for key in recorded_approvals(story) - recorded if key.endswith(f"-{version}-Approved.json")]
    if len(new) != 1:
        raise StoryFailed(f"the approval of version {version} is not in the project's record")
    say(f"    version {version} is approved, and that is recorded: the pipeline started ({story.execution_id})")


def started(story: Playing, act: Callable[[], object]) -> str:
    """The execution that an act starts; "" where it starts none."""
    before = {e["pipelineExecutionId"] for e in story.executions()}
    act()
    story.busy_at = time.monotonic()

    def found() -> str | None:
        new = [e["pipelineExecutionId"] for e in story.executions() if e["pipelineExecutionId"] not in before]
        return new[0] if new else "nothing" if story.idle() else None

    return str(story.until("the pipeline to start", found, story.patience_to_start)).removeprefix("nothing")


def recorded_approvals(story: Playing) -> set[str]:
    """The names of the entries in the project's record."""
    s3 = story.owner(story.setting.data_science).client("s3")
    found = s3.list_objects_v2(Bucket=f"sagemaker-project-{story.project_id}", Prefix="record/approvals/")
    return {item["Key"] for item in found.get("Contents", [])}


def before_production(story: Playing) -> None:
    """Follow staging and the stages between it and production, and let the version into those that ask for it."""
    for stage in list(map(Stage, story.setting.targets))[:-1]:
        if stage in story.setting.asked:
            give_approval(story, "Approved", "The stage before has passed", stage.approval_stage)
            say(f"    the approver lets it into {stage}")
        status = story.wait_for_stage(stage.deploy_stage)
        story.require(status == "Succeeded", f"{stage.deploy_stage} ended {status}")


def staging(story: Playing) -> None:
    """Nothing where production is the only stage."""
    before_production(story)
    if not story.production_alone:
        say(
            f"    the data scientist reads how the endpoint answered: {read_tests(story, story.scientist)} tests passed"
        )


def approval(story: Playing) -> None:
    approval_token(story, story.approver.client("codepipeline"))
    cases = read_before_approving(story)
    seen = "No stage has tested it" if story.production_alone else f"Staging passed {cases} tests"
    give_approval(story, "Approved", seen)
    say(f"    the approver read “{seen}”, and approved")


def look_at_pipeline(story: Playing, person: Person) -> None:
    """What the console asks for when a person opens the pipeline and its newest execution."""
    codepipeline = person.client("codepipeline")
    name, execution = story.pipeline_name, story.execution_id
    shown = codepipeline.get_pipeline(name=name)["pipeline"]
    codepipeline.get_pipeline_state(name=name)
    codepipeline.list_pipeline_executions(pipelineName=name)
    seen = codepipeline.get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution)["pipelineExecution"]
    codepipeline.list_action_executions(pipelineName=name, filter={"pipelineExecutionId": execution})
    story.require(seen["pipelineVersion"] == shown["version"], f"{name} is not the pipeline that ran")


def read_before_approving(story: Playing) -> int:
    """The pipeline, the version and the tests of staging, as the approver sees them; how many tests passed.

    Without staging the card says so, and there are no tests: 0.
    """
    approver = story.approver
    look_at_pipeline(story, approver)
    sagemaker = approver.client("sagemaker")
    sagemaker.list_model_packages(ModelPackageGroupName=story.project_name)
    version = sagemaker.describe_model_package(ModelPackageName=story.model_package_arn)
    key = story.card_key(approver)
    card = approver.client("s3").get_object(Bucket=f"sagemaker-project-{story.project_id}", Key=key)["Body"].read()
    story.require(story.model_package_arn.encode() in card, f"the card {key} is not of {story.model_package_arn}")
    story.require(evidence.says_cost(card), f"the card {key} says no cost, nor why it is not known")
    status = version["ModelApprovalStatus"]
    story.require(status == "Approved", f"the approver sees {story.model_package_arn} {status}")
    said = evidence.says_nothing_tested(card)
    story.require(said == story.production_alone, f"the card {key} does not say what was tested before production")
    return 0 if story.production_alone else read_tests(story, approver)


FILE = f"{Stage.STAGING}.xml"  # of the tests of staging, as the pipeline's step writes it


def read_tests(story: Playing, person: Person) -> int:
    """The newest test report of staging, as a person opens it; how many tests passed.

    The project's other stages report to the same group, and what was in production's shadow does too.
    """
    codebuild = person.client("codebuild")
    group = f"report-group/sagemaker-{story.project_name}-{story.project_id}-test-endpoints"
    group_arn = arn("codebuild", story.region, story.setting.data_science, group)
    arns = codebuild.list_reports_for_report_group(reportGroupArn=group_arn)["reports"]  # the newest first
    shown = ((report, codebuild.describe_test_cases(reportArn=report)["testCases"]) for report in arns)
    of_staging = (one for one in shown if {PurePosixPath(case["testRawDataPath"]).name for case in one[1]} == {FILE})
    newest, cases = story.only(of_staging, f"{group} has no report of staging")
    report = codebuild.batch_get_reports(reportArns=[newest])["reports"][0]
    story.require(report["status"] == "SUCCEEDED", f"the newest tests of staging are {report['status']}")
    return len(cases)


DEPLOYMENT = Stage.PROD.approval_stage


def approval_token(story: Playing, codepipeline: Any, name: str = DEPLOYMENT) -> str:
    """What answers a manual approval, as soon as the pipeline waits for it. name: of the approval and of its stage"""

    def waiting() -> str | None:
        stages = codepipeline.get_pipeline_state(name=story.pipeline_name)["stageStates"]
        asks = (stage for stage in stages if stage["stageName"] == name)
        stage = story.only(asks, f"{story.pipeline_name} has no stage {name}")
        latest = stage.get("latestExecution", {})
        if latest.get("pipelineExecutionId") != story.execution_id:
            return None
        story.require(latest["status"] not in ENDED, f"{name} ended {latest['status']} unasked")
        token: str | None = stage["actionStates"][-1].get("latestExecution", {}).get("token")  # after Card
        return token

    return str(story.until("the pipeline to ask for approval", waiting))


def give_approval(story: Playing, result: str, summary: str, name: str = DEPLOYMENT) -> None:
    """Answer a manual approval through the API, as the approver."""
    codepipeline = story.approver.client("codepipeline")
    codepipeline.put_approval_result(
        pipelineName=story.pipeline_name,
        stageName=name,
        actionName=name,
        token=approval_token(story, codepipeline, name),
        result={"status": result, "summary": summary},
    )


def production(story: Playing) -> None:
    status = story.wait_for_stage("DeployProd")
    story.require(status == "Succeeded", f"DeployProd ended {status}")
    status = story.wait_for_execution(story.execution_id)
    story.require(status == "Succeeded", f"the pipeline ended {status}")
    look_at_pipeline(story, story.scientist)


def predictions(story: Playing) -> None:
    golden = examples.payloads(story.root, story.example)
    story.endpoints = []
    for stage, account in story.setting.targets.items():
        for region in story.regions or (story.region,):
            story.endpoints.append(ask_endpoint(story, stage, account, golden, region))
    for endpoint in story.endpoints:
        right = [p == e for p, e in zip(endpoint["predictions"], endpoint["expected"], strict=True)]
        where = f"{endpoint['account']} {endpoint['region']}"
        say(f"    {endpoint['stage']:<8} {where} {endpoint['name']}: {sum(right)} of {len(right)} right")
        answers, expected = " ".join(endpoint["predictions"]), " ".join(endpoint["expected"])
        story.require(all(right), f"{endpoint['name']} in {where} predicts {answers}, expected {expected}")
        serves = endpoint["model_package_arn"]
        source = source_of(story, serves, endpoint["region"])
        story.require(source == story.model_package_arn, f"{endpoint['name']} in {where} serves {serves}")


def source_of(story: Playing, arn: str, region: str) -> str:
    """The version that a model package is a copy of; the package itself where it is not a copy."""
    if region == story.region:
        return arn
    sagemaker = story.owner(story.setting.data_science, region).client("sagemaker")
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    return str(found.get("CustomerMetadataProperties", {}).get("source-model-package", ""))


def endpoint_name(story: Playing, stage: str) -> str:
    return f"{story.project_name}-{story.project_id}-{stage}"


def ask_endpoint(
    story: Playing, stage: str, account: str, payloads: list[dict[str, Any]], region: str = ""
) -> dict[str, Any]:
    """Invoke a stage's endpoint with every golden payload, as an administrator of its account.

    region: the story's where it is not given
    """
    region = region or story.region
    session = story.owner(account, region)
    sagemaker = session.client("sagemaker")
    name = endpoint_name(story, stage)
    endpoint = sagemaker.describe_endpoint(EndpointName=name)
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    answers, expected = [], []
    for payload in payloads:
        answers.append(examples.ask(session, name, payload))
        expected.append(str(payload["expected"]))
    return {
        "account": account,
        "region": region,
        "stage": stage,
        "name": name,
        "status": endpoint["EndpointStatus"],
        "model_package_arn": model["PrimaryContainer"]["ModelPackageName"],
        "predictions": answers,
        "expected": expected,
    }
