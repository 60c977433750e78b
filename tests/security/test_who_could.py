"""What `make doctor` says of who could get past the approver: it is so, and the statement that it gives closes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from localaws.cloud import Session
from pipeline import live
from pipeline.console import UserError
from pipeline.manifest import OF_STAGE
from scripts.kit.doctor.checks.reach import paths
from scripts.kit.doctor.findings import Finding
from scripts.kit.doctor.following import grouped
from scripts.kit.names import APPROVER_POLICY, SCIENTIST_POLICY
from scripts.kit.stacks.project_roles import PREFIX, USE_ROLE
from scripts.rehearsal import setting as people
from scripts.rehearsal.embedded import embedded_aws
from tests.kit.doctor.cases.could import DEVELOPER, developer
from tests.support import stock_roles
from tests.support.attacks import check_denied, role_policy
from tests.support.doctor_world import NAMING, REGION, World, make_world

WAYS = re.compile("could-|trusts-others|admits-others")
MAKE_ACCOUNTS = 'make accounts ARGS="--profile management"'
POWER_USER = "arn:aws:iam::aws:policy/PowerUserAccess"
HANDLE = "Resources: {Handle: {Type: 'AWS::CloudFormation::WaitConditionHandle'}}"
BUILDSPEC = "version: 0.2\nphases: {build: {commands: ['echo mine']}}\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("could")
    with embedded_aws(folder) as cloud:
        yield make_world(cloud, folder)
    assert not cloud.faults, cloud.faults


def found(world: World) -> list[Finding]:
    """What the doctor finds of who could get past the approver."""
    return [one for one in world.look(world.reader()) if WAYS.search(one.check.id)]


def of_stock_and_others(findings: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    """The findings of AWS's own roles for projects, and the rest."""
    stock = [one for one in findings if PREFIX in one.place.resource]
    return stock, [one for one in findings if one not in stock]


def statements(finding: Finding) -> list[dict[str, Any]]:
    """Those of the policy in a finding's fix."""
    [text] = re.findall(r"--policy-document '(.*)'", finding.fix)
    return list(json.loads(text)["Statement"])


@contextmanager
def without_policy(world: World, role: str, policy: str) -> Iterator[None]:
    iam, arn = world.client("iam"), f"arn:aws:iam::{world.account}:policy/{policy}"
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    try:
        yield
    finally:
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)


@contextmanager
def applied(world: World, role: str, findings: list[Finding]) -> Iterator[None]:
    """The role with the statements of the findings' fixes, each as its command puts it."""
    iam = world.client("iam")
    names = []
    for finding in findings:
        [name] = re.findall(r"--policy-name (\S+)", finding.fix)
        document = json.dumps({"Version": "2012-10-17", "Statement": statements(finding)})
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)
        names.append(name)
    try:
        yield
    finally:
        for name in names:
            iam.delete_role_policy(RoleName=role, PolicyName=name)


def session(world: World, service: str = "ec2.amazonaws.com", role: str = DEVELOPER) -> Session:
    return world.cloud.service_role(f"arn:aws:iam::{world.account}:role/{role}", "attack", service, REGION)


def test_with_the_kits_policy_the_data_scientists_role_has_no_path(world: World) -> None:
    assert found(world) == []
    scientists = [path for path in paths(world.begin(world.reader())) if path.entity.name == people.STUDIO_ROLE]
    assert scientists == []


def test_the_stock_studio_role_without_the_kits_policy_has_paths_and_its_statements_close_them(world: World) -> None:
    with without_policy(world, people.STUDIO_ROLE, SCIENTIST_POLICY):
        [passes, *_], findings = of_stock_and_others(found(world))
        assert passes.place.resource.endswith(f"{PREFIX}ExecutionRole")
        assert people.STUDIO_ROLE in passes.place.what
        assert {one.check.id for one in findings} == {"could-start-builds", "could-pass-roles", "could-take-on-others"}
        assert all(one.place.resource.endswith(people.STUDIO_ROLE) for one in findings)
        assert all(f"{SCIENTIST_POLICY}\nor, for this path alone: " in one.fix for one in findings)
        with applied(world, people.STUDIO_ROLE, findings):
            assert found(world) == []
        assert [one for one in found(world) if one != passes] == findings


