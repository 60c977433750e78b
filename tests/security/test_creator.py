"""What a project's creator may choose: what was published. Attacks on the OUs, through both publishers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scripts.kit.bundle import pack, parameter_defaults
from scripts.rehearsal import chapters
from scripts.rehearsal.embedded import embedded_aws
from scripts.rehearsal.story import StoryFailed
from tests.support.installation import Installation

REFUSED = "Parameter OrganizationalUnitStagingId failed to satisfy constraint: "


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("creator")
    with embedded_aws(folder / "aws") as cloud, pytest.MonkeyPatch.context() as patch:
        yield Installation(cloud, folder, patch)
    assert not cloud.faults, cloud.faults


def ou(kit: Installation, which: str) -> str:
    """Production's OU, or the organization's root."""
    if which == "production":
        return kit.story.setting.units["prod"]
    client = kit.cloud.root(kit.story.setting.management, kit.story.region).client("organizations")
    return str(client.list_roots()["Roots"][0]["Id"])


def hosted(kit: Installation, name: str, version: str, unit: str) -> dict[str, Any]:
    parameters = [{"Key": "OrganizationalUnitStagingId", "Value": unit}]
    made = kit.hosted_project(name, version, Parameters=parameters)
    detail: dict[str, Any] = made["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]["StackDetail"]
    return {"status": made["ProjectStatus"], "why": detail.get("StatusMessage", "")}


@pytest.mark.parametrize("which", ["production", "root"])
def test_a_creator_who_gives_another_ou_as_the_staging_ou_in_service_catalog_is_refused(
    kit: Installation, which: str
) -> None:
    with pytest.raises(StoryFailed) as refusal:
        chapters.create_project(kit.story, f"catalog-{which}", OrganizationalUnitStagingId=ou(kit, which))
    published = kit.story.setting.units["staging"]
    assert f"{REFUSED}{published}, as published." in refusal.value.log


@pytest.mark.parametrize("which", ["production", "root"])
def test_a_creator_who_gives_another_ou_as_the_staging_ou_of_the_template_in_s3_is_refused(
    kit: Installation, which: str
) -> None:
    ended = hosted(kit, f"hosted-{which}", kit.first, ou(kit, which))
    assert ended["status"] == "CreateFailed"
    assert f"{REFUSED}{kit.story.setting.units['staging']}, as published." in ended["why"]


def test_without_the_allowed_values_both_go_through(kit: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = parameter_defaults.with_defaults
    monkeypatch.setattr(pack, "with_defaults", lambda text, values, name, open: whole(text, values, name, values))
    kit.change(pack.PRODUCT, "Description: >-\n", "Description: >-\n  Open.\n")
    version = kit.publish()
    unit = ou(kit, "production")
    id = chapters.create_project(kit.story, "catalog-open", OrganizationalUnitStagingId=unit)
    codebuild = kit.engineer.client("codebuild")
    (build,) = codebuild.batch_get_projects(names=[f"sagemaker-catalog-open-{id}-build"])["projects"]
    variables = {one["name"]: one["value"] for one in build["environment"]["environmentVariables"]}
    assert variables["ORGANIZATIONAL_UNIT_STAGING_ID"] == unit
    assert hosted(kit, "hosted-open", version, unit)["status"] == "CreateCompleted"
