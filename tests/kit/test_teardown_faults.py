"""`make teardown` interrupted at every request, and on half-broken installations.

The world is a real installation with a project, whose stages hold a stack that costs no time to deploy (a
parameter in each target account instead of an endpoint).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from localaws.cloud import Cloud, Session
from scripts.kit.console import UserError
from scripts.kit.stacks import stack as stacks
from scripts.rehearsal import setting as people
from tests.support.every_request import problems
from tests.support.faults import Outcome, settle
from tests.support.light_installation import ALL_OF_A_PROJECT, FAULT_KINDS, REGION, LightInstallation


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> LightInstallation:
    return LightInstallation(tmp_path_factory.mktemp("installation"))


def test_a_teardown_interrupted_at_any_request_and_run_again_ends_as_an_undisturbed_one(
    installation: LightInstallation,
) -> None:
    command = installation.teardown("--project", installation.story.project_name, *ALL_OF_A_PROJECT)
    assert problems(installation.world, command, installation.manager, FAULT_KINDS) == []


# -- half-broken installations ------------------------------------------------------------------


def broken(installation: LightInstallation, breaks: Callable[[Cloud], None], *arguments: str, runs: int = 1) -> Outcome:
    """What a teardown makes of an installation in which something was broken before."""

    def who(cloud: Cloud) -> Session:
        breaks(cloud)
        return installation.manager(cloud)

    line = arguments or ("--project", installation.story.project_name, *ALL_OF_A_PROJECT)
    return installation.world.case(installation.teardown(*line), who, None, runs)


def nothing_left(outcome: Outcome, installation: LightInstallation) -> bool:
    """No stack, stack set, project or bucket of the project is left."""
    held = json.dumps({k: v for k, v in outcome.state.items() if "Logs" not in k})
    return f"sagemaker-project-{installation.story.project_id}" not in held


def delete_failed(installation: LightInstallation, cloud: Cloud) -> None:
    """The production account refuses, so that the stage's stack ends DELETE_FAILED; then it lets it go."""
    session = people.sign_in(cloud, installation.story.setting.data_science, people.ENGINEER, REGION)
    cloudformation = session.client("cloudformation")
    account = installation.story.setting.targets["prod"]
    iam = cloud.root(account, REGION).client("iam")
    role = next(r["RoleName"] for r in iam.list_roles()["Roles"] if r["RoleName"].startswith("stacksets-exec-"))
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    iam.detach_role_policy(RoleName=role, PolicyArn=administrator)
    name = f"sagemaker-{installation.story.project_name}-{installation.story.project_id}-deploy-prod"
    cloudformation.delete_stack(StackName=name)
    with pytest.raises(UserError, match="DELETE_FAILED"):
        stacks.wait(cloudformation, stacks.WantedStack(session.account, name, "", {}), name)
    iam.attach_role_policy(RoleName=role, PolicyArn=administrator)


def test_a_stage_whose_deletion_failed_is_deleted_once_its_account_lets_it_go(installation: LightInstallation) -> None:
    outcome = broken(installation, lambda cloud: delete_failed(installation, cloud))
    assert outcome.codes == (0,), outcome.printed
    assert "DELETE_FAILED" in outcome.printed[0]
    assert nothing_left(outcome, installation)


def test_an_account_that_left_the_organization_is_forgotten(installation: LightInstallation) -> None:
    account = installation.story.setting.targets["prod"]

    def leave(cloud: Cloud) -> None:
        organizations = cloud.root(installation.story.setting.management, REGION).client("organizations")
        organizations.remove_account_from_organization(AccountId=account)

    outcome = broken(installation, leave)
    assert outcome.codes == (0,), outcome.printed
    assert re.search(rf"delete instance +{account} {REGION} of .*what is in it stays there", outcome.printed[0])
    assert nothing_left(outcome, installation)


def test_stages_whose_project_is_gone_are_taken_down_all_the_same(installation: LightInstallation) -> None:
    def delete_project(cloud: Cloud) -> None:
        session = people.sign_in(cloud, installation.story.setting.data_science, people.ENGINEER, REGION)
        sagemaker = session.client("sagemaker")
        sagemaker.delete_project(ProjectName=installation.story.project_name)
        settle(cloud)
        assert sagemaker.list_projects()["ProjectSummaryList"] == []

    outcome = broken(installation, delete_project)
    assert outcome.codes == (0,), outcome.printed
    assert "delete stage" in outcome.printed[0]
    assert nothing_left(outcome, installation)


def test_a_missing_role_is_named_with_the_command_that_makes_it_again(installation: LightInstallation) -> None:
    role = "AmazonSageMakerServiceCatalogProductsMultiAccountStageRole"

    def delete_role(cloud: Cloud) -> None:
        iam = cloud.root(installation.story.setting.data_science, REGION).client("iam")
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            iam.delete_role_policy(RoleName=role, PolicyName=policy)
        for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=role, PolicyArn=attached["PolicyArn"])
        iam.delete_role(RoleName=role)

    outcome = broken(installation, delete_role)
    assert outcome.codes == (1,)
    assert role in outcome.printed[0]
    assert "`make accounts` makes it again" in outcome.printed[0]
