"""Rehearse somebody else's SageMaker project template on the embedded AWS.

SageMaker Developer Guide, "Create Custom Project Templates" (a product of Service Catalog, or a template in
S3), "Granting SageMaker Studio Permissions Required to Use Projects" (the roles that Studio makes). The
organization and its people are those of the kit's own story; the data scientist makes the project, the launch
role provisions it, and its pipelines run as far as the services played go.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from botocore.exceptions import ClientError

from scripts.bundle.console import UsageError, UserError, explain, say
from scripts.bundle.patience import until
from scripts.rehearsal import setting as people
from scripts.rehearsal import stock_roles, template_model, template_seeds
from scripts.rehearsal.cloud import Cloud, Session
from scripts.rehearsal.cloudformation import schemas
from scripts.rehearsal.cloudformation import template as templates
from scripts.rehearsal.cloudformation.deploy import forget
from scripts.rehearsal.cloudformation.goals import Goal, PartsNotPlayed, Unplayed, prepare
from scripts.rehearsal.cloudformation.stacks import new_stack
from scripts.rehearsal.cloudformation.steps import provider_for
from scripts.rehearsal.cloudformation.template import Template, TemplateError
from scripts.rehearsal.errors import AwsError, NotPlayed
from scripts.rehearsal.services import codepipeline_providers
from scripts.rehearsal.setting import Setting

Style = Literal["service-catalog", "s3"]
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
FINISHED = {"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"}
QUIET = 0.6  # seconds without anything going on, after which nothing more is expected
PIPELINE = "AWS::CodePipeline::Pipeline"
OWN = ("SageMakerProjectName", "SageMakerProjectId")


class Refused(Exception):  # reads as what it says
    """The template cannot be played, or AWS would not take it: nothing of it was created.

    message: what AWS would say, or what is not played as a whole; parts: what is not played in the template
    """

    def __init__(self, message: str, parts: list[Unplayed] | None = None) -> None:
        super().__init__(message)
        self.parts = parts or []


@dataclass(frozen=True)
class Options:
    """What the command line says.

    seeds: name of a zip file that the template expects, and its folder
    parameters: values may hold {data_science_account}, {staging_unit} … (see Run.names)
    setup: templates that an administrator deploys before, for roles that the template expects
    attach: role and policy ARN, attached by the administrator before
    model: the model package group in which a version is approved once the pipelines first stand still; "" for none
    """

    template: Path
    seeds: dict[str, Path] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    style: Style = "service-catalog"
    approve: bool = False
    setup: tuple[Path, ...] = ()
    attach: tuple[tuple[str, str], ...] = ()
    replace: dict[str, str] = field(default_factory=dict)
    launch_role: str = ""
    project: str = "rehearsal"
    region: str = "us-east-1"
    patience: float = 900.0
    model: str = ""


@dataclass
class Run:
    """One rehearsal of one template; report.py reads what is left in it."""

    cloud: Cloud
    options: Options
    setting: Setting = field(init=False)
    body: str = ""
    parsed: Template | None = None
    project_id: str = ""
    project_status: str = ""
    message: str = ""
    stack_id: str = ""
    refused: Refused | None = None
    notes: list[str] = field(default_factory=list)
    approved: set[str] = field(default_factory=set)
    trouble: str = ""
    root: Path = Path(__file__).resolve().parents[2]

    # -- who acts ------------------------------------------------------------------------------

    @property
    def account(self) -> str:
        return self.setting.data_science

    @property
    def administrator(self) -> Session:
        return people.sign_in(self.cloud, self.account, people.ENGINEER, self.options.region)

    @property
    def scientist(self) -> Session:
        return people.studio(self.cloud, self.setting)

    @property
    def names(self) -> dict[str, str]:
        """What a parameter's value may stand for, in curly brackets."""
        return {
            "region": self.options.region,
            "management_account": self.setting.management,
            "data_science_account": self.setting.data_science,
            "staging_account": self.setting.targets["staging"],
            "production_account": self.setting.targets["prod"],
            "staging_unit": self.setting.units["staging"],
            "production_unit": self.setting.units["prod"],
            "studio_role": people.STUDIO_ROLE,
            "studio_role_arn": f"arn:aws:iam::{self.account}:role/service-role/{people.STUDIO_ROLE}",
            "seed_bucket": self.seed_bucket,
        }

    @property
    def seed_bucket(self) -> str:
        return f"sagemaker-seed-code-{self.account}-{self.options.region}"

    @property
    def launch_role(self) -> str:
        name = self.options.launch_role or f"service-role/{people.LAUNCH_ROLE}"
        return name if name.startswith("arn:") else f"arn:aws:iam::{self.account}:role/{name}"

    def parameters(self, given: dict[str, str]) -> dict[str, str]:
        values = {}
        for name, value in given.items():
            for key, meaning in self.names.items():
                value = value.replace("{" + key + "}", meaning)
            values[name] = value
        return values

    # -- waiting -------------------------------------------------------------------------------

    def until(self, what: str, look: Callable[[], Any], patience: float = 120.0, late: UserError | None = None) -> Any:
        """What look() answers as soon as it answers something. late: what is said where it never does."""

        def answer() -> Any:
            if found := look():
                return found
            self.faults()
            return None

        error = late or UserError(f"{what}: nothing after {patience:.0f} s")
        return until(what, answer, patience, late=lambda: error, longest=0.3)

    def faults(self) -> None:
        if self.cloud.faults:
            fault = self.cloud.faults[0]
            raise UserError(f"the embedded AWS broke in {fault.where}:\n{fault.traceback}")


