"""The shipped settings changed before the first deployment: another Region, both stages serverless.

The Region has no Lambda compute, so that every build runs on EC2. Then a setting that fits the kind is pushed, and then
both stages become batch.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localaws.services.events import service as events
from scripts.kit.bundle import pack
from scripts.kit.projects import served
from scripts.rehearsal import afterwards, chapters, deploying
from scripts.rehearsal import setting as people
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story
from tests.support import ROOT
from tests.support.waiting import until

REGION = "eu-north-1"
BATCH = {"EndpointKind": "batch", "BatchBucket": "account", "BatchSchedule": "cron(0 3 * * ? *)"}
VIRGINICA = "6.3,3.3,6.0,2.5"
SERVERLESS = {"EndpointKind": "serverless", "ServerlessMemorySizeInMB": "2048"}


def test_both_stages_are_serverless_in_a_region_without_lambda_compute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    for name in ("templates", "seed-code", "pipeline"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    monkeypatch.setattr(pack, "ROOT", tree)
    for stage in ("staging", "prod"):
        (tree / f"seed-code/model-deploy/{stage}-config.json").write_text(json.dumps({"Parameters": SERVERLESS}))
    with embedded_aws(tmp_path / "aws") as cloud:
        story = Story(cloud, tmp_path, region=REGION, root=tree)
        chapters.play(story, "predictions")
        for stage, account in story.setting.targets.items():
            sagemaker = cloud.root(account, REGION).client("sagemaker")
            shown = sagemaker.describe_endpoint(EndpointName=f"{story.project_name}-{story.project_id}-{stage}")
            assert shown["ProductionVariants"][0]["CurrentServerlessConfig"]["MemorySizeInMB"] == 2048
        codebuild = cloud.root(story.setting.data_science, REGION).client("codebuild")
        made = codebuild.batch_get_projects(names=codebuild.list_projects()["projects"])["projects"]
        assert {one["environment"]["type"] for one in made} == {"LINUX_CONTAINER"}
        limits = {one["name"].rpartition("-")[2]: one["timeoutInMinutes"] for one in made}
        assert (limits["build"], limits["gate"]) == (30, 30)
        afterwards.push(story)
        shown = [one["ServerlessConfig"]["MaxConcurrency"] for one in afterwards.variants(story).values()]
        assert shown == [3, 5]
        assert len(story.executions()) == 3, "the project's, the approval's and the push's"
        check_batch(story)


def become_batch(story: Story) -> None:
    """The section of the environment file, each account's bucket, and one push that makes both stages batch."""
    section = "endpoints: {data_bucket: account, batch: true}\n"
    story.environment_path.write_text(story.environment_path.read_text(encoding="utf-8") + section, encoding="utf-8")
    manager = people.sign_in(story.cloud, story.setting.set_up_from, people.ENGINEER, REGION)
    story.command(manager, "scripts.accounts", "--environment", str(story.environment_path))
    for account in story.setting.targets.values():
        s3, bucket = story.cloud.root(account, REGION).client("s3"), data_of(account)
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
    codecommit = story.owner(story.setting.data_science).client("codecommit")  # one commit, as a git client pushes it
    repository, content = afterwards.deploy_repository(story), {"Parameters": BATCH}
    files = {"staging-config.json": {**content, "remove_after_production": True}, "prod-config.json": content}
    codecommit.create_commit(
        repositoryName=repository, branchName="main", commitMessage="Answer files by night",
        parentCommitId=codecommit.get_branch(repositoryName=repository, branchName="main")["branch"]["commitId"],
        putFiles=[{"filePath": file, "fileContent": json.dumps(said).encode()} for file, said in files.items()],
    )  # fmt: skip


def data_of(account: str) -> str:
    return f"endpoint-data-{account}-{REGION}"


def answered(story: Story, stage: str, key: str) -> str:
    """The answer in a batch stage's bucket, once it is there."""
    account = story.setting.targets[stage]
    s3, place = story.cloud.root(account, REGION).client("s3"), f"batch/{deploying.endpoint_name(story, stage)}/{key}"
    until(lambda: s3.list_objects_v2(Bucket=data_of(account), Prefix=place)["KeyCount"])
    body: bytes = s3.get_object(Bucket=data_of(account), Key=place)["Body"].read()
    return body.decode()


