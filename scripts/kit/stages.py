"""The stages of a deployment, with the post's names."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """Where a model is deployed: to staging first, to prod once it is approved."""

    STAGING = "staging"
    PROD = "prod"

    @property
    def key(self) -> str:
        """How the environment file, its units and the stack sets of template 20 call it."""
        return "production" if self is Stage.PROD else "staging"

    @property
    def deploy_stage(self) -> str:
        """The stage of the pipeline in templates/30-project.yaml that deploys to it."""
        return "DeployProd" if self is Stage.PROD else "DeployStaging"

    @property
    def deploy_action(self) -> str:
        return self.deploy_stage.replace("Deploy", "DeployResources")

    @property
    def test_action(self) -> str:
        return self.deploy_stage.replace("Deploy", "Test")
