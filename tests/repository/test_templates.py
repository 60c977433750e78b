"""The templates keep the house's promises, and each promise bites."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT, promises
from tests.support.promises import Source, load

TEMPLATES = sorted((ROOT / "templates").glob("*.yaml"))
BROKEN = ROOT / "tests" / "fixtures" / "broken"
FOR_ALL = [
    promises.sections,
    promises.parameters,
    promises.deletion_policies,
    promises.bundle_version,
    promises.length,
    promises.sids,
    promises.reasons_for_stars,
    promises.bucket_accounts,
    promises.name_budgets,
    promises.boundaries,
    promises.role_paths,
]

Promise = Callable[[Source], Iterator[str]]


def template(number: int) -> Source:
    return load(next(path for path in TEMPLATES if path.name.startswith(f"{number}-")))


@pytest.mark.parametrize("promise", FOR_ALL, ids=lambda p: p.__name__)
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_a_template_keeps_its_promise(path: Path, promise: Promise) -> None:
    assert list(promise(load(path))) == []


@pytest.mark.parametrize("promise", [*FOR_ALL, promises.fit_for_stack_sets], ids=lambda p: p.__name__)
def test_a_broken_template_is_found(promise: Promise) -> None:
    if promise is not promises.length:
        assert list(promise(load(BROKEN / f"{promise.__name__}.yaml")))


def test_a_template_that_is_too_long_is_found(tmp_path: Path) -> None:
    for lines, found in ((500, []), (501, ["501 lines, 500 are allowed: split it by subject"])):
        (tmp_path / "long.yaml").write_text("Resources: {}\n" + "# more\n" * (lines - 1))
        assert list(promises.length(load(tmp_path / "long.yaml"))) == found


def test_each_way_to_lose_or_to_orphan_a_stateful_resource_is_found() -> None:
    assert list(promises.deletion_policies(load(BROKEN / "deletion_policies.yaml"))) == [
        "Orphaned: DeletionPolicy of a AWS::S3::Bucket is Retain, not RetainExceptOnCreate",
        "Lost: DeletionPolicy of a AWS::KMS::Key is None, not RetainExceptOnCreate",
        "Replaced: UpdateReplacePolicy of a AWS::SageMaker::ModelPackageGroup is None, not Retain",
    ]


def test_each_role_without_the_boundary_and_each_at_another_path_is_found() -> None:
    assert list(promises.boundaries(load(BROKEN / "boundaries.yaml"))) == [
        "Unbound: its PermissionsBoundary is not that of the parameter BoundaryName",
        "BoundElsewhere: its PermissionsBoundary is not that of the parameter BoundaryName",
        "Person: its PermissionsBoundary is not that of the parameter BoundaryName",
        "WithoutParameter: the parameter BoundaryName is missing, or is not empty by default",
    ]
    assert list(promises.role_paths(load(BROKEN / "role_paths.yaml"))) == [
        "Model: its path is None",
        "Launched: its path is /elsewhere/",
        "StackSets: its path is {'!Ref': 'RolePath'}",
        "arn:${AWS::Partition}:iam::*:role/sagemaker-role-*-tester is at no path: write "
        ":role${RolePath}sagemaker-role-…",
    ]


def test_the_endpoint_template_is_fit_for_stack_sets() -> None:
    assert list(promises.fit_for_stack_sets(template(50))) == []


def test_a_template_that_goes_into_a_request_fits_there() -> None:
    """TemplateBody of a request holds at most 51,200 bytes. 40 names 50 by its URL, whose template has at most 1 MB."""
    for number in (10, 11, 12, 13, 15, 20, 21):
        assert len(template(number).text.encode()) < 51_200
    assert len(template(50).text.encode()) < 1_000_000


def test_the_stage_passes_every_endpoint_setting_on_unchanged() -> None:
    stage, endpoint = template(40).data, template(50).data
    passed = {
        p["ParameterKey"]: p["ParameterValue"] for p in stage["Resources"]["Endpoints"]["Properties"]["Parameters"]
    }
    assert passed == {name: {"!Ref": name} for name in endpoint["Parameters"]}
    for name, parameter in endpoint["Parameters"].items():
        as_text = {"Type": "String"} if parameter["Type"] == "CommaDelimitedList" else {}
        there = dict(stage["Parameters"][name])
        if name == "SageMakerExecutionRoleName":  # described from the other side
            there.pop("Description"), (parameter := dict(parameter)).pop("Description")
        if name == "StageName":
            there["Description"] = parameter["Description"]
        if name == "VpcSubnetIds":  # 40 sees the whole list, and 50 may see one subnet after the other
            for of_the_list in ("AllowedPattern", "ConstraintDescription"):
                there[of_the_list] = parameter[of_the_list]
        assert there == {**parameter, **as_text}, name


def test_the_launch_role_may_pass_every_role_of_the_kit() -> None:
    for name, properties in kit_roles().items():
        assert properties["Path"] == "/service-role/", name
        assert properties["RoleName"].startswith("AmazonSageMakerServiceCatalog"), name


def kit_roles() -> dict[str, dict[str, Any]]:
    """The properties of every role of the data science account's templates, by logical id."""
    resources = {name: made for n in (10, 11, 12, 13) for name, made in template(n).data["Resources"].items()}
    return {name: made["Properties"] for name, made in resources.items() if made["Type"] == "AWS::IAM::Role"}


