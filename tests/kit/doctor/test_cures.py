"""`make doctor` leads back to a deployment: much is broken at once, its commands are typed, and a stage is deployed.

On one embedded AWS, in the order of this file. What is broken here is really gone, or really another setting;
test_doctor.py plays the cures that one request heals.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from localaws.services.sagemaker.projects import Projects
from scripts.kit.doctor.facts.stacks import EXTERNAL_ID_PARAMETER
from scripts.kit.names import ROLES_STACK
from scripts.kit.publish import hosting
from scripts.rehearsal import setting as people
from scripts.rehearsal.embedded import embedded_aws
from tests.kit.doctor.cases.targets import stack, target_stack
from tests.support import cures
from tests.support.doctor_world import REGION, World, played
from tests.support.story_steps import served


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An installation whose project has version 1 live in both stages."""
    folder = tmp_path_factory.mktemp("cures")
    with embedded_aws(folder) as cloud:
        yield played(cloud, folder, "production")
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def test_another_environment_file_reaches_the_accounts_the_product_and_the_project(world: World) -> None:
    """Staging's account moves to another OU, production's role gets another name, and everything a tag."""
    assert world.look(world.reader()) == []
    organizations, old = world.client("organizations", world.management), unit_of_staging(world)
    parent = organizations.list_parents(ChildId=old)["Parents"][0]["Id"]
    new = organizations.create_organizational_unit(ParentId=parent, Name="trial")["OrganizationalUnit"]["Id"]
    organizations.move_account(AccountId=world.staging, SourceParentId=old, DestinationParentId=new)
    world.settled()
    file = world.story.environment_path
    engineer = f"arn:aws:iam::{world.account}:role/{people.ENGINEER}"
    text = file.read_text()
    for before, after in (
        ("staging: multi-account-deployment/staging", "staging: multi-account-deployment/trial"),
        ("    production: prod\n", "    production: live\n"),
        ("catalog:\n", f"tags: {{cost-center: '1234'}}\ncatalog:\n  principals: ['{engineer}']\n"),
    ):
        assert before in text
        text = text.replace(before, after)
    file.write_text(text)
    assert cures.heal(world) == cures.OF_SETTINGS


def test_what_was_deleted_by_hand_comes_back_and_both_stages_are_deployed_again(world: World) -> None:
    for role in ("sagemaker-role-live", "sagemaker-role-live-tester"):
        delete_role(world, role)
    remove_stack_of_staging(world)
    world.client("sagemaker", world.staging).delete_endpoint(EndpointName=f"{world.project}-staging")
    delete_published_files(world)
    delete_portfolio(world)
    add_a_version_that_failed(world)
    stop_sharing_with_production(world)
    delete_roles_stack(world)
    leave_a_shadow(world)
    assert cures.heal(world) == cures.BY_HAND
    assert served(world.story) == {"staging": 1, "prod": 1}, "deployed by the last cure"


def test_a_broken_stack_a_further_region_and_a_project_of_an_older_version_are_healed(world: World) -> None:
    delete_roles_stack(world)
    taken = {"Name": EXTERNAL_ID_PARAMETER, "Type": "String", "Value": "another's"}
    body = {"Resources": {"Taken": {"Type": "AWS::SSM::Parameter", "Properties": taken}}}
    world.client("cloudformation").create_stack(StackName=ROLES_STACK, TemplateBody=json.dumps(body))
    world.settled()
    file = world.story.environment_path
    further = f"regions: {{staging: [{REGION}, eu-west-1]}}\nimages: {{repository_prefix: team}}\n"
    file.write_text(f"{file.read_text()}{further}")
    cures.type_in(world, 'make publish ARGS="--profile data-science"', world.account)
    world.settled()
    assert cures.heal(world) == cures.AFTERWARDS


def test_a_targets_broken_stack_is_made_again_and_a_project_that_could_not_be_deleted_is_deleted(world: World) -> None:
    target_stack(world).status = "UPDATE_ROLLBACK_FAILED"
    project = world.cloud.state(Projects, world.account, REGION).by_name[world.story.project_name]
    project.status = "DeleteFailed"
    assert cures.heal(world) == cures.IN_THE_END


def unit_of_staging(world: World) -> str:
    organizations = world.client("organizations", world.management)
    return str(organizations.list_parents(ChildId=world.staging)["Parents"][0]["Id"])


def delete_role(world: World, name: str) -> None:
    iam = world.client("iam", world.production)
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=inline)
    iam.delete_role(RoleName=name)


def remove_stack_of_staging(world: World) -> None:
    world.engineer(world.account).client("cloudformation").delete_stack_instances(
        StackSetName="multi-account-deployment-target-staging", CallAs="DELEGATED_ADMIN", RetainStacks=False,
        Regions=[REGION], DeploymentTargets={"OrganizationalUnitIds": [unit_of_staging(world)]},
    )  # fmt: skip
    world.settled()


def leave_a_shadow(world: World) -> None:
    """As where an execution was stopped while there was one: production's stack says so."""
    shown = stack(world, world.account, f"sagemaker-{world.project}-deploy-prod").shown
    shown["ShadowModelPackageName"] = f"{shown['ModelPackageName'].rpartition('/')[0]}/2"


def delete_roles_stack(world: World) -> None:
    world.client("cloudformation").delete_stack(StackName=ROLES_STACK)
    world.settled()


def delete_published_files(world: World) -> None:
    bucket, s3 = world.models.replace("models", "bundle"), world.publisher("s3")
    for key in (world.bundle.key("model-build.zip"), hosting.template_key(world.bundle.name)):
        s3.delete_object(Bucket=bucket, Key=key)


def delete_portfolio(world: World) -> None:
    catalog = world.client("servicecatalog")
    (portfolio,) = catalog.list_portfolios()["PortfolioDetails"]
    id, product = {"PortfolioId": portfolio["Id"]}, product_id(world)
    for constraint in catalog.list_constraints_for_portfolio(**id)["ConstraintDetails"]:
        catalog.delete_constraint(Id=constraint["ConstraintId"])
    for principal in catalog.list_principals_for_portfolio(**id)["Principals"]:
        catalog.disassociate_principal_from_portfolio(**id, **principal)
    catalog.disassociate_product_from_portfolio(**id, ProductId=product)
    catalog.delete_portfolio(Id=portfolio["Id"])


def product_id(world: World) -> str:
    (found,) = world.client("servicecatalog").search_products_as_admin()["ProductViewDetails"]
    return str(found["ProductViewSummary"]["ProductId"])


def stop_sharing_with_production(world: World) -> None:
    sagemaker, group = world.client("sagemaker"), {"ModelPackageGroupName": world.story.project_name}
    policy = json.loads(sagemaker.get_model_package_group_policy(**group)["ResourcePolicy"])
    policy["Statement"] = [one for one in policy["Statement"] if not one["Sid"].startswith("Prod")]
    sagemaker.put_model_package_group_policy(**group, ResourcePolicy=json.dumps(policy))


def add_a_version_that_failed(world: World) -> None:
    url = f"https://{world.models.replace('models', 'bundle')}.s3.{REGION}.amazonaws.com/no-such-file.yaml"
    world.client("servicecatalog").create_provisioning_artifact(
        ProductId=product_id(world),
        Parameters={"Name": "broken", "Type": "CLOUD_FORMATION_TEMPLATE", "Info": {"LoadTemplateFromURL": url}},
    )
    world.settled()
