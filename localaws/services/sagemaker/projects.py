"""SageMaker projects: a product of Service Catalog, or a template in S3, provisioned for a data scientist.

CreateProject, DescribeProject, ListProjects, UpdateProject and DeleteProject (SageMaker API
Reference, the page of each operation). Developer Guide, "Create Custom Project Templates": the template
has the parameters SageMakerProjectName and SageMakerProjectId, which SageMaker fills in. The requests to
Service Catalog and CloudFormation are made with the caller's own permissions, forwarded by SageMaker.
"""

from __future__ import annotations

import secrets
import string
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import NotSupported
from localaws.calls import Call
from localaws.cloud import Cloud, Session, arn
from localaws.services.sagemaker import base
from localaws.services.sagemaker.base import PRINCIPAL
from localaws.services.sagemaker.service import sagemaker

LETTERS = string.ascii_lowercase + string.digits
OWN_PARAMETERS = ("SageMakerProjectName", "SageMakerProjectId")
FIRST_POLL, LAST_POLL = 0.02, 0.1  # seconds between two looks at the provisioned product


@dataclass
class Project:
    """One project. details: as ServiceCatalogProvisioningDetails; template: as CfnTemplateProviderDetail."""

    name: str
    id: str
    arn: str
    description: str
    created_by: dict[str, Any]
    created: datetime
    modified: datetime
    modified_by: dict[str, Any]
    tags: dict[str, str]
    status: str = "Pending"
    details: dict[str, Any] = field(default_factory=dict)
    template: dict[str, Any] = field(default_factory=dict)
    provisioned: str = ""
    message: str = ""

    @property
    def busy(self) -> bool:
        return self.status == "Pending" or self.status.endswith("InProgress")


@dataclass
class Projects:
    """An account's projects in one Region, by name."""

    by_name: dict[str, Project] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


@dataclass(frozen=True)
class Work:
    """Work on a project with the permissions of the one who asked for it."""

    cloud: Cloud
    projects: Projects
    project: Project
    user: Session


class ProjectFailed(Exception):
    """What the project asked for did not come about; the message is shown by DescribeProject."""


def projects_of(call: Call) -> Projects:
    return call.cloud.state(Projects, call.account, call.region)


def find(call: Call) -> Project:
    project = projects_of(call).by_name.get(call.params["ProjectName"])
    if project is None:
        raise base.invalid(f"Project {call.params['ProjectName']} does not exist.")
    return project


def idle(call: Call) -> Project:
    """The project of a request that changes it; ConflictException while another change runs."""
    project = find(call)
    if project.busy:
        raise base.conflict(f"Project {project.name} is in state {project.status}. Wait until it is done.")
    return project


def as_values(parameters: list[dict[str, str]]) -> dict[str, str]:
    return {item["Key"]: item.get("Value", "") for item in parameters}


