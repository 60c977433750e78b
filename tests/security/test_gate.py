"""Attacks on what waits for the approver: by a push, by a change of the version, of its artifact or of what was built.

Each is refused by the gate before production. The execution that it refused goes through once the attack is undone, and
the attack gets through where the pipeline has no gate.
"""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from localaws.cloud import Session
from pipeline.outcome import newest
from scripts.rehearsal import deploying
from scripts.rehearsal import setting as people
from scripts.rehearsal.story import Story
from scripts.rehearsal.teams.prepare import pull_policy
from tests.support.attacks import bucket_policy, check_denied
from tests.support.gate_story import action, approve, bucket, refusal, root, start, wait
from tests.support.mirrored import push
from tests.support.story_steps import (
    configure,
    follow,
    new_execution,
    register,
    served,
    set_status,
    version_arn,
    whole_story,
)
from tests.support.waiting import PATIENCE


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story, in which version 1 is live, with a second version registered."""
    with whole_story(tmp_path_factory.mktemp("gate")) as played:
        register(played)
        yield played


def retry(story: Story) -> str:
    """Retry the stage that the gate ended; how the execution ends."""
    root(story).client("codepipeline").retry_stage_execution(
        pipelineName=story.pipeline_name,
        stageName="DeployProd",
        pipelineExecutionId=story.execution_id,
        retryMode="FAILED_ACTIONS",
    )
    return story.wait_for_execution(story.execution_id)


def test_a_push_while_a_version_waits_is_asked_about_with_a_card_of_its_own(story: Story) -> None:
    """The first card says what the first approval changes, the second what is left to change then."""
    first = set_status(story, 2, "Approved")
    wait(story)
    second = configure(story, "prod", InitialInstanceCount="2")
    assert first
    assert second
    story.execution_id = first
    deploying.give_approval(story, "Approved", "the first")
    assert story.wait_for_execution(first) == "Succeeded"
    story.execution_id = second
    wait(story)
    shown = action(story, "ApproveDeployment")["input"]["resolvedConfiguration"]
    assert "production: version 2 (unchanged)" in shown["CustomData"]
    assert "monthly cost: $83.95 → $167.90" in shown["CustomData"]
    key = action(story, "Card")["output"]["outputVariables"]["CARD_KEY"]
    assert shown["ExternalEntityLink"].endswith(f"prefix={key}")
    page = story.approver.client("s3").get_object(Bucket=bucket(story), Key=key)["Body"].read().decode()
    assert "InitialInstanceCount</th><td>1 → 2</td>" in page
    assert approve(story) == "Succeeded"
    assert served(story) == {"staging": 2, "prod": 2}


def test_a_specification_that_is_replaced_while_its_version_waits_is_refused(story: Story) -> None:
    start(story, "2")
    sagemaker = story.scientist.client("sagemaker")
    before = sagemaker.describe_model_package(ModelPackageName=version_arn(story, 2))["InferenceSpecification"]
    after = copy.deepcopy(before)
    after["Containers"][0]["Environment"] = {"MODE": "mine"}
    sagemaker.update_model_package(ModelPackageArn=version_arn(story, 2), InferenceSpecification=after)
    assert approve(story) == "Failed"
    assert f"the InferenceSpecification of version 2 of {story.project_name} was replaced" in refusal(story)
    sagemaker.update_model_package(ModelPackageArn=version_arn(story, 2), InferenceSpecification=before)
    assert retry(story) == "Failed"  # staging may have been deployed with another one (test_replaced.py)
    assert "was edited after Build had read it" in refusal(story)
    start(story, "2")
    assert approve(story) == "Succeeded", story.diagnosis()


def test_production_that_changes_while_a_version_waits_is_refused(story: Story) -> None:
    start(story, "1")
    codepipeline = story.engineer.client("codepipeline")
    listed = codepipeline.list_pipeline_executions(
        pipelineName=story.pipeline_name, filter={"succeededInStage": {"stageName": "DeployProd"}}
    )["pipelineExecutionSummaries"]
    waiting, target = story.execution_id, listed[-1]["pipelineExecutionId"]  # the first one, with one instance
    began = codepipeline.rollback_stage(
        pipelineName=story.pipeline_name, stageName="DeployProd", targetPipelineExecutionId=target
    )["pipelineExecutionId"]
    assert story.wait_for_execution(began) == "Succeeded"
    assert served(story)["prod"] == 1
    story.execution_id = waiting
    assert approve(story) == "Failed"
    reason = refusal(story)
    assert "production is not as it stands on the card" in reason
    assert "InitialInstanceCount is 1, on the card 2" in reason
    assert (
        f"start-pipeline-execution --name {story.pipeline_name} --variables name=ModelPackageVersion,value=1" in reason
    )
    start(story, "1")  # what the message says: a new card, and a new answer
    assert approve(story) == "Succeeded"


# -- without an approver -----------------------------------------------------------------------


def asked(story: Story) -> str:
    """Why an approver is asked, by Build's manifest."""
    wait(story)
    key = action(story, "Build")["output"]["outputArtifacts"][0]["s3location"]["key"]
    body = root(story).client("s3").get_object(Bucket=bucket(story), Key=key)["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return str(json.loads(archive.read("deployment.json"))["approval"]["reason"])


def test_an_execution_that_only_claims_a_rejection_waits_for_the_approver(story: Story) -> None:
    codepipeline = story.engineer.client("codepipeline")
    variable = {"name": "ModelPackageVersion", "value": "rejected-1"}
    started = codepipeline.start_pipeline_execution(name=story.pipeline_name, variables=[variable])
    story.execution_id = started["pipelineExecutionId"]
    assert story.wait_for_execution(story.execution_id) in {"Succeeded", "Failed"}  # no version was approved before it
    start(story, "2")
    assert approve(story) == "Succeeded"
    variable["value"] = "rejected-2"
    started = codepipeline.start_pipeline_execution(name=story.pipeline_name, variables=[variable])
    story.execution_id = started["pipelineExecutionId"]
    assert asked(story) == "the record knows of no rejection of version 2"
    deploying.give_approval(story, "Rejected", "a test")
    assert story.wait_for_execution(story.execution_id) == "Failed"


def test_a_setting_that_was_pushed_before_a_rejection_waits_for_the_approver(story: Story) -> None:
    before = {e["pipelineExecutionId"] for e in story.executions()}
    assert configure(story, "prod", InitialInstanceCount="1")
    before.add(story.execution_id)
    wait(story)
    story.scientist.client("sagemaker").update_model_package(
        ModelPackageArn=version_arn(story, 2), ModelApprovalStatus="Rejected"
    )
    started = new_execution(story, before, PATIENCE)
    assert started
    story.execution_id = started
    assert "more than the version would change in production: InitialInstanceCount" in asked(story)
    deploying.give_approval(story, "Rejected", "a test")
    assert story.wait_for_execution(started) == "Failed"
    assert served(story)["prod"] == 2


def test_an_image_that_is_pushed_again_under_its_tag_while_its_version_waits_is_refused(story: Story) -> None:
    """The stock Studio policy may push to every repository with "sagemaker" in its name."""
    ecr, repository = root(story).client("ecr"), "team/sagemaker-iris"
    ecr.create_repository(repositoryName=repository)
    ecr.set_repository_policy(repositoryName=repository, policyText=json.dumps(pull_policy(story)))
    image = push(ecr, repository)
    arn = register(story, image)
    assert follow(story, set_status(story, int(arn.rpartition("/")[2]), "Approved")) == "Succeeded", story.diagnosis()
    runs = newest(root(story).client("s3"), bucket(story), "prod")
    digest = ecr.describe_images(repositoryName=repository)["imageDetails"][0]["imageDigest"]
    assert runs
    assert [one["images"] for one in runs["endpoints"]] == [[f"{image.removesuffix(':1')}@{digest}"]]
    start(story, arn.rpartition("/")[2])
    push(story.scientist.client("ecr"), repository, of="1.7-1")
    assert approve(story) == "Failed"
    assert f"the image {image} of version" in refusal(story)
    assert "was pushed again after Build had looked at it" in refusal(story)
    push(story.scientist.client("ecr"), repository)
    assert retry(story) == "Succeeded", story.diagnosis()


# -- four eyes ---------------------------------------------------------------------------------


def test_with_four_eyes_who_approved_the_version_does_not_approve_its_deployment(story: Story) -> None:
    iam = root(story).client("iam")
    policy = f"arn:aws:iam::{story.setting.data_science}:policy/{people.APPROVER_POLICY}"
    people.make_person(iam, story.setting.data_science, "ann", policy)
    iam.attach_role_policy(RoleName="ann", PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
    ann = people.sign_in(story.cloud, story.setting.data_science, "ann", story.region)
    set_four_eyes(story)
    before = {e["pipelineExecutionId"] for e in story.executions()}
    ann.client("sagemaker").update_model_package(ModelPackageArn=version_arn(story, 2), ModelApprovalStatus="Approved")
    started = new_execution(story, before)
    assert started
    story.execution_id = started
    wait(story)
    answer(story, ann)
    assert story.wait_for_execution(started) == "Failed"
    assert "FourEyes" in refusal(story)
    assert "approved the version too: another person must approve the deployment" in refusal(story)
    start(story, "2")
    assert approve(story) == "Succeeded", story.diagnosis()


def set_four_eyes(story: Story) -> None:
    """As the product sets it with approval.four_eyes of environment.yaml."""
    codebuild = root(story).client("codebuild")
    (project,) = codebuild.batch_get_projects(names=[story.pipeline_name.removesuffix("deploy") + "gate"])["projects"]
    environment = project["environment"]
    variables = [one for one in environment["environmentVariables"] if one["name"] != "FOUR_EYES"]
    environment["environmentVariables"] = [*variables, {"name": "FOUR_EYES", "value": "true"}]
    codebuild.update_project(name=project["name"], environment=environment)


def answer(story: Story, person: Session) -> None:
    """Approve as this person."""
    codepipeline = person.client("codepipeline")
    codepipeline.put_approval_result(
        pipelineName=story.pipeline_name,
        stageName="ApproveDeployment",
        actionName="ApproveDeployment",
        token=deploying.approval_token(story, codepipeline),
        result={"status": "Approved", "summary": "mine"},
    )


# -- what was built ----------------------------------------------------------------------------


def exchange(story: Story) -> None:
    """Write other parameters of production over Build's artifact, once the bucket's policy no longer refuses it."""
    (made,) = action(story, "Build")["output"]["outputArtifacts"]
    place = {"Bucket": made["s3location"]["bucket"], "Key": made["s3location"]["key"]}
    body = root(story).client("s3").get_object(**place)["Body"].read()
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as before, zipfile.ZipFile(changed, "w") as after:
        for name in before.namelist():
            text = before.read(name)
            if name == "prod-parameters.json":
                document = json.loads(text)
                document["Parameters"]["InitialInstanceCount"] = "3"
                text = json.dumps(document).encode()
            after.writestr(name, text)

    def write() -> Any:
        return story.scientist.client("s3").put_object(**place, Body=changed.getvalue())

    check_denied(write, "OnlyThePipelineWrites")
    with bucket_policy(root(story), bucket(story)).without("OnlyThePipelineWrites"):
        assert write()


def instances(story: Story) -> str:
    """InitialInstanceCount of production's stack."""
    stack = story.pipeline_name + "-prod"
    found = root(story).client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Parameters"]
    return next(str(one["ParameterValue"]) for one in found if one["ParameterKey"] == "InitialInstanceCount")


def test_an_artifact_that_is_exchanged_while_it_waits_is_refused(story: Story) -> None:
    before = instances(story)
    start(story, "2")
    exchange(story)
    assert approve(story) == "Failed"
    assert "the deployment's artifact is not what the Build step wrote" in refusal(story)
    assert instances(story) == before


def test_a_model_that_is_written_again_while_its_version_waits_is_refused(story: Story) -> None:
    start(story, "2")
    sagemaker = story.scientist.client("sagemaker")
    found = sagemaker.describe_model_package(ModelPackageName=version_arn(story, 2))["InferenceSpecification"]
    url = found["Containers"][0]["ModelDataUrl"]
    name, _, key = url.removeprefix("s3://").partition("/")
    s3 = story.scientist.client("s3")
    model = s3.get_object(Bucket=name, Key=key)["Body"].read()
    s3.put_object(Bucket=name, Key=key, Body=model + b"\0")
    assert approve(story) == "Failed"
    assert f"the artifact {url} of version 2 of {story.project_name} was written again" in refusal(story)
    s3.put_object(Bucket=name, Key=key, Body=model)  # the embedded AWS has the content's hash for an ETag
    assert retry(story) == "Succeeded", story.diagnosis()


def test_where_there_is_no_gate_the_exchanged_artifact_is_deployed(story: Story) -> None:
    codepipeline = root(story).client("codepipeline")
    pipeline = codepipeline.get_pipeline(name=story.pipeline_name)["pipeline"]
    (deploy,) = (stage for stage in pipeline["stages"] if stage["name"] == "DeployProd")
    deploy["actions"] = [one for one in deploy["actions"] if one["name"] != "Gate"]
    codepipeline.update_pipeline(pipeline=pipeline)
    assert set_status(story, 2, "PendingManualApproval", 1) is None  # its model was written again since its approval
    assert set_status(story, 2, "Approved")
    wait(story)
    exchange(story)
    assert approve(story) == "Succeeded", story.diagnosis()
    assert instances(story) == "3"
