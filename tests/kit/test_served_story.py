"""What endpoints really serve, whatever their stacks say: on one embedded AWS, in the order of this file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipeline.outcome import taken
from scripts.rehearsal import deploying
from scripts.rehearsal import setting as people
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import Story, StoryFailed
from tests.support.story_steps import configure, follow, push, push_files, register, served, set_status

BOUND = {"validation:merror": {"goal": "minimize", "bound": 0.01}}
SETTINGS = {"MaximumClientErrorsPerMinute": "0", "BakeSeconds": "300"}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story, with a second version registered, in an AWS whose minutes last 0.6 s."""
    folder = tmp_path_factory.mktemp("served")
    with embedded_aws(folder, waits=0.01) as cloud:
        found = Story(cloud, folder)
        play(found, "predictions")
        register(found)
        yield found
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


# -- who looks -----------------------------------------------------------------------------------


def command(story: Story, module: str, *arguments: str, manager: bool = False) -> str:
    """A command as the ML engineer, of the data science account or of the management account."""
    by = people.sign_in(story.cloud, story.setting.management, people.ENGINEER, story.region) if manager else None
    line = ["--environment", str(story.environment_path), *arguments]
    return story.command(by or story.engineer, f"scripts.{module}", *line)


def status(story: Story, manager: bool = False) -> dict[str, Any]:
    project: dict[str, Any] = json.loads(
        command(story, "status", "--project", story.project_name, "--json", manager=manager)
    )["projects"][0]
    return project


def place(story: Story, stage: str = "staging", manager: bool = False) -> dict[str, Any]:
    """The one endpoint of a stage, as `make status` shows it."""
    (found,) = next(one for one in status(story, manager)["stages"] if one["name"] == stage)["places"]
    return dict(found)


def sagemaker(story: Story, stage: str = "staging") -> Any:
    return story.cloud.root(story.setting.targets[stage], story.region).client("sagemaker")


def endpoint(story: Story, stage: str = "staging") -> str:
    return f"{story.project_name}-{story.project_id}-{stage}"


def findings(story: Story) -> dict[str, str]:
    """The fix of each finding of `make doctor` about a stage or its endpoint."""
    bundle = str(story.folder / "bundle")
    try:
        text = command(story, "doctor", "--json", "--bundle", bundle, manager=True)
    except StoryFailed as failed:  # it ends with 1 where there is an error
        text = failed.log
    found = json.loads(text[text.index("{") : text.rindex("}") + 1])["findings"]
    return {one["id"]: one["fix"] for one in found if one["id"].startswith(("endpoint-", "stage-"))}


def outcome(story: Story, stage: str = "staging") -> dict[str, Any]:
    """The newest record of a stage."""
    s3, bucket = story.engineer.client("s3"), bucket_of(story)
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="record/outcomes/")["Contents"]
    key = max((o for o in listed if f"/{stage}-" in o["Key"]), key=taken)["Key"]
    found: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return found


def bucket_of(story: Story) -> str:
    return f"sagemaker-project-{story.project_id}"


@contextmanager
def refused_requests(story: Story) -> Iterator[None]:
    """Requests to staging's endpoint that the container answers with a 4xx status."""
    runtime = story.cloud.root(story.setting.targets["staging"], story.region).client("sagemaker-runtime")
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.02):
            with suppress(ClientError):
                runtime.invoke_endpoint(EndpointName=endpoint(story), ContentType="text/csv", Body=b"a,b,c,d\n")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# -- taken back ----------------------------------------------------------------------------------


def test_an_update_that_sagemaker_takes_back_fails_the_stage_with_its_reason(story: Story) -> None:
    assert follow(story, configure(story, "staging", **SETTINGS), approve=None) == "Succeeded", story.diagnosis()
    assert place(story)["version"] == "1"
    before = sagemaker(story).describe_endpoint(EndpointName=endpoint(story))["EndpointConfigName"]
    with refused_requests(story):
        assert follow(story, set_status(story, 2, "Approved"), approve=None) == "Failed"
    stack = story.engineer.client("cloudformation").describe_stacks(
        StackName=f"sagemaker-{story.project_name}-{story.project_id}-deploy-staging"
    )["Stacks"][0]
    assert stack["StackStatus"] == "UPDATE_COMPLETE", "CloudFormation does not see it"
    recorded = outcome(story)
    (one,) = recorded["endpoints"]
    assert (recorded["passed"], recorded["version"], recorded["execution"]) == (False, 2, story.execution_id)
    assert (one["status"], one["config"], one["as_deployed"]) == ("InService", before, False)
    assert one["model_package"].endswith("/1")
    assert "alarms in the ALARM state" in one["failure_reason"]
    shown = next(stage for stage in status(story)["pipeline"] if stage["name"] == "DeployStaging")
    assert shown["why"].startswith("TestStaging: account ")
    assert "SageMaker went back to the former configuration" in shown["why"]


