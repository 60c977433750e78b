"""The Test steps: every endpoint of a stage is in service, serves the manifest's version, and answers right.

Each account and Region is tried, whatever happens in the others. An endpoint whose update SageMaker took back is in
service too, as it was before: so what it runs on is looked up, not assumed (outcome.py).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from pipeline import asynchronous, batch, comparison, images, outcome, shadow_watch
from pipeline.answers import read_answer, wrong
from pipeline.clients import AccountClients
from pipeline.console import UserError, counted, export, run, say, shorten
from pipeline.documents import read_document
from pipeline.frozen import exchanged
from pipeline.manifest import digest
from pipeline.outcome import Checked, Served
from pipeline.payloads import GOLDEN, Golden, Latency, Payload, read_golden, recorded
from pipeline.report import Result, write_junit, write_results
from pipeline.testers import AT_ONCE, CONFIG, regional, testers

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

MANIFEST = "deployment.json"
LONGEST_FAILURE = 2000  # characters: an answer may have 6 MB
RESULTS = Path("results/results.json")
BUILD_OUTPUT = "CODEBUILD_SRC_DIR_BuildOutput"  # CodeBuild's variable for the folder of the Build step's artifact
# The build has 45 minutes (30-project.yaml). What is not asked by then is reported as a failure, with time left for a
# request that hangs and its retries, and for the report and the card: a build that times out would say nothing.
SECONDS = 22 * 60.0
BUCKET, KEY = "the bucket of its data can be used", "the key of its data can be used"  # names of checks
OUT_OF_TIME = (
    f"not asked any more after {SECONDS / 60:g} minutes: look at slow endpoints, or take fewer accounts a stage"
)


def reasons(cloudformation: CloudFormationClient, part: Mapping[str, Any]) -> dict[str, str]:
    """Why CloudFormation could not deploy to a place (account/Region), as the stage's stack set says.

    A stage may tolerate failures (FailureTolerancePercentage): its deployment has succeeded then, without these.
    """
    stack_set = {"StackSetName": part["stack_set_name"], "CallAs": part["stack_set_call_as"]}
    pages = cloudformation.get_paginator("list_stack_instances").paginate(**stack_set)
    failed = (i for page in pages for i in page["Summaries"] if i["Status"] != "CURRENT" and i.get("StatusReason"))
    return {f"{i['Account']}/{i['Region']}": str(i["StatusReason"]) for i in failed}


def check_stage(
    manifest: Mapping[str, Any],
    stage: str,
    golden: Golden,
    become: Callable[[str, str], AccountClients],
    seconds: float = SECONDS,
    why: Mapping[str, str] = MappingProxyType({}),
    at_once: int = AT_ONCE,
) -> list[Checked]:
    """What every account and Region of the stage serves, with its results, in the manifest's order.

    become: the tester's clients for an account and a Region; seconds: after which nothing more is asked
    why: CloudFormation could not deploy to some (see reasons): added to the first check that fails there
    """
    part, ends = manifest["stages"][stage], time.monotonic() + seconds
    places = [(account["id"], region) for account in part["accounts"] for region in part["regions"]]

    def check(place: tuple[str, str]) -> Checked:
        found = check_place(manifest, stage, place, golden, become, ends)
        return replace(found, results=tuple(explained([*found.results], why.get("/".join(place), ""))))

    with ThreadPoolExecutor(max_workers=at_once) as pool:
        return [*pool.map(check, places)]


def results_of(checked: Iterable[Checked]) -> list[Result]:
    return [result for one in checked for result in one.results]


def explained(results: list[Result], why: str) -> list[Result]:
    """The results of a place; the first failure carries the reason that CloudFormation gives."""
    first = next((number for number, result in enumerate(results) if result.failure), None)
    if first is None or not why:
        return results
    with_reason = replace(results[first], failure=f"{results[first].failure}. CloudFormation: {why}")
    return [*results[:first], with_reason, *results[first + 1 :]]


def check_place(
    manifest: Mapping[str, Any],
    stage: str,
    place: tuple[str, str],
    golden: Golden,
    become: Callable[[str, str], AccountClients],
    ends: float,
) -> Checked:
    """One account and Region; an AWS error is a failure of the check in which it comes up.

    ends: when, in time.monotonic(), nothing more is asked
    """
    account, region = place
    where, part = f"{account}/{region}", manifest["stages"][stage]
    served, jobs = Served(account, region, part["endpoint_name"]), batch.is_batch(part)
    partition = manifest["model_package"]["arn"].split(":")[1]
    results: list[Result] = []

    def check(name: str, work: Callable[[], str]) -> bool:
        started = time.monotonic()
        failure = tried(work) if started < ends else OUT_OF_TIME
        seconds = time.monotonic() - started
        if failure:
            failure = shorten(failure, LONGEST_FAILURE)
            failure = f"account {account}, Region {region}, {name}: {failure}"
        results.append(Result(where, name, seconds, failure))
        return not failure

    clients: AccountClients | None = None

    def assume() -> str:
        nonlocal clients
        clients = become(account, region)
        return ""

    def look(there: AccountClients) -> str:
        nonlocal served
        served = look_at(there, served, partition, jobs)
        return outcome.in_service(served, manifest["project"].get("name", ""))

    def compare() -> str:
        nonlocal served
        package = manifest["model_package"]
        found = outcome.as_deployed(served, package["regions"][region], part.get("release"))
        there = package.get("copies", {}).get(region, package)
        found = found or images.exchanged(served.images, there.get("images", []))
        served = replace(served, as_deployed=not found)
        return found

    there = clients if check("the tester's role can be assumed", assume) else None
    if there is None or not check("the endpoint is in service", lambda: look(there)):
        return Checked(served, tuple(results))
    check("the endpoint serves the manifest's model", compare)
    if jobs:
        heard = ask_job(there, served, part, batch.machine_arn(served, partition), golden, ends, check)
        return Checked(served, tuple(results), heard)
    settings, endpoint = asynchronous.parameters(part), part["endpoint_name"]
    answers, captured = (
        asynchronous.place(settings.get(name, ""), folder, account, region)
        for name, folder in (("AsyncOutputS3Uri", "asynchronous"), ("DataCaptureS3Uri", "capture"))
    )
    if not keeps_data(there, (answers, captured), endpoint, settings, check) and answers:
        return Checked(served, tuple(results))  # no answer would come
    seen: dict[str, Any] = {}
    took: list[float] = []
    runtime = there("sagemaker-runtime")
    asked = partial(asynchronous.ask, there, endpoint, answers) if answers else partial(ask, runtime, endpoint, took)
    for payload in golden.payloads:
        check(payload.name, partial(asked, payload, seen))
    if golden.latency and not answers:
        work = partial(percentile, runtime, endpoint, took, golden.payloads, golden.latency, ends)
        check(f"latency, {golden.latency.percentile:g} %", work)
    return Checked(served, tuple(results), seen, tuple(took))


def keeps_data(
    there: AccountClients,
    places: tuple[str, ...],
    endpoint: str,
    settings: Mapping[str, str],
    check: Callable[[str, Callable[[], str]], bool],
) -> bool:
    """Whether what the endpoint writes can be kept. places: S3 URIs, "" for none; check: of check_place"""
    key, kept = settings.get("DataKmsKeyId", ""), True
    for uri in filter(None, places):
        kept &= check(BUCKET, partial(asynchronous.check_bucket, there, uri, endpoint))
        if key and kept:
            kept &= check(KEY, partial(asynchronous.check_key, there, uri, endpoint, key))
    return kept


def ask_job(
    there: AccountClients,
    served: Served,
    part: Mapping[str, Any],
    machine: str,
    golden: Golden,
    ends: float,
    check: Callable[[str, Callable[[], str]], bool],
) -> dict[str, Any]:
    """The answers of a batch stage to the golden payloads, by name. check: of check_place, which takes the results"""
    bucket, seen = batch.bucket_of(part, served.account, served.region), dict[str, Any]()
    check(BUCKET, partial(batch.check_bucket, there, bucket, served.endpoint))
    accept = asynchronous.parameters(part).get("BatchAccept", "")
    asked = partial(batch.ask, there, served, machine, bucket, golden.payloads, accept, seen, ends)
    if check("a transform job answers the golden payloads", asked):
        for payload in golden.payloads:
            check(payload.name, partial(wrong, payload, seen[payload.name]))
    return seen


def tried(work: Callable[[], str]) -> str:
    """What a check finds wrong, or the error in it."""
    try:
        return work()
    except (ClientError, BotoCoreError) as error:
        return described(error)
    except (ArithmeticError, RecursionError) as error:  # an answer is anything: a number of 400 digits, say
        return f"the answer cannot be compared: {error}"


def look_at(there: AccountClients, bare: Served, partition: str, jobs: bool) -> Served:
    """What an endpoint serves now, or a batch stage (jobs)."""
    return batch.look(there, bare, partition) if jobs else outcome.look(there("sagemaker"), bare)


def described(error: Exception) -> str:
    """An error of AWS in one line: operation, code and message."""
    if isinstance(error, ClientError):
        return (
            f"{error.operation_name}: {error.response['Error'].get('Code')}: {error.response['Error'].get('Message')}"
        )
    return str(error)


def ask(
    runtime: SageMakerRuntimeClient, endpoint: str, took: list[float], payload: Payload, answers: dict[str, Any]
) -> str:
    """What is wrong with the endpoint's answer to a payload, or "".

    answers: by the payload's name, to which this one is added; took: to which its milliseconds are added
    """
    answers[payload.name], milliseconds = answer_of(runtime, endpoint, payload)
    if milliseconds > payload.max_latency_ms and not wrong(payload, answers[payload.name]):
        answers[payload.name], milliseconds = answer_of(runtime, endpoint, payload)  # the first paid for the connection
    took.append(milliseconds)
    if failure := wrong(payload, answers[payload.name]):
        return failure
    if milliseconds > payload.max_latency_ms:
        return f"expected an answer within {payload.max_latency_ms:g} ms, got one after {milliseconds:.0f} ms"
    return ""


def answer_of(runtime: SageMakerRuntimeClient, endpoint: str, payload: Payload) -> tuple[Any, float]:
    """One answer, and how many milliseconds it took."""
    accept = {"Accept": payload.accept} if payload.accept else {}
    started = time.monotonic()
    answer = runtime.invoke_endpoint(
        EndpointName=endpoint, ContentType=payload.content_type, Body=payload.body.encode(), **accept
    )
    body = answer["Body"].read()
    milliseconds = (time.monotonic() - started) * 1000
    return read_answer(answer.get("ContentType", ""), body), milliseconds


def percentile(
    runtime: SageMakerRuntimeClient,
    endpoint: str,
    took: list[float],
    payloads: tuple[Payload, ...],
    latency: Latency,
    ends: float,
) -> str:
    """What is wrong with how long answers take on the whole: the payloads are asked by turns, one after the other.

    took: to which the milliseconds of each are added
    """
    already = len(took)
    for number in range(latency.requests):
        if time.monotonic() > ends:
            return OUT_OF_TIME
        took.append(answer_of(runtime, endpoint, payloads[number % len(payloads)])[1])
    found = comparison.percentile(took[already:], latency.percentile)
    if found <= latency.max_ms:
        return ""
    within = f"{latency.percentile:g} % of {counted(latency.requests, 'answer')} within {latency.max_ms:g} ms"
    return f"expected {within}, got {found:.0f} ms"


def summary(stage: str, results: list[Result], compared: Mapping[str, Any] = MappingProxyType({})) -> str:
    """What the approver reads about the tests. compared: of comparison.compare(), {} for none"""
    places, failed = len({result.place for result in results}), [result.failure for result in results if result.failure]
    if failed:
        return shorten(f"{stage}: {len(failed)} of {len(results)} checks failed: {'; '.join(failed)}")
    skipped = sum(bool(result.skipped) for result in results)
    more = f", {skipped} skipped" if skipped else ""
    beside = f"; {comparison.agreement(compared)}" if "live" in compared else ""
    return shorten(
        f"{stage}: {counted(len(results) - skipped, 'check')} passed on {counted(places, 'endpoint')}{more}{beside}."
    )


def write_answers(file: Path, checked: Iterable[Checked]) -> None:
    """The golden payloads with the answers of the first endpoint that gave any, beside the results."""
    answers = next((one.answers for one in checked if one.answers), None)
    if answers is None:
        return
    document = recorded(read_document(file), answers)
    (RESULTS.parent / GOLDEN.name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    say(f"{GOLDEN.name} in this step's artifact has the answers of this version: a new model's right ones, once read")


def compared_with_live(given: Path, golden: Golden, checked: list[Checked]) -> dict[str, Any]:
    """The answers beside those of the version that is live, which the card shows; {} where Build handed none on.

    given: the folder of Build's artifact
    """
    live = given / comparison.LIVE
    if not live.is_file():  # of a Build of an older bundle
        return {}
    found = comparison.compare(golden, json.loads(live.read_text(encoding="utf-8")), checked)
    say(found["why"] if "why" in found else comparison.agreement(found))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    (RESULTS.parent / comparison.FOUND).write_text(json.dumps(found), encoding="utf-8")
    return found


def main() -> int:
    stage, external_id = os.environ.get("STAGE", ""), os.environ.get("TESTER_EXTERNAL_ID", "")
    given = Path(os.environ.get(BUILD_OUTPUT, ""))
    manifest = json.loads((given / MANIFEST).read_text(encoding="utf-8"))
    if stage not in manifest["stages"]:
        raise UserError(f"STAGE is {stage!r}: the manifest has {', '.join(manifest['stages'])}")
    if not external_id:
        raise UserError("TESTER_EXTERNAL_ID is not set: the build project takes it from the Parameter Store")
    if os.environ.get("STEP") == "shadow":
        return shadow_watch.main(manifest, given, stage, external_id)
    golden = read_golden(given / GOLDEN.name).of_version(manifest["model_package"]["version"])
    say(f"asking for {manifest['model_package']['arn']}")
    why: dict[str, str] = {}
    try:
        why = reasons(boto3.client("cloudformation", config=CONFIG), manifest["stages"][stage])
    except ClientError as error:
        say(f"the reasons of failed accounts cannot be read: {described(error)}")
    checked = check_stage(manifest, stage, golden, testers(manifest, stage, external_id), why=why)
    execution = os.environ.get("PIPELINE_EXECUTION_ID") or manifest["pipeline_execution_id"]
    since_build = execution == manifest["pipeline_execution_id"]  # a rollback tests the manifest of another one
    of_stage = [
        Result("registry", "the version is as Build found it", failure=problem)
        for problem in exchanged(regional, manifest["model_package"], since_build)
    ]
    compared: dict[str, Any] = {}
    if stage != list(manifest["stages"])[-1]:  # what is live is that of the last stage
        compared = compared_with_live(given, golden, checked)
    if compared and (why_not := comparison.refusal(compared, manifest.get("gates") or {})):
        of_stage.append(Result("comparison", "the answers agree with the live version's", failure=why_not))
    results = [*results_of(checked), *of_stage]
    for result in results:
        verdict = "FAILED" if result.failure else "skipped" if result.skipped else "ok"
        say(f"{verdict:>7}  {result.place}  {result.failure or result.name}")
    write_junit(Path("reports") / f"{stage}.xml", stage, results)
    text = summary(stage, results, compared)
    say(text)
    more = {"answers": comparison.kept(golden, checked), **({"comparison": compared} if compared else {})}
    problems = [result.failure for result in of_stage]
    found = outcome.document(manifest, stage, checked, execution, digest(given), problems, more)
    bucket, number = outcome.bucket_of(manifest), os.environ.get("CODEBUILD_BUILD_NUMBER", "1")
    key = outcome.write(boto3.client("s3", config=CONFIG), found, bucket, number)
    say(f"what the endpoints serve is recorded as {key} in the project's bucket")
    write_results(RESULTS, results)  # the evidence card shows those of staging
    write_answers(given / GOLDEN.name, checked)
    export({"SUMMARY": text})
    return 1 if any(result.failure for result in results) else 0


if __name__ == "__main__":
    raise SystemExit(run(main))