def as_parameters(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def own_values(project: Project) -> dict[str, str]:
    return {"SageMakerProjectName": project.name, "SageMakerProjectId": project.id}


def stack_tags(project: Project) -> list[dict[str, str]]:
    """The tags that everything in the project carries."""
    own = {
        "sagemaker:project-name": project.name,
        "sagemaker:project-id": project.id,
        "sagemaker:project-arn": project.arn,
    }
    return base.as_list({**project.tags, **own})


# -- CreateProject -----------------------------------------------------------------------------


@sagemaker.operation("CreateProject")
def create_project(call: Call) -> dict[str, Any]:
    params, projects = call.params, projects_of(call)
    details, provider = params.get("ServiceCatalogProvisioningDetails"), template_provider(params, "TemplateProviders")
    if bool(details) == bool(provider):
        raise base.invalid("Specify either ServiceCatalogProvisioningDetails or TemplateProviders, and not both.")
    given = as_values((details or provider).get("ProvisioningParameters" if details else "Parameters", []))
    if reserved := sorted(set(given) & set(OWN_PARAMETERS)):
        raise base.invalid(f"The parameters {', '.join(reserved)} are set by SageMaker.")
    id = "p-" + "".join(secrets.choice(LETTERS) for _ in range(12))
    who = base.user(call.principal)
    with projects.lock:
        if params["ProjectName"] in projects.by_name:
            raise base.invalid(f"Project {params['ProjectName']} already exists.")
        project = Project(
            name=params["ProjectName"],
            id=id,
            arn=arn("sagemaker", call.region, call.account, f"project/{params['ProjectName']}"),
            description=params.get("ProjectDescription", ""),
            created_by=who,
            created=base.now(),
            modified=base.now(),
            modified_by=who,
            tags={tag["Key"]: tag["Value"] for tag in params.get("Tags", [])},
            details=dict(details or {}),
            template=dict(provider),
        )
        base.put_tags(call.cloud, project.arn, params.get("Tags", []))
        projects.by_name[project.name] = project
    begin(call, project, "Create", provision if details else create_stack)
    return {"ProjectArn": project.arn, "ProjectId": project.id}


def template_provider(params: Mapping[str, Any], member: str) -> dict[str, Any]:
    """The one CfnTemplateProvider of a request; {} when there is none."""
    providers = params.get(member) or [{}]
    return dict(providers[0].get("CfnTemplateProvider") or {})


def begin(call: Call, project: Project, verb: str, work: Callable[..., None], *args: Any) -> None:
    """Do the work in the background; the project's status follows it."""
    task = Work(call.cloud, projects_of(call), project, call.forward(PRINCIPAL))
    call.cloud.background(f"sagemaker project {project.name}", perform, task, verb, work, *args)


def perform(task: Work, verb: str, work: Callable[..., None], *args: Any) -> None:
    project = task.project
    project.status = f"{verb}InProgress"
    try:
        work(task, *args)
    except ProjectFailed as error:
        project.message, outcome = str(error), "Failed"
    except ClientError as error:
        project.message, outcome = str(error.response["Error"].get("Message", error)), "Failed"
    else:
        outcome = "Completed"
    with task.projects.lock:
        project.modified = base.now()
        project.status = f"{verb}{outcome}"
        if project.status == "DeleteCompleted":
            task.projects.by_name.pop(project.name, None)
            base.drop_tags(task.cloud, project.arn)


def provision(task: Work) -> None:
    """Launch the product; its newest version where none was named."""
    catalog, project = task.user.client("servicecatalog"), task.project
    details = project.details
    details.setdefault("ProvisioningArtifactId", newest_version(catalog, details["ProductId"]))
    values = {**as_values(details.get("ProvisioningParameters", [])), **own_values(project)}
    record = catalog.provision_product(
        ProductId=details["ProductId"],
        ProvisioningArtifactId=details["ProvisioningArtifactId"],
        **({"PathId": details["PathId"]} if details.get("PathId") else {}),
        ProvisionedProductName=f"{project.name}-{project.id}",
        ProvisioningParameters=as_parameters(values),
        Tags=stack_tags(project),
    )["RecordDetail"]
    project.provisioned = record["ProvisionedProductId"]
    follow(task, catalog, record["RecordId"])


def newest_version(catalog: Any, product: str) -> str:
    versions = catalog.describe_product(Id=product)["ProvisioningArtifacts"]
    current = [version for version in versions if version.get("Guidance", "DEFAULT") == "DEFAULT"]
    if not current:
        raise ProjectFailed(f"The product {product} has no version that can be launched.")
    return str(max(current, key=lambda version: version["CreatedTime"])["Id"])


def follow(task: Work, catalog: Any, record_id: str) -> None:
    """Wait for the record; ProjectFailed with its errors."""
    pause = FIRST_POLL
    while True:
        record = catalog.describe_record(Id=record_id)["RecordDetail"]
        if record["Status"] == "SUCCEEDED":
            task.project.message = ""
            return
        if record["Status"] == "FAILED":
            raise ProjectFailed("; ".join(error["Description"] for error in record["RecordErrors"]))
        if task.cloud.stopping.wait(pause):
            raise ProjectFailed("The embedded AWS was stopped.")
        pause = min(LAST_POLL, pause * 1.5)


# -- projects from a template in S3 ------------------------------------------------------------


def stack_name(project: Project) -> str:
    return f"SP-{project.id}-{project.template['TemplateName']}"


def stack_request(project: Project) -> dict[str, Any]:
    values = {**as_values(project.template.get("Parameters", [])), **own_values(project)}
    role = project.template.get("RoleARN")
    return {
        "StackName": stack_name(project),
        "TemplateURL": project.template["TemplateURL"],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        "Tags": stack_tags(project),
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        **({"RoleARN": role} if role else {}),
    }


def create_stack(task: Work) -> None:
    cloudformation, project = task.user.client("cloudformation"), task.project
    id = cloudformation.create_stack(**stack_request(project))["StackId"]
    project.template["StackDetail"] = {"Name": stack_name(project), "Id": id, "StatusMessage": "CREATE_IN_PROGRESS"}
    settle(task, cloudformation, "CREATE_COMPLETE")


def update_stack(task: Work, changes: Mapping[str, Any]) -> None:
    cloudformation, project = task.user.client("cloudformation"), task.project
    parameters = {**as_values(project.template.get("Parameters", [])), **as_values(changes.get("Parameters", []))}
    project.template.update(changes, Parameters=as_parameters(parameters))
    try:
        cloudformation.update_stack(**stack_request(project))
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
        return
    settle(task, cloudformation, "UPDATE_COMPLETE")


def delete_stack(task: Work) -> None:
    if detail := task.project.template.get("StackDetail"):
        cloudformation = task.user.client("cloudformation")
        cloudformation.delete_stack(StackName=detail["Id"])
        settle(task, cloudformation, "DELETE_COMPLETE")


def settle(task: Work, cloudformation: Any, wanted: str) -> None:
    """Wait for the stack; ProjectFailed unless it ends as wanted."""
    detail, pause = task.project.template["StackDetail"], FIRST_POLL
    while True:
        stack = cloudformation.describe_stacks(StackName=detail["Id"])["Stacks"][0]
        detail["StatusMessage"] = f"{stack['StackStatus']} {stack.get('StackStatusReason', '')}".strip()
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            break
        if task.cloud.stopping.wait(pause):
            raise ProjectFailed("The embedded AWS was stopped.")
        pause = min(LAST_POLL, pause * 1.5)
    if stack["StackStatus"] != wanted:
        raise ProjectFailed(detail["StatusMessage"])


# -- UpdateProject, DeleteProject --------------------------------------------------------------


@sagemaker.operation("UpdateProject")
def update_project(call: Call) -> dict[str, Any]:
    params, project = call.params, idle(call)
    changes = params.get("ServiceCatalogProvisioningUpdateDetails")
    provider = template_provider(params, "TemplateProvidersToUpdate")
    if params.get("Tags"):
        raise NotSupported("sagemaker:UpdateProject with Tags (it needs a tag update constraint of the product)")
    if (changes is not None and not project.details) or (provider and not project.template):
        raise base.invalid(f"Project {project.name} was not created from that kind of template.")
    if provider and provider["TemplateName"] != project.template["TemplateName"]:
        raise base.invalid(f"Project {project.name} has no template {provider['TemplateName']}.")
    project.description = params.get("ProjectDescription", project.description)
    project.modified, project.modified_by = base.now(), base.user(call.principal)
    if changes is not None:
        begin(call, project, "Update", update_provisioned, dict(changes))
    elif provider:
        begin(call, project, "Update", update_stack, provider)
    return {"ProjectArn": project.arn}


def update_provisioned(task: Work, changes: dict[str, Any]) -> None:
    """Update the provisioned product. A parameter that is not named keeps what the project was given."""
    catalog, project = task.user.client("servicecatalog"), task.project
    details = project.details
    version = changes.get("ProvisioningArtifactId") or newest_version(catalog, details["ProductId"])
    path = {"PathId": details["PathId"]} if details.get("PathId") else {}
    asked = catalog.describe_provisioning_parameters(
        ProductId=details["ProductId"], ProvisioningArtifactId=version, **path
    )
    known = {parameter["ParameterKey"] for parameter in asked["ProvisioningArtifactParameters"]}
    before = {k: v for k, v in as_values(details.get("ProvisioningParameters", [])).items() if k in known}
    given = {**before, **as_values(changes.get("ProvisioningParameters", []))}
    record = catalog.update_provisioned_product(
        ProvisionedProductId=project.provisioned,
        ProductId=details["ProductId"],
        ProvisioningArtifactId=version,
        **path,
        ProvisioningParameters=as_parameters({**given, **own_values(project)}),
    )["RecordDetail"]
    follow(task, catalog, record["RecordId"])
    details.update(ProvisioningArtifactId=version, ProvisioningParameters=as_parameters(given))


@sagemaker.operation("DeleteProject")
def delete_project(call: Call) -> None:
    project = idle(call)
    begin(call, project, "Delete", terminate if project.details else delete_stack)


def terminate(task: Work) -> None:
    """Terminate the provisioned product, where the project got that far."""
    if task.project.provisioned:
        catalog = task.user.client("servicecatalog")
        record = catalog.terminate_provisioned_product(ProvisionedProductId=task.project.provisioned)["RecordDetail"]
        follow(task, catalog, record["RecordId"])


# -- reading -----------------------------------------------------------------------------------


@sagemaker.operation("DescribeProject")
def describe_project(call: Call) -> dict[str, Any]:
    project = find(call)
    shown: dict[str, Any] = {
        "ProjectArn": project.arn,
        "ProjectName": project.name,
        "ProjectId": project.id,
        "ProjectStatus": project.status,
        "CreatedBy": project.created_by,
        "CreationTime": project.created,
        "LastModifiedTime": project.modified,
        "LastModifiedBy": project.modified_by,
    }
    if project.description:
        shown["ProjectDescription"] = project.description
    if project.details:
        shown["ServiceCatalogProvisioningDetails"] = project.details
        product = {"ProvisionedProductId": project.provisioned} if project.provisioned else {}
        message = {"ProvisionedProductStatusMessage": project.message} if project.message else {}
        shown["ServiceCatalogProvisionedProductDetails"] = {**product, **message}
    if project.template:
        shown["TemplateProviderDetails"] = [{"CfnTemplateProviderDetail": template_detail(project)}]
    return shown


def template_detail(project: Project) -> dict[str, Any]:
    """With the message of a request that failed before there was a stack."""
    failed = {"StatusMessage": project.message or project.status}
    return {**project.template, "StackDetail": project.template.get("StackDetail", failed)}


@sagemaker.operation("ListProjects")
def list_projects(call: Call) -> dict[str, Any]:
    listed = [
        {
            "ProjectName": project.name,
            "ProjectArn": project.arn,
            "ProjectId": project.id,
            "CreationTime": project.created,
            "ProjectStatus": project.status,
            **({"ProjectDescription": project.description} if project.description else {}),
        }
        for project in projects_of(call).by_name.values()
    ]
    kept = base.selected(listed, call.params, "ProjectName", sorts={"Name": "ProjectName"}, order="Ascending")
    return base.page(kept, call.params, "ProjectSummaryList")
