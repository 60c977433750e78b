"""Studio in the account of another team's template: the domain and AWS's roles for projects, as the kit makes them."""

from __future__ import annotations

from scripts.kit.bundle.pack import ROOT
from scripts.kit.names import STUDIO_STACK
from scripts.kit.plan import PlanStep
from scripts.kit.stacks import project_roles, studio
from scripts.kit.stacks import stack as stacks
from scripts.rehearsal.other_templates.run import Run
from scripts.rehearsal.setting import DOMAIN


def make_studio(run: Run) -> None:
    """What a project template finds in every account that has a Studio domain with project templates."""
    root = run.cloud.root(run.account, run.options.region)
    for role in project_roles.ROLES:
        project_roles.make(root.client("iam"), run.account, "aws", role, {})
    root.client("sagemaker").enable_sagemaker_servicecatalog_portfolio()
    file = studio.DOMAIN_TEMPLATE
    parameters = {"DomainName": DOMAIN.name, "VpcId": DOMAIN.vpc_id, "SubnetIds": ",".join(DOMAIN.subnet_ids)}
    want = stacks.WantedStack(run.account, STUDIO_STACK, (ROOT / file).read_text("utf-8"), parameters, file)
    stacks.apply(root.client("cloudformation"), want, PlanStep("create", "stack", STUDIO_STACK))
