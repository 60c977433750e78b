"""Stages in two Regions: a version is copied to where its endpoints are, and nothing more than needed is granted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from awslang.errors import AwsError
from localaws.services.sagemaker.images import pull
from scripts.kit.bundle import pack
from scripts.kit.stacks import image_replication
from scripts.rehearsal import chapters, deploying
from scripts.rehearsal import setting as people
from scripts.rehearsal.chapters import play
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.permissions import read_requests, uses
from scripts.rehearsal.story import Story, StoryFailed
from tests.support.accounts_setting import STUDIO
from tests.support.mirrored import arrived, push
from tests.support.notices import listen, received
from tests.support.played import check_played, holders_of
from tests.support.story_steps import manifest

HOME, IRELAND = "us-east-1", "eu-west-1"
BUCKET = f"sagemaker-multi-account-models-111111111111-{IRELAND}"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story up to staging, in two Regions."""
    folder = tmp_path_factory.mktemp("regions")
    with embedded_aws(folder) as cloud:
        played = Story(cloud, folder, regions=(HOME, IRELAND), images="team")
        play(played, until="staging")
        yield played


def test_the_endpoints_of_both_regions_serve_the_version_or_its_copy(story: Story) -> None:
    golden = json.loads((pack.ROOT / "seed-code/model-deploy/tests/golden-payloads.json").read_text())["payloads"]
    account = story.setting.targets["staging"]
    here, there = (deploying.ask_endpoint(story, "staging", account, golden, region) for region in (HOME, IRELAND))
    assert here["predictions"] == here["expected"] == there["predictions"]
    assert here["model_package_arn"] == story.model_package_arn
    assert there["model_package_arn"].split(":")[3] == IRELAND
    assert deploying.source_of(story, there["model_package_arn"], IRELAND) == story.model_package_arn
    regions = manifest(story)["model_package"]["regions"]
    assert regions == {HOME: story.model_package_arn, IRELAND: there["model_package_arn"]}


def test_the_copy_lies_in_the_regions_bucket_under_the_regions_key(story: Story) -> None:
    root = story.cloud.root(story.setting.data_science, IRELAND)
    package = root.client("sagemaker").describe_model_package(
        ModelPackageName=manifest(story)["model_package"]["regions"][IRELAND]
    )
    (container,) = package["InferenceSpecification"]["Containers"]
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    assert bucket == BUCKET
    found = root.client("s3").head_object(Bucket=bucket, Key=key)
    keys = root.client("kms").list_aliases()["Aliases"]
    (target,) = [a["TargetKeyId"] for a in keys if a["AliasName"] == "alias/sagemaker-multi-account-models"]
    assert found["SSEKMSKeyId"].endswith(target)
    assert f".dkr.ecr.{IRELAND}.amazonaws.com/" in container["Image"]
    assert package["ModelApprovalStatus"] == "Approved"


def test_no_other_account_reads_the_copy(story: Story) -> None:
    """The management account is in the organization, but in none of the units."""
    package = (
        story.cloud.root(story.setting.data_science, IRELAND)
        .client("sagemaker")
        .describe_model_package(ModelPackageName=manifest(story)["model_package"]["regions"][IRELAND])
    )
    key = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"].split("/", 3)[3]
    stranger = story.cloud.root(story.setting.management, IRELAND).client("s3")
    with pytest.raises(stranger.exceptions.ClientError, match=r"AccessDenied|not authorized"):
        stranger.get_object(Bucket=BUCKET, Key=key)


def test_doctor_finds_nothing_wrong_in_either_region(story: Story) -> None:
    manager = people.sign_in(story.cloud, story.setting.management, people.ENGINEER, HOME)
    options = ("--environment", str(story.environment_path), "--bundle", str(story.folder / "bundle"), "--json")
    diagnosis = json.loads(story.command(manager, "scripts.doctor", *options))
    assert diagnosis.pop("expected"), "who may get past the approver"
    assert diagnosis == {"findings": [], "not_checked": [], "errors": 0}


def test_doctor_reports_what_was_deleted_manually_and_how_to_restore_it(story: Story) -> None:
    account = story.setting.data_science
    ecr, there = (story.cloud.root(account, region).client("ecr") for region in (HOME, IRELAND))
    theirs = image_replication.rules(account, "shop", ["eu-north-1"])
    ours = ecr.describe_registry()["replicationConfiguration"]["rules"]
    ecr.put_replication_configuration(replicationConfiguration={"rules": theirs})
    was = there.delete_repository_creation_template(prefix="team")["repositoryCreationTemplate"]
    manager = people.sign_in(story.cloud, story.setting.management, people.ENGINEER, HOME)
    options = ("--environment", str(story.environment_path), "--bundle", str(story.folder / "bundle"), "--json")
    with pytest.raises(StoryFailed) as failed:
        story.command(manager, "scripts.doctor", *options)
    found = json.loads(failed.value.log[failed.value.log.index("{\n") :])["findings"]
    assert [one["id"] for one in found] == ["image-replication"] * 2
    rule, template = (one["fix"] for one in found)
    assert rule == image_replication.command(HOME, [*theirs, *ours])
    assert f"create-repository-creation-template --region {IRELAND} --prefix team" in template
    policy = template.split("--repository-policy '")[1].rstrip("'")
    there.create_repository_creation_template(prefix="team", appliedFor=["REPLICATION"], repositoryPolicy=policy)
    ecr.put_replication_configuration(replicationConfiguration={"rules": [*theirs, *ours]})
    assert json.loads(story.command(manager, "scripts.doctor", *options))["findings"] == []
    ecr.put_replication_configuration(replicationConfiguration={"rules": ours})
    assert json.loads(policy)["Statement"][0]["Sid"] == json.loads(was["repositoryPolicy"])["Statement"][0]["Sid"]


