"""The Build step: decides what is deployed where, once, and writes it down for the steps that follow.

1. The model group exists.
2. The version is resolved (after a rejection it is the one approved before, rollback.py), checked, copied into
   every further Region, and shared with the stages' accounts (sharing.py).
3. out/ holds the manifest, the parameters of each stage, and the golden payloads. The hash of it all goes to the
   pipeline, and the gate before production compares it (gate.py).

The step's code and both templates are published ones. The deploy repository is data: nothing of it is run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from pipeline import (
    batch,
    combinations,
    comparison,
    live,
    metric_gates,
    monitors,
    outcome,
    production_alone,
    record,
    release,
    removal,
    shadow,
)
from pipeline import manifest as documents
from pipeline.accounts import Account, accounts_of
from pipeline.approvals import Approvals
from pipeline.clients import Clients
from pipeline.console import UserError, export, run, say, shorten
from pipeline.documents import listed as mistakes
from pipeline.executions import pipeline_name
from pipeline.frozen import Frozen, copies_now, frozen
from pipeline.parameters import declared_parameters
from pipeline.payloads import GOLDEN, Golden, check_fits, read_golden, summary
from pipeline.regions import check_regions, copies
from pipeline.registry import Version, check_version, containers_of, ensure_group, metrics_of
from pipeline.rollback import Answer, after_rejection
from pipeline.settings import REJECTED, Settings, Stage, read_settings
from pipeline.sharing import check_kinds, check_place, check_room, share
from pipeline.unasked import last_admitted, let_through, was_admitted, why_asked

if TYPE_CHECKING:
    from mypy_boto3_organizations import OrganizationsClient

OUT = Path("out")
REPOSITORY = "CODEBUILD_SRC_DIR_SourceOutput"  # CodeBuild's variable for the input artifact that is not the primary one
ASKED = "MODEL_PACKAGE_VERSION"  # of read_settings
ALONE = "without-approval"  # of DEPLOY: 30-project.yaml skips the approver for it
NAMED = 20  # accounts of a stage that the log names


def build(settings: Settings, golden: Golden, kit: Path, repository: Path, clients: Clients) -> dict[str, str]:
    """Do the step's work, and write kit/out; what it exports to the pipeline.

    golden: the repository's payloads; kit: the folder of the published code; repository: that of the deploy repository
    """
    sagemaker, s3 = clients("sagemaker", settings.region), clients("s3", settings.region)
    ensure_group(sagemaker, settings.group, settings.project, settings.tags)
    organizations = clients("organizations", settings.region)
    accounts = {stage.name: targets(organizations, stage) for stage in settings.stages}
    for stage in settings.stages:
        say(f"{stage.name}: {listed(accounts[stage.name])} in {', '.join(stage.regions)}, by {stage.file}")
    for note in production_alone.notes(repository) if settings.production_alone else ():
        say(note)

    answer = decide(settings, clients)
    version, reason = answer.version, answer.reason
    out = kit / OUT
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    if version is None:
        say(f"nothing to deploy: {reason}")
        write_json(out / "deployment.json", documents.nothing_to_deploy(settings, reason))
        return {
            "DEPLOY": "false",
            "REASON": reason,
            "MODEL_PACKAGE_ARN": "none",
            "MODEL_PACKAGE_VERSION": "none",
            "SUMMARY": f"Nothing: {reason}.",
            "REMOVE": removal.NONE,
            "MANIFEST_SHA256": documents.digest(out),
            "SHADOW": "false",
        }

    say(f"deploying version {version.number}: {version.arn}")
    check_fits(golden, version.number, version.model, version.columns)
    batch.check_payloads(settings.stages, golden.of_version(version.number))
    for stage in settings.stages[:-1]:  # the gate looks at production
        refuse_replacement(settings, stage, clients)
    template = (kit / "40-stage.yaml").read_text(encoding="utf-8")
    cloudformation = clients("cloudformation", settings.region)
    now = {name: live.deployed(cloudformation, stack) for name, stack in stack_names(settings).items()}
    refuse_changes(settings, now, template)
    last = {
        name: outcome.newest(s3, settings.artifact_bucket, name) if parameters else None
        for name, parameters in now.items()
    }
    check_regions(clients, settings, version)
    check_version(s3, version, settings.region)
    itself = frozen(clients, version.arn, version.specification)
    gates = judge(settings, version, itself, now["prod"], clients)
    check_place(settings, version)
    check_kinds(settings, version)
    watched = {stage.name: monitors.parameters(stage, version, settings.folder) for stage in settings.stages}
    arns = copies(clients, settings, version)
    url = template_url(settings, version.arn.split(":")[1])
    digest = hashlib.sha256((kit / "50-endpoint.yaml").read_bytes()).hexdigest()
    releases: dict[str, int] = {}
    wanted: dict[str, dict[str, str]] = {}
    for stage in settings.stages:
        parameters = documents.stage_parameters(settings, stage, version, accounts[stage.name], arns, url)
        parameters["Parameters"] |= watched[stage.name]
        there = now[stage.name], last[stage.name]
        releases[stage.name] = number_of(stage, parameters["Parameters"], *there, template)
        wanted[stage.name] = parameters["Parameters"]
        write_json(out / f"{stage.name}-parameters.json", parameters)
    package = itself | {"copies": copies_now(clients, version.arn, arns)}
    why = "the version is new to production, or its settings are"
    if answer.alone:
        back = {"arn": version.arn, "version": version.number, **package}
        why = why_unasked(settings, back, wanted["prod"], template, clients)
    approval = {"needed": bool(why), "reason": why or reason}
    manifest = documents.manifest(settings, version, accounts, arns, url, digest, releases, package, approval, reason)
    held = golden.of_version(version.number)
    manifest["tests"] = summary(held, (repository / GOLDEN).read_bytes(), own_tests(repository))
    manifest["gates"] = gates
    beside = both(settings, version, now["prod"], last["prod"], clients)
    manifest["shadow"] = shadow.plan(settings, version.arn, now["prod"], wanted["prod"], bool(why), beside)
    check_room(manifest)
    write_json(out / "deployment.json", manifest)
    write_json(out / live.BEFORE, {stage.name: before(settings, stage, now, clients) for stage in settings.stages[:-1]})
    write_json(out / comparison.LIVE, comparison.of_live(last["prod"], now["prod"].get("ModelPackageName", "")))
    shutil.copy(repository / GOLDEN, out)
    planned = shadow.is_planned(manifest)
    if planned:
        for name, document in shadow.files(now["prod"], version.arn, arns, parameters["Tags"]).items():
            write_json(out / name, document)
    share(clients, manifest, "staging")  # with production the gate does, once it is approved
    return {
        "DEPLOY": "true" if why else ALONE,
        "REASON": reason,
        "MODEL_PACKAGE_ARN": version.arn,
        "MODEL_PACKAGE_VERSION": str(version.number),
        "SUMMARY": shorten(f"{settings.project} version {version.number}: {reason}."),
        "REMOVE": removal.exported(manifest["stages"]),
        "MANIFEST_SHA256": documents.digest(out),
        "SHADOW": "true" if planned else "false",
    }


def both(
    settings: Settings,
    version: Version,
    production: Mapping[str, str],
    last: Mapping[str, Any] | None,
    clients: Clients,
) -> shadow.Both:
    """The candidate and the version of production. production: its stack's parameters; last: its newest tests"""
    if not settings.shadow_minutes:
        return shadow.Both()
    live_ones = containers_of(clients("sagemaker", settings.region), production.get("ModelPackageName", ""))
    return shadow.Both(version.specification["Containers"], live_ones, release.taken_back(last))