@pytest.mark.parametrize(
    ("actions", "ids"),
    [
        (
            ["codebuild:*", "s3:*", "sns:*", "events:*", "states:*"],
            {"could-start-builds", "could-write-buckets", "could-message-approvers", "could-change-starts"},
        ),
        (
            ["cloudformation:*", "codepipeline:*", "servicecatalog:*"],
            {"could-change-stages", "could-change-pipelines", "could-approve", "could-change-product"},
        ),
        (["iam:*"], {"could-change-rights", "could-pass-roles", "could-take-on-others"}),
    ],
)
def test_each_statement_closes_its_own_path_and_no_other(world: World, actions: list[str], ids: set[str]) -> None:
    with developer(world, *actions):
        findings = found(world)
        assert {one.check.id for one in findings} >= ids - {"could-take-on-others"}
        for finding in findings:
            others = [one.check.id for one in findings if one != finding]
            with applied(world, DEVELOPER, [finding]):
                assert [one.check.id for one in found(world)] == others
        with applied(world, DEVELOPER, findings):
            assert found(world) == []


@pytest.mark.parametrize(
    "action",
    [
        "codebuild:StartSandbox",
        "codepipeline:EnableStageTransition",
        "codepipeline:RetryStageExecution",
        "codepipeline:RollbackStage",
    ],
)
def test_the_kits_policy_closes_what_another_policy_of_a_data_scientist_opens(world: World, action: str) -> None:
    iam, arn = world.client("iam"), f"arn:aws:iam::{world.account}:policy/{SCIENTIST_POLICY}"
    with developer(world, action):
        assert len(found(world)) == 1
        iam.attach_role_policy(RoleName=DEVELOPER, PolicyArn=arn)
        assert found(world) == []
        iam.detach_role_policy(RoleName=DEVELOPER, PolicyArn=arn)


def test_what_the_doctor_says_is_so_and_is_refused_by_its_statement_afterwards(world: World) -> None:
    project = f"sagemaker-{world.project}-build"

    def start() -> Any:
        given = {"sourceTypeOverride": "NO_SOURCE", "artifactsOverride": {"type": "NO_ARTIFACTS"}}
        codebuild = session(world).client("codebuild")
        return codebuild.start_build(projectName=project, buildspecOverride=BUILDSPEC, **given)

    with developer(world, "codebuild:StartBuild"):
        [finding] = found(world)
        assert start()["build"]["projectName"] == project
        world.settled()
        with applied(world, DEVELOPER, [finding]):
            check_denied(start, "NotPastTheApproverBuilds")


def test_an_approver_who_may_more_than_approve_is_found_and_what_an_approver_may_is_expected(world: World) -> None:
    root = world.cloud.root(world.account, REGION)
    root.client("iam").put_role_policy(
        RoleName=people.APPROVER,
        PolicyName="more",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "codepipeline:*", "Resource": "*"}],
            }
        ),
    )
    assert [(one.check.id, one.place.resource) for one in found(world)] == [
        ("could-change-pipelines", f"role/{people.APPROVER}")
    ]
    root.client("iam").delete_role_policy(RoleName=people.APPROVER, PolicyName="more")
    with without_policy(world, people.APPROVER, APPROVER_POLICY):
        assert found(world) == []


def test_a_role_of_the_kit_is_expected_to_do_what_its_template_gives_it_and_no_more(world: World) -> None:
    root, name = world.cloud.root(world.account, REGION), "AmazonSageMakerServiceCatalogProductsMultiAccountBuildRole"
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}]}
    iam = root.client("iam")
    iam.put_role_policy(RoleName=name, PolicyName="more", PolicyDocument=json.dumps(document))
    try:
        assert found(world) == []  # the topic's own policy denies it
        document["Statement"][0]["Action"] = "codebuild:StartBuild"  # type: ignore[index]
        iam.put_role_policy(RoleName=name, PolicyName="more", PolicyDocument=json.dumps(document))
        assert [one.check.id for one in found(world)] == ["could-start-builds"]
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="more")
    assert role_policy(root, name, "build-projects").read()