def test_status_doctor_and_rollback_say_what_is_served(story: Story) -> None:
    for manager, looked in ((False, "tests"), (True, "now")):
        found = place(story, manager=manager)
        assert (found["version"], found["endpoint"], found["looked_by"]) == ("1", "taken back", looked)
        assert "alarms in the ALARM state" in found["why"]
        assert found["looked_at"]
    assert "start-pipeline-execution" in findings(story)["endpoint-taken-back"]
    project = ("--project", story.project_name, "--stage", "staging", "--json", "--dry-run")
    planned = json.loads(command(story, "rollback", *project))
    assert (planned["version"], planned["steps"][0]["action"]) == ("1", "change")


def test_the_same_version_is_deployed_again_and_an_unchanged_push_moves_nothing(story: Story) -> None:
    assert follow(story, push(story, "NOTES.md", "again"), approve=None) == "Succeeded", story.diagnosis()
    assert served(story)["staging"] == 2
    assert place(story)["endpoint"] == "in service"
    assert outcome(story)["endpoints"][0]["as_deployed"] is True
    before = sagemaker(story).describe_endpoint(EndpointName=endpoint(story))
    assert follow(story, push(story, "NOTES.md", "once more"), approve=None) == "Succeeded", story.diagnosis()
    after = sagemaker(story).describe_endpoint(EndpointName=endpoint(story))
    assert (after["EndpointConfigName"], after["LastModifiedTime"]) == (
        before["EndpointConfigName"],
        before["LastModifiedTime"],
    )


def test_models_and_configurations_that_nothing_uses_any_more_are_deleted_when_it_is_asked_for(story: Story) -> None:
    there = sagemaker(story)
    assert len(there.list_endpoint_configs()["EndpointConfigs"]) > 1
    planned = json.loads(
        command(story, "repair", "--project", story.project_name, "--unused", "--json", "--dry-run", manager=True)
    )
    assert {step["kind"] for step in planned["steps"]} == {"model", "endpoint config"}
    command(story, "repair", "--project", story.project_name, "--unused", manager=True)
    (config,) = there.list_endpoint_configs()["EndpointConfigs"]
    assert there.describe_endpoint(EndpointName=endpoint(story))["EndpointConfigName"] == config["EndpointConfigName"]
    assert len(there.list_models()["Models"]) == 1
    assert served(story)["staging"] == 2
    again = json.loads(command(story, "repair", "--project", story.project_name, "--unused", "--json", manager=True))
    assert again["steps"] == []


# -- gone ----------------------------------------------------------------------------------------