def play(run: Run) -> None:
    """The whole rehearsal. What goes wrong is left in the run; UsageError alone ends it."""
    try:
        chapters(run)
    except UsageError:
        raise
    except UserError as error:
        run.trouble = str(error)


def chapters(run: Run) -> None:
    run.cloud.chapter = "setting"
    run.setting = people.make_organization(run.cloud, "delegated", run.options.region)
    people.make_people(run.cloud, run.setting)
    stock_roles.make_stock_roles(run.cloud.root(run.account, run.options.region).client("iam"))
    try:
        for path in run.options.setup:
            deploy_before(run, path)
        for role, policy in run.options.attach:
            attach(run, role, policy)
        check(run)
        run.cloud.chapter = "publishing"
        asked = service_catalog_details(run) if run.options.style == "service-catalog" else s3_details(run)
        run.cloud.chapter = "project"
        create_project(run, asked)
    except Refused as refused:
        run.refused = refused
        return
    run.cloud.chapter = "pipelines"
    if run.project_status == "CreateCompleted":
        follow(run)
        if run.options.model:
            run.cloud.chapter = "model"
            template_model.approve_model(run)
            follow(run)


# -- before anything is created ------------------------------------------------------------------


def read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def deploy_before(run: Run, path: Path) -> None:
    """An administrator's stack: roles, buckets or keys that the template takes for granted."""
    cloudformation = run.administrator.client("cloudformation")
    body = read(path)
    try:
        known = templates.parse(body).parameters
    except TemplateError as error:
        raise Refused(f"--setup {path}: {error} (line {error.line})") from error
    given = {name: value for name, value in run.parameters(run.options.parameters).items() if name in known}
    name = f"setup-{path.stem}"[:100].replace("_", "-").replace(".", "-")
    say(f"    {path.name}: an administrator deploys it as {name}")
    try:
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=body,
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
            Capabilities=list(CAPABILITIES),
        )
    except ClientError as error:
        raise Refused(f"--setup {path}: {explain(error)}") from error

    def ended() -> str:
        status = str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        return "" if status.endswith("_IN_PROGRESS") else status

    if (status := run.until(name, ended)) != "CREATE_COMPLETE":
        reasons = [
            f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}"
            for e in cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            if e["ResourceStatus"] == "CREATE_FAILED"
        ]
        raise Refused(f"--setup {path}: {status}\n" + "\n".join(reasons))