def test_the_model_reads_the_buckets_of_its_stages_regions_and_no_other(story: Story) -> None:
    """Production has the same Regions here; a stage without further Regions has no such policy (test_accounts.py)."""
    iam = story.cloud.root(story.setting.targets["staging"], HOME).client("iam")
    role = "sagemaker-role-staging"
    resources = [
        iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]["Statement"][0]["Resource"]
        for policy in ("run-the-model", "read-copies")
    ]
    home = f"arn:aws:s3:::{BUCKET.replace(IRELAND, HOME)}/*"
    assert resources == [home, [f"arn:aws:s3:::{BUCKET}/*"]]
    found = uses(read_requests(story.cloud.folder / "requests.jsonl"))
    used = {(sid, a) for (_, policy, sid), actions in found.items() if "read-copies" in policy for a in actions}
    assert used == {("ReadCopies", "s3:getobject"), ("DecryptCopies", "kms:decrypt")}


def test_a_second_deployment_uses_the_copy_again(story: Story) -> None:
    before = len(read_requests(story.cloud.folder / "requests.jsonl"))
    copied = manifest(story)["model_package"]["regions"]
    execution = story.engineer.client("codepipeline").start_pipeline_execution(
        name=story.pipeline_name, variables=[{"name": "ModelPackageVersion", "value": "1"}]
    )["pipelineExecutionId"]
    story.execution_id = execution
    deploying.staging(story)
    assert manifest(story)["model_package"]["regions"] == copied
    asked = {request["operation"] for request in read_requests(story.cloud.folder / "requests.jsonl")[before:]}
    assert not asked & {"CopyObject", "CreateModelPackage"}


def test_a_mirrored_image_of_ones_own_goes_to_the_other_region_and_answers_in_both(story: Story) -> None:
    """Template 11 replicates what is pushed to team/…, template 10 lets the target accounts pull it in Ireland."""
    account = story.setting.data_science
    ecr, there = (story.cloud.root(account, region).client("ecr") for region in (HOME, IRELAND))
    ecr.create_repository(repositoryName="team/iris")
    image = push(ecr, "team/iris")
    digest = ecr.describe_images(repositoryName="team/iris")["imageDetails"][0]["imageDigest"]

    assert arrived(ecr, "team/iris") == {IRELAND: "COMPLETE"}
    policy = there.get_repository_policy(repositoryName="team/iris")["policyText"]
    ecr.set_repository_policy(repositoryName="team/iris", policyText=policy)  # at home it is the owner's to set
    sagemaker = story.scientist.client("sagemaker")
    first = sagemaker.describe_model_package(ModelPackageName=story.model_package_arn)
    specification = first["InferenceSpecification"]
    for container in specification["Containers"]:
        container["Image"] = image
        container.pop("ImageDigest", None)
    story.model_package_arn = sagemaker.create_model_package(
        ModelPackageGroupName=first["ModelPackageGroupName"],
        InferenceSpecification=specification,
        ModelApprovalStatus="PendingManualApproval",
        **{name: first[name] for name in ("ModelMetrics", "CustomerMetadataProperties") if name in first},
    )["ModelPackageArn"]
    chapters.approve(story)
    deploying.staging(story)
    arns = manifest(story)["model_package"]["regions"]
    copy = story.cloud.root(account, IRELAND).client("sagemaker").describe_model_package(ModelPackageName=arns[IRELAND])
    assert copy["InferenceSpecification"]["Containers"][0]["Image"] == image.replace(HOME, IRELAND)
    assert there.describe_images(repositoryName="team/iris")["imageDetails"][0]["imageDigest"] == digest
    golden = json.loads((pack.ROOT / "seed-code/model-deploy/tests/golden-payloads.json").read_text())["payloads"]
    for region in (HOME, IRELAND):
        answer = deploying.ask_endpoint(story, "staging", story.setting.targets["staging"], golden, region)
        assert (answer["model_package_arn"], answer["predictions"]) == (arns[region], answer["expected"])


def test_no_account_outside_the_units_pulls_the_replicated_image(story: Story) -> None:
    image = f"{story.setting.data_science}.dkr.ecr.{IRELAND}.amazonaws.com/team/iris:1"
    pull(story.cloud.root(story.setting.targets["prod"], IRELAND), image)
    with pytest.raises(AwsError, match="TargetAccountsPullImages"):
        pull(story.cloud.root(story.setting.management, IRELAND), image)