def own_tests(repository: Path) -> dict[str, bytes]:
    """The files of own tests, by name; a link is none (own_tests.py)."""
    files = sorted((repository / "tests").glob("test_*.py"))
    return {file.name: file.read_bytes() for file in files if file.is_file() and not file.is_symlink()}


def why_unasked(
    settings: Settings, package: dict[str, Any], wanted: dict[str, str], template: str, clients: Clients
) -> str:
    """Why an approver is asked although the version was in production before; "" where none is."""
    stack = documents.stack_name(settings, settings.stages[-1])
    now = live.look(clients("cloudformation", settings.region), stack, settings.call_as)
    s3 = clients("s3", settings.region)
    if why := why_asked(s3, settings.artifact_bucket, settings.rejected, package, wanted, now, template):
        say(f"production waits for an approver: {why}")
    return why


def judge(
    settings: Settings, version: Version, itself: Frozen, production: Mapping[str, str], clients: Clients
) -> dict[str, Any]:
    """What production's metric gates say of the version. itself: it as it is now; production: its stack's parameters"""
    gates = metric_gates.read(settings.stages[-1].config)
    if not gates.metrics and gates.agreement is None:
        return {}
    admitted = let_through(record.decisions(clients("s3", settings.region), settings.artifact_bucket))
    arn = production.get("ModelPackageName", "")
    was = last_admitted(admitted, arn).get("model_package", {}).get("metrics") if arn else {}
    if was is None:  # from before the record held it
        was = metrics_of(clients("sagemaker", settings.region), arn)
    judged = not was_admitted(admitted, {"arn": version.arn, **itself})
    back = f"version {settings.rejected} was rejected" if settings.rejected else ""
    found = metric_gates.judge(gates, version.number, version.metrics, was, arn.rpartition("/")[2], judged, back)
    if found["override"]:
        say(f"version {version.number} does not pass the metric gates, and is let through: {found['override']}")
    return found


