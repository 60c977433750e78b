"""An installation of the version before the pipeline's code was published, and how it comes behind today's boundary.

It is set up with that version's own commands. The tests are the steps of docs/guides/upgrading.md, in their order.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipeline import sharing
from scripts.kit.stacks import project_roles
from scripts.rehearsal import chapters, deploying
from scripts.rehearsal import setting as people
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.playing import Person
from scripts.rehearsal.story import Story, StoryFailed
from tests.support import before_0_3
from tests.support.attacks import build_session, check_denied
from tests.support.gate_story import action, bucket, root
from tests.support.story_steps import follow, push, register, served, set_status

BUILD_ROLE = "AmazonSageMakerServiceCatalogProductsMultiAccountBuildRole"
PIPELINE_ROLE = "AmazonSageMakerServiceCatalogProductsMultiAccountPipelineRole"
STAGE_ROLE = "AmazonSageMakerServiceCatalogProductsMultiAccountStageRole"
PUBLISHERS = f"  publishers: [{people.ENGINEER}]\n"  # what environment.yaml needs now and did not have
FORGED = "record/decisions/forged/20261130T000000Z-Gate.json"


class OldStory(Story):
    """A story whose commands are those of the earlier version, as long as its tree is named."""

    old: Path | None = None

    def command(self, session: Person, module: str, *arguments: str) -> str:
        if self.old is None:
            return super().command(session, module, *arguments)
        out = self.script(session, self.old, "-m", module, *arguments)
        assert module != "scripts.package" or out.strip() == before_0_3.NAME, "the archive is not that version"
        return out

    def typed(self, name: str, *arguments: str, who: Person | None = None) -> str:
        line = ("--environment", str(self.environment_path), *arguments)
        return self.command(who or self.engineer, f"scripts.{name}", *line)

    def upgraded(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.typed("upgrade", "--project", self.project_name, "--json"))
        return found


@contextlib.contextmanager
def what_was_missing(story: OldStory) -> Iterator[None]:
    """Give the old roles what that version did not know: types' ARNs with an account, and the right to tag a stack."""
    iam = root(story).client("iam")
    missing = {
        STAGE_ROLE: ("cloudformation:*Stack*", "arn:aws:cloudformation:*:*:type/resource/*"),
        PIPELINE_ROLE: ("cloudformation:TagResource", "arn:aws:cloudformation:*:*:stack/*"),
    }
    for role, (allowed, resource) in missing.items():
        statement = {"Effect": "Allow", "Action": allowed, "Resource": resource}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=role, PolicyName="missing", PolicyDocument=document)
    yield
    for role in missing:
        iam.delete_role_policy(RoleName=role, PolicyName="missing")


