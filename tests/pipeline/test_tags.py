"""The organization's tags, as the Build step gets them and hands them on."""

from __future__ import annotations

from scripts.kit.bundle import installation, pack
from scripts.kit.settings import reading
from tests.support import EXAMPLE_SETTINGS
from tests.support.deploy_repository import Repository

TAGS = {"cost-center": "1234", "data class": "a=b c", "team/sub": "ml:x@y+z"}


class Tags(Repository):
    """The name is in the output of a test that fails."""

    def test_what_publishing_writes_the_build_step_reads(self) -> None:
        """Keys without =, and values with it."""
        lines = "".join(f"  {key}: '{value}'\n" for key, value in TAGS.items())
        settings = reading.parse(f"{EXAMPLE_SETTINGS}tags:\n{lines}", "environment.yaml")
        bundle = pack.pack(pack.read_tree(pack.ROOT))
        defaults = installation.defaults_of(bundle, settings, "us-east-1", lambda unit, key: unit)
        found = self.settings(ORGANIZATION_TAGS=defaults["OrganizationTags"])
        assert found.organization_tags == TAGS
        assert found.tags == {**TAGS, "sagemaker:project-name": "Iris", "sagemaker:project-id": "p-1"}

    def test_a_project_of_an_older_version_has_its_own_tags_alone(self) -> None:
        own = {"sagemaker:project-name": "Iris", "sagemaker:project-id": "p-1"}
        assert self.settings().tags == own
        assert self.settings(ORGANIZATION_TAGS="").tags == own