@pytest.mark.parametrize("kind", ["boundary", "service control policy"])
def test_a_boundary_and_a_service_control_policy_count(world: World, kind: str) -> None:
    iam, organizations = world.client("iam"), world.client("organizations", world.management)
    nothing = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}
    builds = {"Effect": "Deny", "Action": "codebuild:*", "Resource": "*"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    with developer(world, "codebuild:StartBuild"):
        assert [one.check.id for one in found(world)] == ["could-start-builds"]
        if kind == "boundary":
            arn = iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(nothing))["Policy"]["Arn"]
            iam.put_role_permissions_boundary(RoleName=DEVELOPER, PermissionsBoundary=arn)
            assert found(world) == []
            iam.delete_role_permissions_boundary(RoleName=DEVELOPER)
            iam.delete_policy(PolicyArn=arn)
            return
        policy = organizations.create_policy(
            Name="no-builds",
            Description="",
            Type="SERVICE_CONTROL_POLICY",
            Content=json.dumps({"Version": "2012-10-17", "Statement": [builds, everything]}),
        )["Policy"]["PolicySummary"]["Id"]
        organizations.attach_policy(PolicyId=policy, TargetId=world.account)
        assert found(world) == []
        organizations.detach_policy(PolicyId=policy, TargetId=world.account)
        assert [one.check.id for one in found(world)] == ["could-start-builds"]


# -- AWS's own roles for projects ------------------------------------------------------------------

ON_STACKS = {f"{name} {stage}" for name in ("UpdateStack", "DeleteStack", "CreateChangeSet", "SetStackPolicy")
             for stage in ("staging", "prod")}  # fmt: skip
ON_BUILDS = {f"StartBuild {kind}" for kind in ("build", "gate", "own-tests", "test")}
ON_RULES = {"PutRule", "PutTargets", "RemoveTargets"}
DELETES = {"delete a model"}
OF_VERSIONS = {"UpdateModelPackage", "DeleteModelPackage", "DeleteProject", "UpdatePipeline on-push"}
OF_GROUPS = {"CreateModelPackage", "DeleteModelPackageGroup", "DeleteTags", "PutModelPackageGroupPolicy"}
ON_MODELS = OF_VERSIONS | OF_GROUPS
STARTS = {"StartExecution", "UpdateStateMachine", "start_pipeline_execution"}
# What each could do of the attacks without the kit's policy, by AWS's own.
COULD = {
    "Use": ON_STACKS | ON_BUILDS | ON_RULES | STARTS | ON_MODELS | DELETES,
    "CodePipeline": ON_STACKS | ON_BUILDS | DELETES,
    "Lambda": ON_BUILDS | ON_RULES | ON_MODELS | DELETES,
    "Execution": ON_BUILDS | ON_MODELS | DELETES,
    "Events": {"start_pipeline_execution"},
    "CodeBuild": OF_VERSIONS | DELETES,
    "Cloudformation": ON_MODELS,
}


@pytest.mark.parametrize("kind", COULD)
def test_a_role_of_another_template_changes_nothing_of_the_kit(world: World, kind: str) -> None:
    attacks, session = stock_roles.attacks(world), stock_roles.session(world, kind)
    for name, (_, request) in attacks.items():
        assert stock_roles.refusal(request, session), name
    with stock_roles.administrator(world, kind):  # whatever else it may
        for name, (sid, request) in attacks.items():
            assert (sid or "sagemaker-project-") in stock_roles.refusal(request, session), name
    with stock_roles.unlimited(world, kind), stock_roles.protected(world):
        through = {name for name, (_, request) in attacks.items() if not stock_roles.refusal(request, session)}
    world.settled()
    assert through == COULD[kind]


def test_a_stack_that_another_template_makes_in_a_stages_name_before_its_first_deployment_is_refused(
    world: World,
) -> None:
    stack, client = "sagemaker-churn-p-2-deploy-prod", stock_roles.session(world, "Use").client("cloudformation")
    given = [{"ParameterKey": "ModelPackageName", "ParameterValue": "wanted"}]
    client.create_stack(StackName=stack, TemplateBody=NAMING, Parameters=given)
    world.settled()
    looked = world.client("cloudformation")
    with pytest.raises(UserError, match=f"the stack {stack} is not the pipeline's: its role is none"):
        live.look(looked, stack, "SELF")
    with pytest.MonkeyPatch.context() as patch:  # without the look at its role it is what is wanted: "unchanged"
        patch.setattr(live, "STAGE_ROLE", "")
        assert live.look(looked, stack, "SELF").parameters == {"ModelPackageName": "wanted"}
    looked.delete_stack(StackName=stack)
    world.settled()