def refuse_replacement(settings: Settings, stage: Stage, clients: Clients) -> None:
    """UserError where the deployment of a stage would delete endpoints that are there."""
    cloudformation, stack = clients("cloudformation", settings.region), documents.stack_name(settings, stage)
    removal.wait_for(cloudformation, stack)
    if problem := live.refuse_replacement(cloudformation, stage.name, stack, settings.call_as):
        raise UserError(problem)


def decide(settings: Settings, clients: Clients) -> Answer:
    """The version to deploy, and why: what was asked for, or what follows from a rejection."""
    if settings.rejected is not None:
        return after_rejection(settings, settings.rejected, stack_names(settings), clients)
    approvals = Approvals.read(settings, clients)
    if settings.version is not None:
        return Answer(approvals.approved(settings.version), f"version {settings.version} is approved")
    version = approvals.last()
    if version is None:
        return Answer(None, approvals.why_none())
    return Answer(version, f"version {version.number} is approved")


def stack_names(settings: Settings) -> dict[str, str]:
    return {stage.name: documents.stack_name(settings, stage) for stage in settings.stages}


def before(settings: Settings, stage: Stage, now: Mapping[str, Mapping[str, str]], clients: Clients) -> dict[str, Any]:
    """A stage as it is now, for the card, which is made after the deployment to it. now: parameters by stage"""
    stack, parameters = documents.stack_name(settings, stage), now[stage.name]
    cloudformation = clients("cloudformation", settings.region)
    places = live.places_of(cloudformation, stack, settings.call_as) if parameters else ()
    return live.LiveStage("", parameters, places).document()


def refuse_changes(settings: Settings, now: Mapping[str, Mapping[str, str]], template: str) -> None:
    """UserError with everything that SageMaker would refuse of the changes of the stages."""
    declared, problems = declared_parameters(template), list[str]()
    for stage in settings.stages:
        file, stack = stage.file, documents.stack_name(settings, stage)
        problems += combinations.in_place(file, stack, now[stage.name], stage.parameters, declared)
    if problems:
        raise UserError(mistakes(problems))