def test_a_missing_endpoint_is_reported_and_comes_back_without_touching_another_account(story: Story) -> None:
    there, name = sagemaker(story), endpoint(story)
    there.delete_endpoint(EndpointName=name)
    found = place(story, manager=True)
    assert (found["version"], found["endpoint"]) == ("-", "missing")
    line = f"make repair PROJECT={story.project_name} ACCOUNT={story.setting.targets['staging']} REGION={story.region}"
    assert line in found["why"]
    assert line in findings(story)["endpoint-missing"]
    with pytest.raises(StoryFailed, match="ended with 1") as blind:
        command(story, "repair", "--project", story.project_name, "--account", story.setting.targets["staging"])
    assert "these credentials cannot see whether the endpoint exists" in blind.value.log

    # A deployment ends where neither stack can go on or back.
    assert follow(story, configure(story, "staging", InitialInstanceCount="2", **SETTINGS), approve=None) == "Failed"
    cloudformation = story.engineer.client("cloudformation")
    stage = f"sagemaker-{story.project_name}-{story.project_id}-deploy-staging"
    assert cloudformation.describe_stacks(StackName=stage)["Stacks"][0]["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    fixes = findings(story)
    assert line in fixes["stage-stack-failed"]
    assert line in fixes["endpoint-missing"]

    prod = sagemaker(story, "prod").describe_endpoint(EndpointName=endpoint(story, "prod"))
    account = ("--account", story.setting.targets["staging"])
    done = json.loads(command(story, "repair", "--project", story.project_name, *account, "--json", manager=True))
    assert [step["action"] for step in done["steps"]] == ["create", "change"]
    assert there.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"
    assert served(story)["staging"] == 2
    assert cloudformation.describe_stacks(StackName=stage)["Stacks"][0]["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    after = sagemaker(story, "prod").describe_endpoint(EndpointName=endpoint(story, "prod"))
    assert after["LastModifiedTime"] == prod["LastModifiedTime"]
    assert findings(story) == {}
    again = json.loads(command(story, "repair", "--project", story.project_name, *account, "--json", manager=True))
    assert [step["action"] for step in again["steps"]] == ["keep"]


def test_the_settings_that_failed_before_are_deployed_once_the_endpoint_is_back(story: Story) -> None:
    assert follow(story, push(story, "NOTES.md", "after the repair"), approve=None) == "Succeeded", story.diagnosis()
    shown = sagemaker(story).describe_endpoint(EndpointName=endpoint(story))
    assert shown["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert place(story)["endpoint"] == "in service"


# -- status --------------------------------------------------------------------------------------


def test_status_shows_the_first_check_that_failed_in_words(story: Story) -> None:
    """And a gate on agreement refuses what answers nothing that the live version was asked."""
    payloads = {"payloads": [{"name": "wrong", "content_type": "text/csv", "body": "5.1,3.5,1.4,0.2", "expected": 9}]}
    right = json.loads(file(story, "tests/golden-payloads.json"))
    gated = {**json.loads(file(story, "prod-config.json")), "gates": {"agreement": 1}}
    wrong = {"tests/golden-payloads.json": json.dumps(payloads), "prod-config.json": json.dumps(gated)}
    assert follow(story, push_files(story, wrong), approve=None) == "Failed"
    (refused,) = outcome(story)["problems"]
    assert refused.startswith("no golden payload is one that the live version 1 has answered")
    assert outcome(story)["comparison"]["left"]["new"] == ["wrong"]
    shown = next(stage for stage in status(story)["pipeline"] if stage["name"] == "DeployStaging")
    assert "wrong: the answer: expected 9, got 0.0" in shown["why"]
    assert "exit status" not in shown["why"]
    assert place(story)["endpoint"] == "in service", "the endpoint serves what was deployed"
    before = sagemaker(story).describe_endpoint(EndpointName=endpoint(story))["LastModifiedTime"]
    assert follow(story, push(story, "tests/golden-payloads.json", json.dumps(right)), approve=None) == "Succeeded"
    after = sagemaker(story).describe_endpoint(EndpointName=endpoint(story))["LastModifiedTime"]
    assert after == before, "a wrong answer is no reason to deploy the same configuration again"


def test_the_card_has_the_answers_of_staging_beside_those_that_production_gave(story: Story) -> None:
    """Of the first deployment, to an empty production, and of the one that waits for its approver since."""
    s3, bucket = story.cloud.root(story.setting.data_science, story.region).client("s3"), bucket_of(story)
    made = s3.list_objects_v2(Bucket=bucket, Prefix="evidence/")["Contents"]
    keys = [one["Key"] for one in sorted(made, key=lambda one: one["LastModified"]) if one["Key"].endswith(".json")]
    first, waiting = (json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys)
    assert first["comparison"] == {"why": "production serves no version yet"}
    found = waiting["comparison"]
    assert (found["compared"], found["agree"], found["differ"], found["left_out"]) == (6, 6, [], 0)
    assert (found["live"]["version"], found["live"]["execution"]) == ("1", outcome(story, "prod")["execution"])
    assert found["on"] == {"live": "1 × ml.m5.large", "new": "1 × ml.m5.large"}
    for side in ("live", "new"):
        assert found[side]["errors"] == 0
        assert 0 < found[side]["latency_ms"]["50"] <= found[side]["latency_ms"]["99"]
    page = s3.get_object(Bucket=bucket, Key=keys[1].replace(".json", ".html"))["Body"].read().decode()
    assert "6 of 6" in page.split("Answers beside the live version")[1]
    assert outcome(story)["comparison"]["new"]["measured"] == 6, "of version 2, which the record keeps too"


def test_a_failed_deployment_is_forgotten_when_the_former_settings_are_deployed(story: Story) -> None:
    settings = {"InitialInstanceCount": "2", **SETTINGS}
    iam = story.cloud.root(story.setting.targets["staging"], story.region).client("iam")
    [role] = [r["RoleName"] for r in iam.list_roles()["Roles"] if r["RoleName"].startswith("stacksets-exec-")]
    denied = {"Effect": "Deny", "Action": "sagemaker:CreateEndpointConfig", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    iam.put_role_policy(RoleName=role, PolicyName="no-configurations", PolicyDocument=document)
    failed = configure(story, "staging", **{**settings, "InstanceType": "ml.m5.xlarge"})
    assert follow(story, failed, approve=None) == "Failed"
    iam.delete_role_policy(RoleName=role, PolicyName="no-configurations")
    staging = next(one for one in status(story)["stages"] if one["name"] == "staging")
    assert (staging["stack"], bool(staging["why"])) == ("UPDATE_ROLLBACK_COMPLETE", True)
    assert follow(story, configure(story, "staging", **settings), approve=None) == "Succeeded", story.diagnosis()
    staging = next(one for one in status(story)["stages"] if one["name"] == "staging")
    assert staging["why"] == ""
    assert "ROLLBACK" not in command(story, "status")


# -- metric gates --------------------------------------------------------------------------------


def gated(story: Story, **gates: Any) -> str:
    """Push gates; the id of the execution that it starts."""
    config = {**json.loads(file(story, "prod-config.json")), "gates": gates}
    return push(story, "prod-config.json", json.dumps(config)) or ""


def stop_what_waits(story: Story) -> None:
    """Executions that wait for an approver, before whom no other gets."""
    codepipeline = story.engineer.client("codepipeline")
    for one in story.executions():
        if one["status"] == "InProgress":
            id = one["pipelineExecutionId"]
            codepipeline.stop_pipeline_execution(pipelineName=story.pipeline_name, pipelineExecutionId=id, abandon=True)


def test_a_version_that_is_worse_than_a_gate_is_refused_with_its_figures_before_staging(story: Story) -> None:
    before = sagemaker(story).describe_endpoint(EndpointName=endpoint(story))["LastModifiedTime"]
    assert story.wait_for_execution(gated(story, metrics=BOUND)) == "Failed"
    build = next(stage for stage in status(story)["pipeline"] if stage["name"] == "Build")
    assert "validation:merror is 0.1, and at most 0.01" in build["why"]
    assert sagemaker(story).describe_endpoint(EndpointName=endpoint(story))["LastModifiedTime"] == before


def test_an_override_of_a_gate_is_read_first_and_a_version_that_was_let_through_is_not_judged_again(
    story: Story,
) -> None:
    stop_what_waits(story)
    override = {"version": 2, "reason": "a bound of next year"}
    assert follow(story, gated(story, metrics=BOUND, override=override), approve=None) == "Succeeded"
    deploying.approval_token(story, story.approver.client("codepipeline"))
    s3, bucket = story.cloud.root(story.setting.data_science, story.region).client("s3"), bucket_of(story)
    key = story.card_key(story.approver).replace(".html", ".json")
    first = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())["first"][0]
    because = 'let through because "a bound of next year"'
    assert first == f"it does not pass the metric gates: validation:merror 0.1; {because}"
    deploying.give_approval(story, "Approved", "so be it")
    assert story.wait_for_execution(story.execution_id) == "Succeeded", story.diagnosis()
    assert served(story) == {"staging": 2, "prod": 2}
    assert follow(story, gated(story, metrics=BOUND), approve=None) == "Succeeded", "it is judged again"


def file(story: Story, path: str) -> str:
    repository = f"sagemaker-{story.project_name}-{story.project_id}-modeldeploy"
    content = story.scientist.client("codecommit").get_file(repositoryName=repository, filePath=path)["fileContent"]
    return str(content.decode())