def test_the_doctor_finds_a_role_of_another_template_without_the_kits_policy(world: World) -> None:
    with stock_roles.unlimited(world, "Use"):
        groups = [
            group for group in grouped(world.look(world.reader())) if group.first.place.resource.endswith(USE_ROLE)
        ]
        [group] = groups
        assert (group.first.check.id, group.first.fix) == ("stock-role-unlimited", MAKE_ACCOUNTS)
        assert {one.check.id for one in group.beneath} == {
            "could-change-stages",
            "could-change-starts",
            "could-start-builds",
            "could-write-buckets",
        }
    with stock_roles.administrator(world, "Use"):
        assert {"could-change-rights", "could-change-product"} <= {one.check.id for one in found(world)}


def test_a_stage_without_the_kits_tag_is_found_and_an_upgrade_with_a_deployment_closes_it(world: World) -> None:
    stack = f"sagemaker-{world.project}-deploy-staging"
    client = world.client("cloudformation")
    parameters = [{"ParameterKey": "ModelPackageName", "UsePreviousValue": True}]

    def tagged(tags: dict[str, str]) -> None:
        given = [{"Key": key, "Value": value} for key, value in tags.items()]
        client.update_stack(StackName=stack, UsePreviousTemplate=True, Parameters=parameters, Tags=given)
        world.settled()

    tagged({"sagemaker:project-name": "iris"})
    request = stock_roles.attacks(world)["UpdateStack staging"][1]
    assert stock_roles.refusal(request, stock_roles.session(world, "Use")) == ""
    findings = found(world)
    assert {(one.check.id, one.place.resource.rsplit("/", 1)[1]) for one in findings} == {
        ("could-change-stages", f"{PREFIX}UseRole"),
        ("could-change-stages", f"{PREFIX}CodePipelineRole"),
    }
    start = f"aws codepipeline start-pipeline-execution --region {REGION} --name sagemaker-{world.project}-deploy"
    assert {one.fix for one in findings} == {f"make upgrade PROJECT={world.story.project_name}\nthen {start}"}
    tagged(OF_STAGE)
    assert found(world) == []


def test_projects_of_other_templates_go_on(world: World) -> None:
    """As AWS's own template for deployments does it, whose names differ from the kit's in the ends alone."""
    use, name = stock_roles.session(world, "Use"), "sagemaker-theirs-p-theirs"
    bucket, root = "sagemaker-project-p-theirs", world.client("codebuild")
    use.client("s3").create_bucket(Bucket=bucket)
    assert use.client("s3").put_object(Bucket=bucket, Key="theirs/BuildArtif/1", Body=b"")
    source = {"type": "NO_SOURCE", "buildspec": stock_roles.BUILDSPEC}
    environment = {
        "type": "LINUX_CONTAINER",
        "image": "aws/codebuild/standard:7.0",
        "computeType": "BUILD_GENERAL1_SMALL",
    }
    role = f"arn:aws:iam::{world.account}:role/service-role/{USE_ROLE}"
    for kind in ("modelbuild", "modeldeploy", "testing"):
        root.create_project(
            name=f"{name}-{kind}",
            source=source,
            artifacts={"type": "NO_ARTIFACTS"},
            environment=environment,
            serviceRole=role,
        )
        assert use.client("codebuild").start_build(projectName=f"{name}-{kind}")
    pattern = json.dumps({"source": ["aws.codecommit"]})
    use.client("events").put_rule(Name=f"{name}-build", EventPattern=pattern)
    pipeline = stock_roles.session(world, "CodePipeline").client("cloudformation")
    stack = f"{name}-deploy-prod"
    tags = [{"Key": "sagemaker:project-name", "Value": "theirs"}]
    for session in (use.client("cloudformation"), pipeline):
        session.create_stack(StackName=stack, TemplateBody=HANDLE)
        world.settled()
        session.update_stack(StackName=stack, TemplateBody=HANDLE.replace("Handle:", "Another:"))
        world.settled()
        session.delete_stack(StackName=stack)
        world.settled()
    pipeline.create_stack(StackName=stack, TemplateBody=HANDLE, Tags=tags)
    world.settled()
    assert found(world) == []