def number_of(
    stage: Stage, wanted: dict[str, str], now: Mapping[str, str], last: Mapping[str, Any] | None, template: str
) -> int:
    """The number of the stage's configuration: another one where it changes, or was taken back.

    It is added to wanted, the stack's parameters, with what the update does with the number of instances.
    now: the parameters that the stack has; last: the newest record of its tests
    """
    declared, again = declared_parameters(template), release.taken_back(last)
    found = release.release(wanted, now, declared, last)
    if again:
        say(f"{stage.name}: SageMaker took the last update back, so this one has a configuration of its own ({found})")
    same = bool(now) and (again or str(found) == now.get(release.PARAMETER, str(release.FIRST)))
    keeps = combinations.keeps_count(now, wanted, declared, same)
    if combinations.scaled(now, declared) and not keeps and not same:
        count = combinations.effective(wanted, declared)["InitialInstanceCount"]
        say(f"{stage.name}: the update begins with InitialInstanceCount, {count}, whatever autoscaling has come to")
    wanted |= {release.PARAMETER: str(found), "KeepInstanceCount": "true" if keeps else "false"}
    return found


def listed(accounts: tuple[Account, ...]) -> str:
    """The accounts by name, and how many more there are; the manifest holds them all."""
    named, more = ", ".join(map(str, accounts[:NAMED])), len(accounts) - NAMED
    return f"{named} and {more} more" if more > 0 else named


def targets(organizations: OrganizationsClient, stage: Stage) -> tuple[Account, ...]:
    """The accounts of a stage: those of its unit, or those that are listed where there is no organization."""
    if not stage.unit:
        return tuple(Account(account) for account in sorted(set(stage.accounts)))
    return accounts_of(organizations, stage.unit)


def write_json(place: Path, document: dict[str, Any]) -> None:
    place.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def template_url(settings: Settings, partition: str) -> str:
    """Where CloudFormation reads 50-endpoint.yaml: in the bundle bucket, under the hash of its bundle."""
    suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    return f"https://{settings.bundle_bucket}.s3.{settings.region}.{suffix}/{settings.endpoint_template_key}"


def asked(environment: Mapping[str, str], clients: Clients) -> str:
    """The pipeline's variable ModelPackageVersion in this execution, as CodePipeline says; "" where it cannot be asked.

    Not from an environment variable of the action: CodePipeline writes those as JSON and puts a variable into its text,
    so that a value with a quote in it would set other variables of the build.
    """
    names = ("AWS_REGION", "SAGEMAKER_PROJECT_NAME", "SAGEMAKER_PROJECT_ID", "PIPELINE_EXECUTION_ID")
    if not all(environment.get(name) for name in names):
        return ""  # read_settings names what is missing
    region, project, project_id, execution = (environment[name] for name in names)
    try:
        shown = clients("codepipeline", region).get_pipeline_execution(
            pipelineName=pipeline_name(project, project_id), pipelineExecutionId=execution
        )["pipelineExecution"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        raise UserError(
            f"the version that execution {execution} is to deploy cannot be asked for: run `make accounts`, which lets "
            "the build role do that, and release the change again"
        ) from error
    values = {one.get("name", ""): one.get("resolvedValue", "") for one in shown.get("variables", [])}
    return values.get("ModelPackageVersion", "")


def main() -> int:
    if not os.environ.get(REPOSITORY):
        raise UserError(f"the build project is not complete: environment variable {REPOSITORY} is not set")
    kit, repository = Path(), Path(os.environ[REPOSITORY])
    patient = Config(retries={"mode": "standard", "max_attempts": 8})

    @cache
    def client(service: str, region: str) -> Any:
        return boto3.client(service, region_name=region, config=patient)  # type: ignore[call-overload]

    wanted = asked(os.environ, client)
    try:
        settings = read_settings({**os.environ, ASKED: wanted}, kit, repository)
        golden = read_golden(repository / GOLDEN)  # a mistake in it shows before anything is deployed
    except UserError as error:
        if rejected := REJECTED.fullmatch(wanted):
            raise UserError(
                f"{error}\nVersion {rejected[1]} was rejected, and nothing was done about it: where it is live, it "
                "stays. Bring the version before it back with `make rollback`, or push a correction and reject the "
                "version again (set another approval status, then Rejected)"
            ) from error
        raise
    export(build(settings, golden, kit, repository, client))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
