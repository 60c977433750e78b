"""The stages of a deployment, with the post's names."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """Where a model is deployed, in this order: to staging first, to prod once it is approved.

    Those between are there where the environment file names them, and staging unless it says production_alone
    (decisions 88, 92 and 95).
    """

    STAGING = "staging"
    QA = "qa"
    UAT = "uat"
    PREPROD = "preprod"
    PROD = "prod"

    @property
    def between(self) -> bool:
        """Whether it is between staging and production: set as staging is where a project has no file of it."""
        return self in {Stage.QA, Stage.UAT, Stage.PREPROD}

    @property
    def key(self) -> str:
        """How the environment file, its units and the stack sets of template 20 call it."""
        return "production" if self is Stage.PROD else self.value

    @property
    def deploy_stage(self) -> str:
        """The stage of the pipeline in templates/30-project.yaml that deploys to it."""
        return f"Deploy{self.capitalize()}"

    @property
    def approval_stage(self) -> str:
        """The stage of the pipeline in which an approver lets a version in, and its action."""
        return "ApproveDeployment" if self is Stage.PROD else f"Approve{self.capitalize()}"

    @property
    def deploy_action(self) -> str:
        return self.deploy_stage.replace("Deploy", "DeployResources")

    @property
    def test_action(self) -> str:
        return self.deploy_stage.replace("Deploy", "Test")

    @property
    def remove_action(self) -> str:
        """What deletes a stage before production, where its settings ask for it."""
        return self.deploy_stage.replace("Deploy", "Remove")

    # The parameters of a project (templates/30-project.yaml) and of other templates that are a stage's own.

    @property
    def unit_parameter(self) -> str:
        return f"OrganizationalUnit{self.capitalize()}Id"

    @property
    def path_parameter(self) -> str:
        """Of templates/10-model-storage.yaml."""
        return f"OrganizationalUnit{self.capitalize()}Path"

    @property
    def accounts_parameter(self) -> str:
        return f"{self.capitalize()}AccountIds"

    @property
    def regions_parameter(self) -> str:
        return f"{self.capitalize()}Regions"

    @property
    def approve_parameter(self) -> str:
        """Of a stage between them alone: production always has an approver, staging none."""
        return f"Approve{self.capitalize()}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of a project's parameters that are the stage's own."""
        return self.unit_parameter, self.accounts_parameter, self.role_parameter, self.regions_parameter

    @property
    def role_parameter(self) -> str:
        return f"SageMakerExecutionRole{self.capitalize()}Name"