def attach(run: Run, role: str, policy: str) -> None:
    try:
        run.administrator.client("iam").attach_role_policy(RoleName=role, PolicyArn=policy)
    except ClientError as error:
        raise Refused(f"--attach {role}={policy}: {explain(error)}") from error


def check(run: Run) -> None:
    """Read the template, put the seed code where it expects it; Refused where it cannot be played."""
    body = read(run.options.template)
    for old, new in run.parameters(run.options.replace).items():
        body = body.replace(old, new)
    try:
        parsed = templates.parse(body)
        for placeholder in template_seeds.placeholders(parsed):
            body = body.replace(placeholder, run.seed_bucket)
            run.notes.append(f"{placeholder} is no name of a bucket: played as {run.seed_bucket}")
        run.body, run.parsed = body, templates.parse(body)
    except TemplateError as error:
        place = f" (line {error.line})" if error.line else ""
        raise Refused(f"{error}{place}") from error
    if lacking := [name for name in OWN if name not in run.parsed.parameters]:
        raise Refused(f"The template has no parameter {' and '.join(lacking)}, which SageMaker fills in")
    goal = goal_of(run)
    if parts := unplayed_actions(run.parsed, set(goal.evaluator.active())):
        raise Refused("", parts)
    seed(run, goal)


def goal_of(run: Run) -> Goal:
    """The template with the parameters that the project will have, checked as CloudFormation does."""
    name = f"check-{run.options.project}"
    stack = new_stack(run.cloud, run.account, run.options.region, name)
    given = {**run.parameters(run.options.parameters), OWN[0]: run.options.project, OWN[1]: "p-0rehearsal00"}
    try:
        return prepare(run.cloud, run.administrator, stack, run.body, given, None, {}, CAPABILITIES)
    except PartsNotPlayed as error:
        raise Refused("", error.parts) from error
    except NotPlayed as error:
        raise Refused(error.message, unplayed_types(stack.region, run.body)) from error
    except AwsError as error:
        raise Refused(f"{error.code}: {error.message}", unplayed_types(stack.region, run.body)) from error
    finally:
        forget(run.cloud, stack)


def unplayed_types(region: str, body: str) -> list[Unplayed]:
    """Types that nobody plays, of the resources that are made in any case."""
    parsed = templates.parse(body)
    return [
        Unplayed(f"the resource type {kind}", kind, logical_id, parsed.line("Resources", logical_id, "Type"))
        for logical_id, resource in parsed.resources.items()
        if "::" not in logical_id and "Condition" not in resource
        if schemas.known(kind := str(resource["Type"]), region) and provider_for(kind) is None
    ]


def unplayed_actions(parsed: Template, active: set[str]) -> list[Unplayed]:
    """Actions of pipelines whose provider nobody plays: the pipeline could not be made."""
    found = []
    for logical_id in sorted(active):
        resource = parsed.resources[logical_id]
        if resource["Type"] != PIPELINE:
            continue
        for path, action in actions_of(resource):
            kind = action.get("ActionTypeId") or {}
            provider = (str(kind.get("Category")), str(kind.get("Provider")))
            if kind.get("Owner") == "AWS" and provider in codepipeline_providers.NOT_PLAYED:
                line = parsed.line("Resources", logical_id, *path, "ActionTypeId", "Provider")
                what = f"the action {action.get('Name')} with the {provider[0]} provider {provider[1]}"
                found.append(Unplayed(what, PIPELINE, logical_id, line))
    return found


