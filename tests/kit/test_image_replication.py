"""`make accounts` and your own images: the registry's rules, the kit's and other teams', and the Regions' templates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.cloud import Cloud
from localaws.services.ecr.images import PULL
from scripts import teardown
from scripts.kit import console
from scripts.kit.bundle import pack
from scripts.kit.names import MODELS_STACK
from scripts.kit.plan import PlanStep
from scripts.kit.stacks import data_science, image_replication
from scripts.kit.stacks import stack as stacks
from scripts.rehearsal.setting import DATA_SCIENCE as ACCOUNT
from tests.support.accounts_setting import STUDIO
from tests.support.rehearsed_organization import REGION, RehearsedOrganization

LONDON, PARIS = "eu-west-2", "eu-west-3"
THEIRS = image_replication.rules(ACCOUNT, "shop", ["eu-north-1"])


@pytest.fixture
def organization(cloud: Cloud, tmp_path: Path) -> Iterator[RehearsedOrganization]:
    with pytest.MonkeyPatch.context() as patch:
        made = RehearsedOrganization(cloud, tmp_path, patch)
        more = f"regions: {{staging: [{REGION}, {LONDON}]}}\nimages: {{repository_prefix: team/}}\n"
        made.edit("tester_external_id", f"{more}tester_external_id")
        yield made


def registry(organization: RehearsedOrganization, region: str = REGION) -> Any:
    return organization.cloud.root(ACCOUNT, region).client("ecr")


def rules(organization: RehearsedOrganization) -> Any:
    return registry(organization).describe_registry()["replicationConfiguration"]["rules"]


def put(organization: RehearsedOrganization, *rules: Any) -> None:
    registry(organization).put_replication_configuration(replicationConfiguration={"rules": list(rules)})


def templates(organization: RehearsedOrganization, region: str = LONDON) -> list[str]:
    listed = registry(organization, region).describe_repository_creation_templates()["repositoryCreationTemplates"]
    return [template["prefix"] for template in listed]


def test_rules_and_templates_come_change_and_go_with_the_environment_file(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    assert organization("--dry-run") == 0
    assert (rules(organization), templates(organization), organization.writes()) == ([], [], 0)
    assert organization() == 0
    assert rules(organization) == image_replication.rules(ACCOUNT, "team", [LONDON])
    assert templates(organization) == ["team"]
    before = organization.writes()
    assert organization() == 0
    assert organization.writes() == before, "nothing is left to do"

    put(organization, *rules(organization), *THEIRS)
    organization.edit(f"[{REGION}, {LONDON}]", f"[{REGION}, {LONDON}, {PARIS}, eu-north-1]")
    before = organization.writes()
    assert organization() == 1
    stderr = capsys.readouterr().err
    assert "rules beside this kit's" in stderr
    assert json.dumps(THEIRS) in stderr
    assert image_replication.command(REGION, image_replication.rules(ACCOUNT, "team", [LONDON])) in stderr
    put(organization)
    before = organization.writes()
    assert organization() == 1
    assert "has lost this kit's rule" in capsys.readouterr().err
    assert organization.writes() == before
    put(organization, *image_replication.rules(ACCOUNT, "team", [LONDON]))
    assert organization() == 0
    assert rules(organization) == image_replication.rules(ACCOUNT, "team", [LONDON, PARIS, "eu-north-1"])
    assert templates(organization, PARIS) == ["team"]

    organization.edit("images: {repository_prefix: team/}\n", "")
    assert organization() == 0
    assert (rules(organization), templates(organization), templates(organization, PARIS)) == ([], [], [])


def test_rules_of_another_team_are_reported_before_anything_is_changed_and_left_alone(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    put(organization, *THEIRS)
    before = organization.writes()
    assert organization() == 1
    stderr = capsys.readouterr().err
    ours = image_replication.rules(ACCOUNT, "team", [LONDON])
    assert "by rules of another owner" in stderr
    assert "No stack was changed" in stderr
    assert image_replication.command(REGION, [*THEIRS, *ours]) in stderr, "the whole set of rules: it takes their place"
    assert (organization.writes(), rules(organization)) == (before, THEIRS)

    put(organization, *THEIRS, *ours)  # as the message says
    assert organization() == 0
    assert "images of team/… are replicated already" in capsys.readouterr().err
    assert (rules(organization), templates(organization)) == ([*THEIRS, *ours], ["team"])
    before = organization.writes()
    assert organization() == 0
    assert organization.writes() == before, "nothing is left to do"


def test_teardown_leaves_another_teams_rules_to_a_person(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["--environment", str(organization.environment), "--everything", "--yes"]
    assert organization() == 0
    ours = rules(organization)
    put(organization, *ours, *THEIRS)
    assert console.run(lambda: teardown.main(line)) == 1
    err = capsys.readouterr().err
    assert "by rules of another owner too" in err
    assert image_replication.command(REGION, ours) in err
    assert image_replication.command(REGION, THEIRS) in err
    assert rules(organization) == [*ours, *THEIRS]
    assert "multi-account-deployment" in organization.stacks(ACCOUNT)
    put(organization, *ours)  # as the message says
    assert console.run(lambda: teardown.main(line)) == 0
    assert (rules(organization), templates(organization), set(organization.stacks(ACCOUNT))) == ([], [], {*STUDIO})


def test_a_creation_template_of_another_team_is_reported_before_anything_is_changed(
    organization: RehearsedOrganization, capsys: pytest.CaptureFixture[str]
) -> None:
    registry(organization, LONDON).create_repository_creation_template(prefix="team", appliedFor=["REPLICATION"])
    before = organization.writes()
    assert organization() == 1
    assert f"delete-repository-creation-template --region {LONDON} --prefix team" in capsys.readouterr().err
    assert organization.writes() == before


@pytest.mark.parametrize(
    ("filters", "covered"),
    [([], True), (["te"], True), (["shop/", "team/"], True), (["team/iris"], False), (["shop/"], False)],
)
def test_a_rule_covers_a_namespace_where_it_is_for_every_repository_in_it(filters: list[str], covered: bool) -> None:
    rule: dict[str, Any] = {"destinations": [{"region": LONDON, "registryId": ACCOUNT}]}
    if filters:
        rule["repositoryFilters"] = [{"filter": one, "filterType": "PREFIX_MATCH"} for one in filters]
    assert image_replication.covers([rule], ACCOUNT, "team", LONDON) is covered
    assert not image_replication.covers([rule], ACCOUNT, "team", PARIS)
    assert not image_replication.covers([rule], "222222222222", "team", LONDON)


def test_a_rule_is_known_again_however_its_places_are_ordered() -> None:
    ours = image_replication.rules(ACCOUNT, "team", [LONDON, PARIS])
    [shown] = image_replication.rules(ACCOUNT, "team", [PARIS, LONDON])
    shown["deleteReplication"] = {"enabled": False}
    assert image_replication.besides([shown, *THEIRS], ours) == THEIRS
    assert image_replication.besides(image_replication.rules(ACCOUNT, "team", [PARIS]), ours)


def test_without_organizations_the_listed_accounts_may_pull_and_no_others(cloud: Cloud) -> None:
    file = data_science.TEMPLATES[MODELS_STACK]
    accounts = {"StagingAccountIds": "333333333333", "ProdAccountIds": "222222222222,444444444444"}
    parameters = {**accounts, "ImageRepositoryPrefix": "team/models"}
    want = stacks.WantedStack(ACCOUNT, MODELS_STACK, (pack.ROOT / file).read_text(), parameters, file)
    there = cloud.root(ACCOUNT, LONDON)
    stacks.apply(there.client("cloudformation"), want, PlanStep("create", "stack", want.name))
    [made] = there.client("ecr").describe_repository_creation_templates()["repositoryCreationTemplates"]
    [statement] = json.loads(made["repositoryPolicy"])["Statement"]
    assert (made["prefix"], made["appliedFor"]) == ("team/models", ["REPLICATION"])
    assert statement["Principal"] == {"AWS": ["333333333333", "222222222222", "444444444444"]}
    assert sorted(statement["Action"]) == sorted(PULL)