def live(story: Story, stage: str) -> served.ServedEndpoint:
    session, account = story.cloud.root(story.setting.targets[stage], REGION), story.setting.targets[stage]
    return served.ask(session.client, account, deploying.endpoint_name(story, stage), "1")


def check_batch(story: Story) -> None:
    """Both stages become batch; an object and the schedule are answered; a version without a model stays in staging.

    Staging is removed after production, deployed afresh for the next version, and stays where that fails there.
    """
    story.execution_id = deploying.started(story, lambda: become_batch(story))
    deploying.staging(story)
    deploying.approval(story)
    deploying.production(story)
    good = story.model_package_arn
    assert (live(story, "prod").package, removed(story)) == (good, True)
    assert doctor(story) == {"findings": [], "not_checked": []}, "a stage that was removed is none that is missing"
    account = story.setting.targets["prod"]
    s3, folder = story.cloud.root(account, REGION).client("s3"), f"batch/{deploying.endpoint_name(story, 'prod')}"
    for key in ("requests/day/a.csv", "scheduled/b.csv"):
        s3.put_object(Bucket=data_of(account), Key=f"{folder}/{key}", Body=VIRGINICA.encode())
    assert answered(story, "prod", "answers/day/a.csv.out") == "2.0\n"
    events.tick(story.cloud, datetime(2026, 12, 1, 3, 0, tzinfo=UTC))
    assert answered(story, "prod", "answers/scheduled/b.csv.out") == "2.0\n"
    story.check()
    register_without_a_model(story)
    deploying.approve(story, lambda: afterwards.set_status(story, story.model_package_arn, "Approved"))
    assert story.wait_for_execution(story.execution_id) == "Failed"
    latest = {one["actionName"]: one.get("latestExecution", {}) for one in story.stage("DeployStaging")["actionStates"]}
    assert (latest["DeployResourcesStaging"]["status"], latest["TestStaging"]["status"]) == ("Succeeded", "Failed")
    assert live(story, "prod").package == good
    refused = story.model_package_arn
    assert live(story, "staging").package == refused, "staging was removed, although production has another version"
    afterwards_of_rejection(story, good)


def afterwards_of_rejection(story: Story, good: str) -> None:
    """The version that failed in staging is rejected: the one before comes back, and staging is removed again."""
    refused = story.model_package_arn
    story.execution_id = deploying.started(story, lambda: afterwards.set_status(story, refused, "Rejected"))
    assert story.wait_for_execution(story.execution_id) == "Succeeded"
    assert (live(story, "prod").package, removed(story)) == (good, True)


def doctor(story: Story) -> dict[str, list[str]]:
    """What `make doctor` finds, and what it could not look at, from the management account."""
    manager = people.sign_in(story.cloud, story.setting.management, people.ENGINEER, REGION)
    report = json.loads(
        story.command(manager, "scripts.doctor", "--environment", str(story.environment_path), "--json")
    )
    return {name: report[name] for name in ("findings", "not_checked")}


def removed(story: Story) -> bool:
    """Whether nothing of staging is left: its stack, what it serves, and what status says of it."""
    report = story.command(story.engineer, "scripts.status", "--environment", str(story.environment_path), "--json")
    (project,) = json.loads(report)["projects"]
    stage = next(one for one in project["stages"] if one["name"] == "staging")
    assert (stage["stack"], stage["places"]) == ("", []) or not stage["removed"]
    return bool(stage["removed"]) and live(story, "staging").status == served.MISSING


def register_without_a_model(story: Story) -> None:
    """A version whose archive is none, as the data scientist registers it."""
    sagemaker, s3 = story.scientist.client("sagemaker"), story.scientist.client("s3")
    first = sagemaker.describe_model_package(ModelPackageName=story.model_package_arn)
    specification = first["InferenceSpecification"]
    container = specification["Containers"][0]
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    container["ModelDataUrl"] = f"s3://{bucket}/{key.replace('model.tar.gz', 'none.tar.gz')}"
    s3.put_object(Bucket=bucket, Key=key.replace("model.tar.gz", "none.tar.gz"), Body=b"no archive")
    story.model_package_arn = sagemaker.create_model_package(
        ModelPackageGroupName=story.project_name, InferenceSpecification=specification,
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties=first.get("CustomerMetadataProperties", {}),
    )["ModelPackageArn"]  # fmt: skip
