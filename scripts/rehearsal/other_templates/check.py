"""Checks of another team's template before anything of it is created: its prerequisites, and whether it can be run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from awslang.bounded import read_start
from awslang.errors import AwsError, NotSupported
from awslang.template import schemas
from awslang.template import template as templates
from awslang.template.template import S3_BYTES, Template, TemplateError
from localaws.cloudformation.deploy import forget
from localaws.cloudformation.goals import Goal, PartsNotSupported, UnsupportedPart, prepare
from localaws.cloudformation.provider import provider_for
from localaws.cloudformation.stacks import new_stack
from localaws.services.codepipeline import providers as codepipeline_providers
from scripts.kit.console import UsageError, explain, say
from scripts.kit.stacks.stack import reasons
from scripts.rehearsal.other_templates import seeds as template_seeds
from scripts.rehearsal.other_templates.run import PIPELINE, Refused, Run

CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
OWN = ("SageMakerProjectName", "SageMakerProjectId")


def read(path: Path) -> str:
    """The text of a template; no more of it is read than CloudFormation takes."""
    try:
        content = read_start(path, S3_BYTES + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} cannot be read: it is not text in UTF-8") from error
    if len(content) > S3_BYTES:
        raise UsageError(f"{path} has more than {S3_BYTES:,} bytes, which is the most that CloudFormation takes")
    return text


def deploy_before(run: Run, path: Path) -> None:
    """Deploy an administrator's stack: roles, buckets or keys that the template expects to exist."""
    cloudformation = run.administrator.client("cloudformation")
    body = read(path)
    try:
        known = templates.parse(body).parameters
    except TemplateError as error:
        raise Refused(f"--setup {path}: {error}{place_of(error)}") from error
    given = {name: value for name, value in run.parameters(run.options.parameters).items() if name in known}
    run.of_setup |= set(known)
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
        parsed = templates.parse(body)
        why = reasons(cloudformation, name, lambda id: f"{path}:{parsed.line('Resources', id)}")
        raise Refused(f"--setup {path}: {status}\n{why}")


def attach(run: Run, role: str, policy: str) -> None:
    try:
        run.administrator.client("iam").attach_role_policy(RoleName=role, PolicyArn=policy)
    except ClientError as error:
        raise Refused(f"--attach {role}={policy}: {explain(error)}") from error


def check(run: Run) -> None:
    """Read the template, put the seed code where it expects it; Refused where it cannot be run."""
    body = read(run.options.template)
    for old, new in run.parameters(run.options.replace).items():
        body = body.replace(old, new)
    try:
        parsed = templates.parse(body)
        for placeholder in template_seeds.placeholders(parsed):
            body = body.replace(placeholder, run.seed_bucket)
            run.notes.append(f"{placeholder} is not a bucket name: replaced by {run.seed_bucket}")
        run.body, run.parsed = body, templates.parse(body)
        run.notes += run.parsed.warnings
    except TemplateError as error:
        raise Refused(f"{error}{place_of(error)}") from error
    if lacking := [name for name in OWN if name not in run.parsed.parameters]:
        raise Refused(f"The template has no parameter {' and '.join(lacking)}, which SageMaker fills in")
    goal = goal_of(run)
    if parts := unsupported_actions(goal.template, set(goal.evaluator.active())):
        raise Refused("", parts)
    seed(run, goal)


def place_of(error: TemplateError) -> str:
    """Where in the template: " (resource X, line 7)", as far as it is known."""
    line = f"line {error.line}" if error.line and f"(line {error.line}" not in str(error) else ""
    known = (f"resource {error.logical_id}" if error.logical_id else "", line)
    return f" ({', '.join(filter(None, known))})" if any(known) else ""


def goal_of(run: Run) -> Goal:
    """The template with the parameters that the project will have, checked as CloudFormation does."""
    name = f"check-{run.options.project}"
    stack = new_stack(run.cloud, run.account, run.options.region, name)
    given = {**run.own_parameters, OWN[0]: run.options.project, OWN[1]: "p-0rehearsal00"}
    try:
        return prepare(run.cloud, run.administrator, stack, run.body, given, None, {}, CAPABILITIES)
    except PartsNotSupported as error:
        raise Refused("", error.parts) from error
    except NotSupported as error:
        raise Refused(error.message, unsupported_types(stack.region, run.body)) from error
    except AwsError as error:
        raise Refused(f"{error.code}: {error.message}", unsupported_types(stack.region, run.body)) from error
    finally:
        forget(run.cloud, stack)


def unsupported_types(region: str, body: str) -> list[UnsupportedPart]:
    """Types that are not supported, of the resources that are always created."""
    parsed = templates.parse(body)
    return [
        UnsupportedPart(f"the resource type {kind}", kind, logical_id, parsed.line("Resources", logical_id, "Type"))
        for logical_id, resource in parsed.resources.items()
        if isinstance(resource, dict) and "Type" in resource and "Condition" not in resource
        if schemas.known(kind := str(resource["Type"]), region) and provider_for(kind) is None
    ]


def unsupported_actions(parsed: Template, active: set[str]) -> list[UnsupportedPart]:
    """Actions of pipelines whose provider is not supported: the pipeline could not be created."""
    found = []
    for logical_id in sorted(active):
        resource = parsed.resources[logical_id]
        if resource["Type"] != PIPELINE:
            continue
        for path, action in actions_of(resource):
            kind = action.get("ActionTypeId") or {}
            provider = (str(kind.get("Category")), str(kind.get("Provider")))
            if kind.get("Owner") == "AWS" and provider in codepipeline_providers.NOT_SUPPORTED:
                line = parsed.line("Resources", logical_id, *path, "ActionTypeId", "Provider")
                what = f"the action {action.get('Name')} with the {provider[0]} provider {provider[1]}"
                found.append(UnsupportedPart(what, PIPELINE, logical_id, line))
    return found


def actions_of(pipeline: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Every action that is written out in the template, with its path in the resource."""
    stages = (pipeline.get("Properties") or {}).get("Stages")
    for number, stage in enumerate(stages if isinstance(stages, list) else []):
        actions = stage.get("Actions") if isinstance(stage, dict) else None
        for index, action in enumerate(actions if isinstance(actions, list) else []):
            if isinstance(action, dict):
                yield ("Properties", "Stages", number, "Actions", index), action


def seed(run: Run, goal: Goal) -> None:
    """Upload the seed code; a repository without seed code gets a note (its creation will fail, as on AWS)."""
    try:
        expected = template_seeds.places(goal)
    except TemplateError as error:
        raise Refused(f"{error}{place_of(error)}") from error
    except NotSupported as error:
        raise Refused(error.message) from error
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