def console(story: OldStory) -> None:
    """What SageMaker's console had made before: Studio's domain and role, AWS's roles, project templates."""
    home, account = root(story), story.setting.data_science
    iam = home.client("iam")
    for role in project_roles.ROLES:
        project_roles.make(iam, account, "aws", role, {})
    document = people.trust(Service="sagemaker.amazonaws.com")
    iam.create_role(RoleName=people.STUDIO_ROLE, Path="/service-role/", AssumeRolePolicyDocument=document)
    iam.attach_role_policy(RoleName=people.STUDIO_ROLE, PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
    allowed = {
        "Effect": "Allow",
        "Action": "kms:Encrypt",
        "Resource": "*",
    }  # which that version's training needs as well
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=people.STUDIO_ROLE, PolicyName="missing", PolicyDocument=document)
    home.client("sagemaker").enable_sagemaker_servicecatalog_portfolio()
    home.client("sagemaker").create_domain(
        DomainName=people.DOMAIN.name,
        AuthMode="IAM",
        VpcId=people.DOMAIN.vpc_id,
        SubnetIds=[*people.DOMAIN.subnet_ids],
        DefaultUserSettings={"ExecutionRole": f"arn:aws:iam::{account}:role/service-role/{people.STUDIO_ROLE}"},
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldStory]:
    """Version 1 is live in both stages, version 2 in staging; its deployment to production waits for the approver."""
    folder = tmp_path_factory.mktemp("before")
    with embedded_aws(folder) as cloud:
        played = OldStory(cloud, folder)
        played.old = before_0_3.unpack(folder / "old")
        chapters.organization(played)
        without = played.environment_path.read_text()
        assert PUBLISHERS in without
        engineer = f"arn:aws:iam::{played.setting.data_science}:role/{people.ENGINEER}"
        seen = without.replace(PUBLISHERS, "").replace("catalog:\n", f"catalog:\n  principals: ['{engineer}']\n")
        studio = f"studio:\n  execution_roles: [service-role/{people.STUDIO_ROLE}]\n"
        seen = re.sub(r"^studio:\n(?:  .*\n)+", studio, seen, flags=re.MULTILINE)
        console(played)
        played.environment_path.write_text(seen)
        for chapter in (chapters.permissions, chapters.publishing, chapters.project, chapters.train):
            chapter(played)
        with what_was_missing(played):
            assert follow(played, set_status(played, 1, "Approved")) == "Succeeded", played.diagnosis()
            register(played)
            assert follow(played, set_status(played, 2, "Approved"), approve=None) == "Succeeded"
        played.old = None
        yield played
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def rules(story: OldStory) -> set[str]:
    return {rule["Name"] for rule in root(story).client("events").list_rules()["Rules"]}


def head(story: OldStory) -> str:
    """The newest commit of the deploy repository."""
    name = f"sagemaker-{story.project_name}-{story.project_id}-modeldeploy"
    branch = root(story).client("codecommit").get_branch(repositoryName=name, branchName="main")
    return str(branch["branch"]["commitId"])


def put(story: OldStory, key: str) -> None:
    """What everybody with AWS's stock Studio policy may try."""
    story.scientist.client("s3").put_object(Bucket=bucket(story), Key=key, Body=b"{}")


def test_the_accounts_keep_what_is_live_and_close_the_old_way_to_production(story: OldStory) -> None:
    text = story.environment_path.read_text()
    story.environment_path.write_text(text.replace("\nroles:\n", f"\nroles:\n{PUBLISHERS}"))
    manager = people.sign_in(story.cloud, story.setting.management, people.ENGINEER, story.region)
    story.typed("accounts", who=manager)
    assert served(story) == {"staging": 2, "prod": 1}
    stages = {stage["stageName"]: stage["inboundTransitionState"] for stage in story.pipeline_state()["stageStates"]}
    assert {name for name, state in stages.items() if not state["enabled"]} == {"DeployStaging", "DeployProd"}
    opened = {"pipelineName": story.pipeline_name, "stageName": "DeployProd", "transitionType": "Inbound"}
    check_denied(
        lambda: story.scientist.client("codepipeline").enable_stage_transition(**opened), "with an explicit deny"
    )
    deploying.give_approval(story, "Approved", "of what an old pipeline built")
    assert story.wait_for_stage("ApproveDeployment") == "Succeeded"
    assert story.execution_status() == "InProgress"
    assert not [one for one in story.actions() if one["stageName"] == "DeployProd"]


def test_an_old_version_can_be_neither_made_a_project_of_nor_gone_back_to(story: OldStory) -> None:
    build = story.folder / "todays-bundle"
    story.command(story.engineer, "scripts.package", "--output", str(build))
    story.typed("publish", "--bundle", str(build))
    old = json.loads(story.typed("versions", "--json"))["versions"][-1]
    assert old["guidance"] == {"service-catalog": "inactive"}
    described = story.scientist.client("sagemaker").describe_project(ProjectName=story.project_name)
    with pytest.raises(ClientError, match=rf"Provisioning artifact {old['artifact']} not found"):
        story.scientist.client("servicecatalog").update_provisioned_product(
            ProvisionedProductId=described["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductId"],
            ProvisioningArtifactId=old["artifact"],
            # The same version with another value, which it does not fix: production's OU as the staging OU.
            ProvisioningParameters=[{"Key": "OrganizationalUnitStagingId", "Value": story.setting.units["prod"]}],
            UpdateToken="again",
        )


