"""The steps Card and Gate: what the approver sees, and whether what was approved may go to production.

Card (STEP=card) makes the evidence card when the approval is asked for (card.py). Before, a candidate is let into
production's shadow and out again (shadow_gate.py). Gate (STEP=gate) is the first action of DeployProd. It admits what
an approver saw and approved: the hash of all that Build handed on, production as it is on the card, the version as
Build found it, and an approver who, with FourEyes, is not the version's author. Where no approver was asked, it decides
again whether that is right (unasked.py); of a rollback, whether the gate admitted it before and its tests passed. Each
decision is written into the project's record. Only then production's accounts may use the version (sharing.py). Removal
(STEP=removal) says which stages are deleted after production (removal.py).

Nothing that the gate believes comes from a repository. Where the card is, and who approved, CodePipeline says
(API Reference, ListActionExecutions); a variable of a skipped action cannot be resolved ("Variables reference").
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from pipeline import card, comparison, frozen, live, people, production_alone, record, removal, shadow, shadow_gate
from pipeline.console import UserError, export, run, say, shorten
from pipeline.gating import Gate, actions_of, approval_of, decided, in_stage, runs_of, same_author
from pipeline.live import LiveStage
from pipeline.report import read_results
from pipeline.settings import NEEDED, REJECTED
from pipeline.sharing import share
from pipeline.unasked import last_admitted, let_through, package_of, replaced, why_asked

BUILD_OUTPUT, TESTS = "CODEBUILD_SRC_DIR_BuildOutput", "CODEBUILD_SRC_DIR_StagingTests"
VARIABLES = (
    "STEP", "MANIFEST_SHA256", "PIPELINE_EXECUTION_ID", "SAGEMAKER_PROJECT_NAME", "SAGEMAKER_PROJECT_ID",
    "ARTIFACT_BUCKET", "FOUR_EYES", "CODEBUILD_BUILD_NUMBER", "AWS_REGION", BUILD_OUTPUT,
)  # fmt: skip
LONGEST_SAID = 200  # characters of what a commit says of itself
APPROVAL_STAGE = "ApproveDeployment"  # and its action of the same name
# While another execution is deploying to production. A build on Lambda compute ends after 15 minutes.
POLL_SECONDS, POLL_LIMIT = (0.5, 10.0), 12 * 60.0


# -- the card ----------------------------------------------------------------------------------


def make_card(gate: Gate, tests: Path | None) -> dict[str, str]:
    """Make the card and put it into the artifact bucket; what the action exports.

    tests: the results of staging, None where the project has none
    """
    manifest = gate.manifest
    busy = settled(gate)
    if busy:
        say(f"execution {busy} is still deploying to production: the card says so")
    s3, now = gate.clients("s3", gate.region), {**live.before(gate.given), "prod": gate.live("prod")}
    admitted, outcomes = let_through(record.decisions(s3, gate.bucket)), outcomes_of(gate)
    seen = shadowed(gate, outcomes)
    live_arn = now["prod"].parameters.get("ModelPackageName", "")
    asked = card.Asked(
        manifest,
        gate.manifest_sha256,
        gate.execution,
        {stage: gate.wanted(stage) for stage in manifest["stages"]},
        gate.template,
        now,
        busy,
        who_else(gate),
        replaced(admitted, manifest["model_package"]),
        last_admitted(admitted),
        last_admitted(admitted, live_arn).get("model_package", {}).get("metrics") if live_arn else None,
        commit_of(gate),
        compared_in(tests.with_name(comparison.FOUND)) if tests else {},
        between(gate, outcomes),
        seen,
    )
    made = card.gather(asked, read_results(tests) if tests else (), gate.clients)
    key, sha256 = card.publish(s3, gate.bucket, gate.number, made)
    say(f"the evidence card is {key} in {gate.bucket}")
    text = card.summary(made)
    say(text)
    return {"SUMMARY": text, "REASON": manifest["approval"]["reason"], "CARD_KEY": key, "CARD_SHA256": sha256}


def between(gate: Gate, outcomes: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """What this execution's tests found in each stage between staging and production; {} for nothing."""
    return {name: outcomes.get(name, {}) for name in list(gate.manifest["stages"])[1:-1]}