def actions_of(pipeline: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Every action that stands in the template as such, with its path in the resource."""
    stages = (pipeline.get("Properties") or {}).get("Stages")
    for number, stage in enumerate(stages if isinstance(stages, list) else []):
        actions = stage.get("Actions") if isinstance(stage, dict) else None
        for index, action in enumerate(actions if isinstance(actions, list) else []):
            if isinstance(action, dict):
                yield ("Properties", "Stages", number, "Actions", index), action


def seed(run: Run, goal: Goal) -> None:
    """Upload the seed code; a repository whose code nobody gave is noted (its creation will fail, as on AWS)."""
    expected = template_seeds.places(goal)
    found = template_seeds.assigned(expected, run.options.seeds)
    s3 = run.cloud.root(run.account, run.options.region).client("s3")
    template_seeds.upload(s3, run.options.region, found)
    for place in expected:
        if (place.bucket, place.key) not in found:
            name = place.names[0]
            run.notes.append(
                f"{place.logical_id} takes its first files from s3://{place.bucket}/{place.key}: "
                f"give them with --seed-code {name}=FOLDER"
            )


# -- the product, or the template in S3 ------------------------------------------------------------


def put_template(run: Run, tagging: str) -> str:
    bucket = f"sagemaker-templates-{run.account}-{run.options.region}"
    s3 = run.administrator.client("s3")
    template_seeds.make_bucket(s3, run.options.region, bucket)
    s3.put_object(Bucket=bucket, Key="template.yaml", Body=run.body.encode(), Tagging=tagging)
    return f"https://{bucket}.s3.{run.options.region}.amazonaws.com/template.yaml"


def service_catalog_details(run: Run) -> dict[str, Any]:
    """Publish the template as a product that the Studio role sees and the launch role provisions."""
    catalog = run.administrator.client("servicecatalog")
    made = catalog.create_product(
        Name=run.options.template.stem[:100],
        Owner="rehearsal",
        ProductType="CLOUD_FORMATION_TEMPLATE",
        Tags=[{"Key": "sagemaker:studio-visibility", "Value": "true"}],
        ProvisioningArtifactParameters={
            "Name": "v1",
            "Type": "CLOUD_FORMATION_TEMPLATE",
            "Info": {"LoadTemplateFromURL": put_template(run, "")},
        },
    )
    product = made["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
    version = made["ProvisioningArtifactDetail"]["Id"]

    def loaded() -> str:
        answer = catalog.describe_provisioning_artifact(ProductId=product, ProvisioningArtifactId=version)
        return "" if answer["Status"] == "CREATING" else str(answer["Status"])

    if (status := run.until("the product's version", loaded)) != "AVAILABLE":
        raise Refused(f"Service Catalog does not take the template: {status}")
    portfolio = catalog.create_portfolio(DisplayName="Rehearsal", ProviderName="rehearsal")["PortfolioDetail"]["Id"]
    catalog.associate_product_with_portfolio(ProductId=product, PortfolioId=portfolio)
    catalog.create_constraint(
        PortfolioId=portfolio,
        ProductId=product,
        Type="LAUNCH",
        Parameters=json.dumps({"RoleArn": run.launch_role}),
    )
    catalog.associate_principal_with_portfolio(
        PortfolioId=portfolio, PrincipalARN=run.names["studio_role_arn"], PrincipalType="IAM"
    )
    values = run.parameters(run.options.parameters)
    details = {
        "ProductId": product,
        "ProvisioningArtifactId": version,
        "ProvisioningParameters": [{"Key": k, "Value": v} for k, v in values.items()],
    }
    return {"ServiceCatalogProvisioningDetails": details}


def s3_details(run: Run) -> dict[str, Any]:
    """Put the template into a bucket, and let the Studio role have the launch role make the stack.

    What the administrator sets up beside the bucket is not on AWS's page: the data scientist may make
    stacks named SP-*, passing the launch role, which CloudFormation may then assume.
    """
    iam = run.cloud.root(run.account, run.options.region).client("iam")
    if not run.options.launch_role:
        trusted = ["servicecatalog.amazonaws.com", "cloudformation.amazonaws.com"]
        statement = {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
        iam.update_assume_role_policy(
            RoleName=people.LAUNCH_ROLE,
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
    stacks = f"arn:aws:cloudformation:*:{run.account}:stack/SP-*"
    actions = ["CreateStack", "UpdateStack", "DeleteStack", "DescribeStacks", "TagResource"]
    statements = [
        {"Effect": "Allow", "Action": [f"cloudformation:{name}" for name in actions], "Resource": stacks},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": run.launch_role},
    ]
    iam.put_role_policy(
        RoleName=people.STUDIO_ROLE,
        PolicyName="projects-from-s3",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )
    url = put_template(run, "sagemaker%3Astudio-visibility=true")
    values = run.parameters(run.options.parameters)
    provider = {
        "TemplateName": "rehearsal",
        "TemplateURL": url,
        "RoleARN": run.launch_role,
        "Parameters": [{"Key": k, "Value": v} for k, v in values.items()],
    }
    return {"TemplateProviders": [{"CfnTemplateProvider": provider}]}


# -- the project -----------------------------------------------------------------------------------


def create_project(run: Run, asked: dict[str, Any]) -> None:
    """Make the project as the data scientist, and wait until it is made or failed."""
    sagemaker, name = run.scientist.client("sagemaker"), run.options.project
    try:
        run.project_id = sagemaker.create_project(ProjectName=name, **asked)["ProjectId"]
    except ClientError as error:
        raise Refused(explain(error)) from error

    def settled() -> dict[str, Any] | None:
        shown: dict[str, Any] = sagemaker.describe_project(ProjectName=name)
        return shown if shown["ProjectStatus"] in {"CreateCompleted", "CreateFailed"} else None

    shown = run.until(f"project {name}", settled, run.options.patience)
    run.project_status = shown["ProjectStatus"]
    run.stack_id, run.message = stack_and_message(run, shown)
    say(f"    project {name} ({run.project_id}): {run.project_status}")


def stack_and_message(run: Run, shown: dict[str, Any]) -> tuple[str, str]:
    """The project's stack ("" where none was made) and what the project says of its failure."""
    if run.options.style == "s3":
        details = shown.get("TemplateProviderDetails") or [{}]
        stack = details[0].get("CfnTemplateProviderDetail", {}).get("StackDetail", {})
        return stack.get("Id", ""), stack.get("StatusMessage", "")
    provisioned = shown.get("ServiceCatalogProvisionedProductDetails", {})
    message = provisioned.get("ProvisionedProductStatusMessage", "")
    if not (id := provisioned.get("ProvisionedProductId")):
        return "", message
    name = f"SC-{run.account}-{id}"
    for stack in all_stacks(run):
        if stack["StackName"] == name:
            return stack["StackId"], message
    return "", message


def all_stacks(run: Run) -> list[dict[str, Any]]:
    pages = run.cloud.root(run.account, run.options.region).client("cloudformation").get_paginator("list_stacks")
    return [stack for page in pages.paginate() for stack in page["StackSummaries"]]


def stack_resources(run: Run, stack_id: str) -> list[dict[str, Any]]:
    """The resources of a stack, and of the stacks in it."""
    cloudformation = run.cloud.root(run.account, run.options.region).client("cloudformation")
    found: list[dict[str, Any]] = []
    for resource in cloudformation.describe_stack_resources(StackName=stack_id)["StackResources"]:
        found.append(resource)
        if resource["ResourceType"] == "AWS::CloudFormation::Stack" and resource.get("PhysicalResourceId"):
            found += stack_resources(run, resource["PhysicalResourceId"])
    return found


# -- the pipelines ---------------------------------------------------------------------------------


def pipeline_names(run: Run) -> list[str]:
    found = stack_resources(run, run.stack_id) if run.stack_id else []
    return [r["PhysicalResourceId"] for r in found if r["ResourceType"] == PIPELINE and r.get("PhysicalResourceId")]


def follow(run: Run) -> None:
    """Wait until nothing goes on any more, giving the approvals that were asked for."""
    names, quiet_since, patience = pipeline_names(run), time.monotonic(), run.options.patience

    def quiet() -> bool:
        nonlocal quiet_since
        if busy(run, names) or (run.options.approve and approve(run, names)):
            quiet_since = time.monotonic()
        return time.monotonic() - quiet_since > QUIET

    late = UserError(f"the pipelines did not come to rest in {patience:.0f} s (--patience)")
    run.until("the pipelines", quiet, patience, late)


def busy(run: Run, names: list[str]) -> bool:
    """True while a pipeline works on something that waits for nobody."""
    session = run.cloud.root(run.account, run.options.region)
    for name in names:
        executions = session.client("codepipeline").list_pipeline_executions(pipelineName=name)
        listed = executions["pipelineExecutionSummaries"]
        going = [e["pipelineExecutionId"] for e in listed if e["status"] not in FINISHED]
        if not listed or (going and not all(waits(run, name, id) for id in going)):
            return True
    sagemaker = session.client("sagemaker")
    for pipeline in sagemaker.list_pipelines()["PipelineSummaries"]:
        runs = sagemaker.list_pipeline_executions(PipelineName=pipeline["PipelineName"])["PipelineExecutionSummaries"]
        if any(r["PipelineExecutionStatus"] in {"Executing", "Stopping"} for r in runs):
            return True
    return False


def waits(run: Run, pipeline: str, execution: str) -> bool:
    """True where the execution goes on only when somebody answers, or another execution makes room."""
    stages = pipeline_state(run, pipeline)["stageStates"]
    for stage in stages:
        if execution in [e["pipelineExecutionId"] for e in stage.get("inboundExecutions", [])]:
            return any(open_approvals(s) for s in stages)
        if stage.get("latestExecution", {}).get("pipelineExecutionId") == execution:
            running = [a for a in stage["actionStates"] if a.get("latestExecution", {}).get("status") == "InProgress"]
            if running and len(open_approvals(stage)) == len(running):
                return True
    return False


def open_approvals(stage: dict[str, Any]) -> list[dict[str, Any]]:
    """The actions of a stage that wait for somebody's answer."""
    latest = [a for a in stage["actionStates"] if a.get("latestExecution", {}).get("token")]
    return [a for a in latest if a["latestExecution"]["status"] == "InProgress"]


def pipeline_state(run: Run, name: str) -> dict[str, Any]:
    codepipeline = run.cloud.root(run.account, run.options.region).client("codepipeline")
    state: dict[str, Any] = codepipeline.get_pipeline_state(name=name)
    return state


def approve(run: Run, names: list[str]) -> bool:
    """Answer one thing that waits for a person; True where there was one."""
    codepipeline = run.administrator.client("codepipeline")
    for name in names:
        for stage in pipeline_state(run, name)["stageStates"]:
            for action in open_approvals(stage):
                codepipeline.put_approval_result(
                    pipelineName=name,
                    stageName=stage["stageName"],
                    actionName=action["actionName"],
                    token=action["latestExecution"]["token"],
                    result={"status": "Approved", "summary": "Approved by the rehearsal"},
                )
                say(f"    approved {stage['stageName']}/{action['actionName']} of {name}")
                return True
    for package in pending_models(run):
        if package not in run.approved:
            run.approved.add(package)
            sagemaker = run.administrator.client("sagemaker")
            sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
            say(f"    approved {package}")
            return True
    return False


def pending_models(run: Run) -> list[str]:
    """Versions of models that wait for approval, in every group of the account."""
    sagemaker = run.cloud.root(run.account, run.options.region).client("sagemaker")
    found = []
    for group in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
        listed = sagemaker.list_model_packages(
            ModelPackageGroupName=group["ModelPackageGroupName"], ModelApprovalStatus="PendingManualApproval"
        )
        found += [package["ModelPackageArn"] for package in listed["ModelPackageSummaryList"]]
    return found