def test_the_upgrade_leaves_the_repository_alone_and_nothing_of_the_old_boundary(story: OldStory) -> None:
    put(story, FORGED)  # until then anybody may write it
    before = head(story)
    assert {f"sagemaker-{story.project_id}-{end}" for end in ("model", "rejected", "code")} < rules(story)
    waiting = {"pipelineName": story.pipeline_name, "pipelineExecutionId": story.execution_id}
    with pytest.raises(StoryFailed, match="aws codepipeline stop-pipeline-execution"):
        story.upgraded()
    story.engineer.client("codepipeline").stop_pipeline_execution(**waiting)
    assert story.wait_for_execution(story.execution_id) == "Stopped", "what waited for the old pipeline"
    done = story.upgraded()
    assert (done["from"].split("-")[0], done["applied"]) == ("0.2.0", True)
    assert head(story) == before
    assert served(story) == {"staging": 2, "prod": 1}
    shared = ("alarm", "approved", "deployment", "pushed", "rejected")
    assert rules(story) == {f"sagemaker-multi-account-{what}" for what in shared}
    kept = root(story).client("s3").list_objects_v2(Bucket=bucket(story), Prefix="record/")
    assert kept["KeyCount"] == 0
    with pytest.raises(ClientError, match="explicit deny"):
        put(story, FORGED)
    builds = build_session(story, BUILD_ROLE, f"sagemaker-{story.project_name}-{story.project_id}-build")
    stack = f"sagemaker-{story.project_name}-{story.project_id}-deploy-prod"
    check_denied(lambda: builds.client("cloudformation").delete_stack(StackName=stack), "no identity-based policy")


def test_a_version_approved_before_the_upgrade_passes_the_new_boundary(story: OldStory) -> None:
    """The record has no approval of it: the pipeline's executions of before stand in, and the approver is asked."""
    assert follow(story, push(story, "README.md", "# Ours\n")) == "Succeeded"
    assert action(story, "Build")["output"]["outputVariables"]["MODEL_PACKAGE_VERSION"] == "2"
    assert action(story, "Gate")["status"] == "Succeeded"
    registry = root(story).client("sagemaker")
    policy = registry.get_model_package_group_policy(ModelPackageGroupName=story.project_name)["ResourcePolicy"]
    assert not sharing.FOR_ALL & {statement["Sid"] for statement in json.loads(policy)["Statement"]}
    assert served(story) == {"staging": 2, "prod": 2}


def test_doctor_finds_nothing_but_models_of_before(story: OldStory) -> None:
    found = json.loads(story.typed("doctor", "--json"))["findings"]
    assert {one["id"] for one in found if one["severity"] != "note"} == {"model-bucket-untagged"}, found


def test_a_rejection_asks_before_it_goes_back_to_what_no_gate_let_through(story: OldStory) -> None:
    assert follow(story, set_status(story, 2, "Rejected"), approve=None) == "Succeeded"
    deploying.approval_token(story, story.approver.client("codepipeline"))
    assert served(story) == {"staging": 1, "prod": 2}


def test_a_model_without_a_tag_is_read_until_the_environment_file_refuses_it(story: OldStory) -> None:
    account, there = story.setting.data_science, story.setting.targets["staging"]
    models = f"sagemaker-multi-account-models-{account}-{story.region}"
    key = f"{story.project_name}-{story.project_id}/models/before/output/model.tar.gz"
    root(story).client("s3").put_object(Bucket=models, Key=key, Body=b"of before")
    target = story.cloud.root(there, story.region).client("s3")
    assert target.get_object(Bucket=models, Key=key)["Body"].read() == b"of before"
    story.environment_path.write_text(story.environment_path.read_text() + "models: {untagged: refuse}\n")
    story.typed("accounts", who=people.sign_in(story.cloud, story.setting.management, people.ENGINEER, story.region))
    check_denied(lambda: target.get_object(Bucket=models, Key=key), "s3:GetObject")