def test_an_alarm_of_production_in_the_other_region_reaches_people(story: Story) -> None:
    """Its rule is in that Region and sends to the bus of the data science account in another one (50-endpoint.yaml)."""
    listen(story)
    codepipeline = story.owner(story.setting.data_science).client("codepipeline")
    for one in story.executions():  # those of the tests before wait for the approver
        if one["status"] == "InProgress" and one["pipelineExecutionId"] != story.execution_id:
            codepipeline.stop_pipeline_execution(
                pipelineName=story.pipeline_name, pipelineExecutionId=one["pipelineExecutionId"], abandon=True
            )
    deploying.give_approval(story, "Approved", "Serve both Regions")
    deploying.production(story)
    received(story)
    there = story.owner(story.setting.targets["prod"], IRELAND)
    alarms = there.client("cloudwatch").describe_alarms(AlarmNamePrefix=deploying.endpoint_name(story, "prod"))
    for alarm in alarms["MetricAlarms"]:
        there.client("cloudwatch").set_alarm_state(
            AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason=alarm["AlarmName"]
        )
    found = received(story)
    assert {one["reason"] for one in found} == {alarm["AlarmName"] for alarm in alarms["MetricAlarms"]} != set()
    assert {(one["notice"], one["project"], one["account"], one["region"]) for one in found} == {
        ("alarm", story.project_name, story.setting.targets["prod"], IRELAND)
    }


def test_every_right_on_copies_is_needed(story: Story) -> None:
    found = uses(read_requests(story.cloud.folder / "requests.jsonl"))
    copying = {sid: actions for (_, policy, sid), actions in found.items() if "copy-models" in policy}
    used = {(sid, action) for sid, actions in copying.items() for action in actions}
    iam = story.cloud.root(story.setting.data_science, HOME).client("iam")
    document = iam.get_role_policy(
        RoleName="AmazonSageMakerServiceCatalogProductsMultiAccountBuildRole", PolicyName="copy-models"
    )["PolicyDocument"]
    granted = {
        (s["Sid"], action.lower())
        for s in document["Statement"]
        for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])
    }
    assert granted - used == set()


def test_what_rests_on_this_story_is_used_in_it(story: Story) -> None:
    check_played(holders_of(story.cloud), __file__)


def test_both_regions_are_taken_down_with_the_copies_and_what_holds_them(story: Story) -> None:
    manager = people.sign_in(story.cloud, story.setting.management, people.ENGINEER, HOME)
    line = ("scripts.teardown", "--environment", str(story.environment_path), "--everything", "--json")
    report = json.loads(story.command(manager, *line, "--dry-run"))
    retained = {(step["kind"], step["name"]) for step in report["steps"] if step["action"] == "keep"}
    for region in (HOME, IRELAND):
        assert ("model group", f"{story.project_name} in {region}") in retained
        assert ("bucket", f"sagemaker-multi-account-models-111111111111-{region}") in retained
    assert ("repositories", f"team/iris in {IRELAND}") in retained, "the kit deletes no images"
    assert [kind for kind, _ in retained].count("key") == 2
    assert report["retained_usd_a_month"] == 2.0, "two keys; some kilobytes round to nothing"
    done = json.loads(story.command(manager, *line, "--model-group", "--empty-buckets", "--logs", "--yes"))
    stages = [step["detail"] for step in done["steps"] if step["kind"] == "stage"]
    targets = [story.setting.targets[stage] for stage in ("prod", "staging")]
    assert stages == [f"2 endpoints: {account} {IRELAND}, {account} {HOME}" for account in targets]
    deleted = [step["name"] for step in done["steps"] if step["action"] == "delete"]
    assert f"multi-account-deployment-models in 111111111111, {IRELAND}" in deleted
    assert ({orphan["name"] for orphan in done["orphans"]}, done["not_looked_at"]) == ({*STUDIO}, {})  # people's files
    ecr, there = (story.cloud.root(story.setting.data_science, region).client("ecr") for region in (HOME, IRELAND))
    assert ecr.describe_registry()["replicationConfiguration"]["rules"] == []
    assert there.describe_repository_creation_templates()["repositoryCreationTemplates"] == []
    for account in (story.setting.data_science, *story.setting.targets.values()):
        for region in (HOME, IRELAND):
            left = story.cloud.root(account, region)
            assert left.client("sagemaker").list_endpoints()["Endpoints"] == []
            assert left.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"] == []
            stacks = left.client("cloudformation").list_stacks()["StackSummaries"]
            left_over = {stack["StackName"] for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"}
            assert left_over == ({*STUDIO} if (account, region) == (story.setting.data_science, HOME) else set())
            assert (
                left.client("logs").describe_log_groups(logGroupNamePrefix="/aws/sagemaker/Endpoints")["logGroups"]
                == []
            )
        assert [b for b in left.client("s3").list_buckets()["Buckets"] if "multi-account" in b["Name"]] == []