def test_the_product_runs_as_roles_that_the_data_science_account_has() -> None:
    made = {properties["RoleName"] for properties in kit_roles().values()}
    used = {word.strip("'\"") for word in template(30).text.replace("/", " ").split() if "MultiAccount" in word}
    assert used <= made
    prefix = "AmazonSageMakerServiceCatalogProductsMultiAccount"
    assert made - used == {
        f"{prefix}EventsRole",
        f"{prefix}LaunchRole",
    }  # the rules' own; the person's who makes it in S3


def test_the_post_keeps_its_parameters() -> None:
    assert {
        "SageMakerProjectName",
        "SageMakerProjectId",
        "SageMakerExecutionRoleStagingName",
        "SageMakerExecutionRoleProdName",
        "OrganizationalUnitStagingId",
        "OrganizationalUnitProdId",
    } <= set(template(30).data["Parameters"])
    assert {"SageMakerRoleSuffix", "PipelineExecutionRoleArn"} <= set(template(20).data["Parameters"])


@pytest.mark.parametrize("role", ["AlarmsRole", "BatchStarterRole", "ModelRole", "TesterRole"])
def test_no_role_of_a_target_account_can_change_an_endpoint(role: str) -> None:
    for statement in promises.statements(template(20).data["Resources"][role]):
        if statement["Effect"] == "Deny":
            continue
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        for action in actions:
            service, verb = action.split(":")
            assert service != "sagemaker" or verb.startswith(("Describe", "Invoke")), action
            assert "*" not in action, action


@pytest.mark.parametrize(("rule", "status"), [("VersionApproved", "Approved"), ("VersionRejected", "Rejected")])
def test_only_a_change_of_the_approval_starts_the_pipeline(rule: str, status: str) -> None:
    pattern = template(11).data["Resources"][rule]["Properties"]["EventPattern"]
    assert pattern["detail"] == {
        "ModelApprovalStatus": [status],
        "UpdatedModelPackageFields": ["ModelApprovalStatus"],
    }


def stages_of_the_pipeline() -> dict[str, dict[str, Any]]:
    """Each stage, the optional ones too; there may be further stages (docs/guides/extend-the-pipeline.md)."""
    stages = template(30).data["Resources"]["Pipeline"]["Properties"]["Stages"]
    return {stage["Name"]: stage for stage in (one["!If"][1] if "!If" in one else one for one in stages)}


def test_the_approval_has_a_stage_of_its_own() -> None:
    stages = stages_of_the_pipeline()
    of_the_kit = [
        *("Source", "Build", "DeployStaging", "ApproveQa", "DeployQa", "ApproveUat", "DeployUat"),
        *("ApprovePreprod", "DeployPreprod", "ApproveShadow", "DeployShadow"),
        *("ApproveDeployment", "DeployProd", "RemoveStaging"),
    ]
    assert [name for name in stages if name in of_the_kit] == of_the_kit
    assert [a["ActionTypeId"]["Category"] for a in stages["ApproveDeployment"]["Actions"]] == ["Build", "Approval"]


def test_the_gate_comes_before_everything_in_production() -> None:
    actions = stages_of_the_pipeline()["DeployProd"]["Actions"]
    assert [(a["Name"], a["RunOrder"]) for a in actions] == [
        ("Gate", "1"),
        ("DeployResourcesProd", "2"),
        ("TestProd", "3"),
    ]
    (gate,) = (a for a in actions if a["Name"] == "Gate")
    assert gate["Configuration"]["PrimarySource"] == "KitOutput"


def test_a_project_without_an_approved_version_skips_every_stage_that_deploys() -> None:
    for name, stage in list(stages_of_the_pipeline().items())[2:]:
        condition = stage["BeforeEntry"]["Conditions"][0]
        assert condition["Result"] == "SKIP"
        of = {"RemoveStaging": "REMOVE", "ApproveShadow": "SHADOW", "DeployShadow": "SHADOW"}
        variable = f"#{{Build.{of.get(name, 'DEPLOY')}}}"
        assert condition["Rules"][0]["Configuration"]["Variable"] == variable