def shadowed(gate: Gate, outcomes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What this execution's shadow was asked and answered, or why there was none; {} where none is asked for.

    UserError where it ran another version than the approved one: what it answered is no evidence.
    """
    if not shadow.is_planned(gate.manifest):
        return dict(gate.manifest.get("shadow") or {})
    found = dict(outcomes.get("shadow", {"why": "its step has recorded nothing"}))
    if found.get("exchanged"):
        raise UserError(f"production's shadow did not run what was allowed: {found['why']}. {gate.again()}")
    return found


def outcomes_of(gate: Gate) -> dict[str, Mapping[str, Any]]:
    """The newest record of this execution's tests, by stage; {} where the card shows none of them."""
    if len(gate.manifest["stages"]) <= len(NEEDED) and not shadow.is_planned(gate.manifest):
        return {}
    prefix = f"{record.OUTCOMES}{gate.execution}/"
    found = record.by_time(record.read(gate.clients("s3", gate.region), gate.bucket, prefix))
    return {str(one.get("stage", "")): one for one in found}


def compared_in(file: Path) -> dict[str, Any]:
    """What TestStaging compared; {} where it did not."""
    return cast("dict[str, Any]", json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def commit_of(gate: Gate) -> dict[str, str]:
    """Who wrote the commit, when, and what they say of it; only what is known. Any of it is the pusher's own text.

    CodePipeline User Guide, "Variables reference": a connection's source names the author, CodeCommit's does not.
    """
    commit = gate.manifest["commit_id"]
    variables = [run.get("output", {}).get("outputVariables", {}) for run in runs_of(gate)]
    said: dict[str, str] = next((one for one in variables if one.get("CommitId") == commit), {})
    author = said.get("AuthorDisplayName", "")
    if name := said.get("RepositoryName") if not author else "":
        try:
            codecommit = gate.clients("codecommit", gate.region)
            author = codecommit.get_commit(repositoryName=name, commitId=commit)["commit"]["author"].get("name", "")
        except ClientError as error:  # the role has this right since `make accounts` of 0.3
            say(f"the author of commit {commit} is not known: {error.response['Error']['Code']}")
    shown = gate.clients("codepipeline", gate.region).get_pipeline_execution(
        pipelineName=gate.pipeline, pipelineExecutionId=gate.execution
    )["pipelineExecution"]
    sources = [one for one in shown.get("artifactRevisions", []) if one.get("revisionId") == commit]
    link = sources[0].get("revisionUrl", "") if sources else ""
    texts = {"author": author, "message": said.get("CommitMessage", ""), "date": said.get("AuthorDate", "")}
    texts["link"] = link if link.startswith("https://") and len(link) <= LONGEST_SAID else ""
    return {key: shorten(text, LONGEST_SAID) for key, text in texts.items() if text}


def settled(gate: Gate) -> str:
    """Wait until no other execution is deploying to production; the one that still is after the limit, or ""."""
    pause, ends = POLL_SECONDS[0], time.monotonic() + POLL_LIMIT
    while busy := in_stage(gate, "DeployProd"):
        if time.monotonic() > ends:
            break
        say(f"waiting for execution {busy}, which is deploying to production")
        time.sleep(pause)
        pause = min(pause * 1.5, POLL_SECONDS[1])
    return busy


def who_else(gate: Gate) -> str:
    """With FourEyes, who may not approve; "" without."""
    if not gate.four_eyes:
        return ""
    names = people.author_names(gate.author(gate.manifest["model_package"]["version"]))
    if not names:
        return "unknown author: the gate lets no approval through. Have the version approved again by a named person"
    return f"another person than the author of the version ({', '.join(sorted(names))})"


# -- the gate ----------------------------------------------------------------------------------


def decide(gate: Gate) -> dict[str, str]:
    """Write the decision into the record; what the action exports. UserError where production stays as it is."""
    key = f"{record.DECISIONS}{gate.execution}/{gate.number}.json"
    document = decided(gate, key, problems_of, four_eyes=gate.four_eyes)
    if not document["passed"]:
        raise UserError(f"production stays as it is: {document['reason']}")
    share(gate.clients, gate.manifest, "prod")
    package = gate.manifest["model_package"]
    text = f"version {package['version']} may go to production: {document['why']}"
    say(text)
    keys = {"CARD_KEY": document.get("card", "none"), "CARD_SHA256": document.get("card_sha256", "none")}
    # For the notifier (15-notices.yaml).
    notice = {"MODEL_PACKAGE_ARN": package["arn"], "MODEL_PACKAGE_VERSION": str(package["version"])}
    return {"SUMMARY": shorten(text), "REASON": shorten(document["why"]), **keys, **notice}


def problems_of(gate: Gate, document: dict[str, Any]) -> Iterator[str]:
    """Everything that speaks against the deployment. document: the entry of the record, which is completed."""
    manifest = gate.manifest
    package, production = manifest["model_package"], gate.live("prod")
    document |= {"version": package["version"], "arn": package["arn"], "model_package": package_of(package)}
    document["manifest"] = manifest
    codepipeline = gate.clients("codepipeline", gate.region)
    shown = codepipeline.get_pipeline_execution(pipelineName=gate.pipeline, pipelineExecutionId=gate.execution)
    execution = shown["pipelineExecution"]
    target = execution.get("rollbackMetadata", {}).get("rollbackTargetPipelineExecutionId", "")
    if manifest["pipeline_execution_id"] != (target or gate.execution):
        yield f"its manifest belongs to execution {manifest['pipeline_execution_id']}. {gate.again()}"
        return
    yield from frozen.changed(gate.clients, package, since_build=not target)
    if wrong := live.not_deployable("production", manifest["stages"]["prod"]["stack_set_name"], production):
        yield wrong
    # A rollback cannot wait for hours: that execution then finds another production, and sets nothing back.
    if not target and (other := in_stage(gate, "DeployShadow")):
        yield f"execution {other} has a shadow in production: retry the stage DeployProd once DeployShadow has ended"
    if target:
        document |= {"rollback_of": target, "why": f"execution {target} was let through before, and its tests passed"}
        yield from never_let_through(gate, target)
    elif manifest["approval"]["needed"]:
        yield from not_approved(gate, production, document)
    else:
        variables = {v.get("name", ""): v.get("resolvedValue", "") for v in execution.get("variables", [])}
        found = REJECTED.fullmatch(variables.get("ModelPackageVersion", ""))
        rejected, s3 = int(found[1]) if found else None, gate.clients("s3", gate.region)
        document["why"] = f"{manifest['approval']['reason']}, as it was let through before"
        if why := why_asked(s3, gate.bucket, rejected, package, gate.wanted("prod"), production, gate.template):
            yield f"no approver was asked, and one is needed: {why}. {gate.again()}"


def never_let_through(gate: Gate, target: str) -> Iterator[str]:
    """Why a rollback to an execution may not go to production: the gate did not let exactly this through before."""
    s3 = gate.clients("s3", gate.region)

    def has(prefix: str, **wanted: Any) -> bool:
        found = record.read(s3, gate.bucket, f"{prefix}{target}/")
        wanted |= {"passed": True, "manifest_sha256": gate.manifest_sha256}
        return any(all(one.get(key) == value for key, value in wanted.items()) for one in found)

    if not has(record.DECISIONS):
        yield f"the gate never let execution {target} through. {gate.again()}"
    elif not has(record.OUTCOMES, stage="prod"):
        yield f"the tests of production never passed for execution {target}. {gate.again()}"


def not_approved(gate: Gate, production: LiveStage, document: dict[str, Any]) -> Iterator[str]:
    """Why this is not what an approver approved."""
    asked, approval = actions_of(gate, APPROVAL_STAGE).get("Card"), approval_of(gate, APPROVAL_STAGE)
    if approval is None:
        yield f"no person has approved execution {gate.execution}. {gate.again()}"
        return
    document["approval"] = approval
    document["why"] = f"{approval['by'] or 'an approver whom CodePipeline does not name'} approved it"
    if not asked or asked["status"] != "Succeeded":
        yield f"there is no card of execution {gate.execution} that the approver could see. {gate.again()}"
        return
    yield from card_problems(gate, asked.get("output", {}).get("outputVariables", {}), production, document)
    if why := same_author(gate, approval["by"]):
        yield f"FourEyes: {why}: another person must approve the deployment. {gate.again()}"


def card_problems(
    gate: Gate, variables: Mapping[str, str], production: LiveStage, document: dict[str, Any]
) -> Iterator[str]:
    """What is wrong with the card that the approver saw. variables: what the action Card exported"""
    key, sha256 = variables.get("CARD_KEY", ""), variables.get("CARD_SHA256", "")
    document |= {"card": key, "card_sha256": sha256}
    said = read_card(gate, key, sha256)
    if said is None:
        yield f"the card {key} is not the one that was made for this execution. {gate.again()}"
        return
    document |= {"shadow": said["shadow"]} if said.get("shadow") else {}
    if said["execution"] != gate.execution or said["manifest_sha256"] != gate.manifest_sha256:
        yield f"the card {key} is of another deployment. {gate.again()}"
        return
    if other := live.differences(said["production"], production):
        yield f"production is not as it stands on the card: {'; '.join(other)}. {gate.again()}"


def read_card(gate: Gate, key: str, sha256: str) -> dict[str, Any] | None:
    """What the card says; None where it or its page is not as it was written."""
    s3 = gate.clients("s3", gate.region)
    if not key.startswith(f"evidence/{gate.execution}/"):
        return None
    try:
        body = s3.get_object(Bucket=gate.bucket, Key=card.json_key(key))["Body"].read()
        page = s3.get_object(Bucket=gate.bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchKey", "404"}:
            raise
        return None
    if hashlib.sha256(body).hexdigest() != sha256:
        return None
    said: dict[str, Any] = json.loads(body)
    return said if hashlib.sha256(page).hexdigest() == said["page_sha256"] else None


def main() -> int:
    if missing := [name for name in VARIABLES if not os.environ.get(name)]:
        raise UserError(f"the gate project is not complete: {', '.join(missing)} not set (make upgrade)")
    patient = Config(retries={"mode": "standard", "max_attempts": 8})
    # There is a table where the price list cannot be reached.
    hasty = Config(retries={"mode": "standard", "max_attempts": 2}, connect_timeout=5, read_timeout=15)

    @cache
    def client(service: str, region: str) -> Any:
        config = hasty if service == "pricing" else patient
        return boto3.client(service, region_name=region, config=config)  # type: ignore[call-overload]

    gate = Gate(
        manifest_sha256=os.environ["MANIFEST_SHA256"],
        execution=os.environ["PIPELINE_EXECUTION_ID"],
        project=os.environ["SAGEMAKER_PROJECT_NAME"],
        project_id=os.environ["SAGEMAKER_PROJECT_ID"],
        bucket=os.environ["ARTIFACT_BUCKET"],
        four_eyes=os.environ["FOUR_EYES"] == "true",
        number=os.environ["CODEBUILD_BUILD_NUMBER"],
        region=os.environ["AWS_REGION"],
        given=Path(os.environ[BUILD_OUTPUT]),
        kit=Path(),
        clients=client,
        production_alone=production_alone.asked(os.environ),
    )
    steps = {"removal": removal.step, **shadow_gate.STEPS}
    if (step := os.environ["STEP"]) == "card":
        export(make_card(gate, None if gate.production_alone else Path(os.environ.get(TESTS, "")) / "results.json"))
    else:
        export(steps.get(step, decide)(gate))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
