"""SageMaker Runtime: requests to the model servers behind endpoints.

InvokeEndpoint and InvokeEndpointAsync (SageMaker Runtime API Reference, the page of each
operation; Developer Guide, "Amazon SageMaker AI metrics in Amazon CloudWatch", "Data capture", "Shadow tests").
The container's own refusals come back as ModelError. Every invocation is counted in CloudWatch.
"""

from __future__ import annotations

import base64
import json
import random
import time
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloud import new_id
from localaws.services.cloudwatch import own_metrics
from localaws.services.sagemaker import backlog, base, logs, shadows, storage
from localaws.services.sagemaker.deployment import Endpoint
from localaws.services.sagemaker.endpoints import Endpoints
from localaws.services.sagemaker.servers import Answer, Fleet, Server
from localaws.services.sagemaker.service import sagemaker_runtime

SERVING = frozenset({"InService", "Updating", "RollingBack"})
BODY_LIMIT = 25 * 1024 * 1024  # bytes: Developer Guide, "Amazon SageMaker AI endpoints and quotas"
SERVERLESS_BODY_LIMIT = 4 * 1024 * 1024


def refused(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def find(call: Call) -> tuple[Endpoint, Fleet]:
    """The endpoint that serves, and the fleet that this request goes to."""
    name = call.params["EndpointName"]
    endpoint = call.cloud.state(Endpoints, call.account, call.region).by_name.get(name)
    if endpoint is None or endpoint.shown["EndpointStatus"] not in SERVING:
        raise refused(f"Endpoint {name} of account {call.account} not found.")
    with endpoint.lock:
        new = endpoint.new
        fleet = new if new is not None and random.random() < endpoint.share else endpoint.fleet
    return endpoint, fleet


def choose(call: Call, fleet: Fleet) -> Server:
    variant = call.params.get("TargetVariant") or fleet.choose()
    if variant not in fleet.answering or variant not in fleet.servers:
        raise refused(f"Variant {variant} of endpoint {call.params['EndpointName']} not found.")
    return fleet.servers[variant]


@sagemaker_runtime.operation("InvokeEndpoint")
def invoke_endpoint(call: Call) -> dict[str, Any]:
    params = call.params
    base.only(
        params, "InvokeEndpoint", "EndpointName", "Body", "ContentType", "Accept", "TargetVariant", "InferenceId",
        "CustomAttributes",
    )  # fmt: skip
    endpoint, fleet = find(call)
    if "AsyncInferenceConfig" in fleet.config:
        raise refused(f"Endpoint {endpoint.name} is asynchronous: use InvokeEndpointAsync.")
    body = params.get("Body", b"")
    serverless = any("ServerlessConfig" in v for v in fleet.config["ProductionVariants"])
    limit = SERVERLESS_BODY_LIMIT if serverless else BODY_LIMIT
    if len(body) > limit:
        raise refused(f"The request body has {len(body)} bytes; at most {limit} are allowed.")
    server = choose(call, fleet)
    with server.used():
        shadows.mirror(call.cloud, fleet, lambda shadow: answer_unseen(call, endpoint, fleet, shadow, body))
        answer = ask(call, endpoint, fleet, server, body, params.get("ContentType", ""), params.get("Accept", ""))
        if answer.status >= 400:
            raise model_error(call, endpoint, server, answer)
        capture(call, endpoint, fleet, server, body, answer)
    return {"Body": answer.body, "ContentType": answer.content_type, "InvokedProductionVariant": server.variant}


def answer_unseen(call: Call, endpoint: Endpoint, fleet: Fleet, shadow: Server, body: bytes) -> None:
    """The shadow's answer to a copy of the request: counted and captured, and returned to no caller."""
    answer = ask(call, endpoint, fleet, shadow, body, call.params.get("ContentType", ""), call.params.get("Accept", ""))
    if answer.status < 400:
        capture(call, endpoint, fleet, shadow, body, answer)


def ask(
    call: Call, endpoint: Endpoint, fleet: Fleet, server: Server, body: bytes, content_type: str, accept: str
) -> Answer:
    """The container's answer, counted; 503 where it does not answer any more."""
    headers = {"Content-Type": content_type, "Accept": accept}
    start = time.monotonic()
    try:
        answer = server.request("POST", "/invocations", body, {k: v for k, v in headers.items() if v})
    except OSError as error:
        answer = Answer(503, f"The container does not answer: {error}".encode(), "text/plain")
    count(call, endpoint, fleet, server, answer.status, (time.monotonic() - start) * 1e6)
    if answer.status >= 400:
        server.write_logs()
    return answer


def model_error(call: Call, endpoint: Endpoint, server: Server, answer: Answer) -> AwsError:
    """What the container refused, as AWS tells it."""
    text = answer.body.decode("utf-8", "replace")
    side = "client" if answer.status < 500 else "server"
    console = f"https://{call.region}.console.aws.amazon.com/cloudwatch/home?region={call.region}"
    return AwsError(
        "ModelError",
        f'Received {side} error ({answer.status}) from primary with message "{text}". See {console}'
        f"#logEventViewer:group={server.log_group} in account {call.account} for more information.",
        status=424,
        OriginalStatusCode=answer.status,
        OriginalMessage=text,
        LogStreamArn=f"arn:aws:logs:{call.region}:{call.account}:log-group:{server.log_group}",
    )


def count(call: Call, endpoint: Endpoint, fleet: Fleet, server: Server, status: int, microseconds: float) -> None:
    """The metrics that SageMaker keeps, by endpoint and variant, and by configuration beside them."""
    if not logs.may_put_metrics(server.session, "AWS/SageMaker"):
        return
    counted = [
        ("Invocations", 1.0, "None"),
        ("InvocationsPerInstance", 1.0 / max(fleet.counts[server.variant], 1), "None"),
        # Those that wait for an answer, this one among them. That each instance has its part is our reading of "being
        # received by a model container" (Developer Guide, "Define a scaling policy").
        ("ConcurrentRequestsPerModel", server.asked / max(fleet.counts[server.variant], 1), "None"),
    ]
    values = [
        *(counted if "AsyncInferenceConfig" not in fleet.config else []),
        ("Invocation4XXErrors", float(400 <= status < 500), "None"),
        ("Invocation5XXErrors", float(status >= 500), "None"),
        ("ModelLatency", microseconds, "Microseconds"),
    ]
    of_variant = {"EndpointName": endpoint.name, "VariantName": server.variant}
    of_config = {**of_variant, "EndpointConfigName": fleet.config["EndpointConfigName"]}
    own_metrics.publish(call.cloud, call.account, call.region, "AWS/SageMaker", values, of_variant, of_config)


def capture(call: Call, endpoint: Endpoint, fleet: Fleet, server: Server, body: bytes, answer: Answer) -> None:
    """One file of captured data, where the configuration asks for it; written by the model's role."""
    config = fleet.config.get("DataCaptureConfig", {})
    if not config.get("EnableCapture") or random.random() * 100 >= config["InitialSamplingPercentage"]:
        return
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    moment = base.now()
    data: dict[str, Any] = {}
    for mode, member, content, kind in (
        ("Input", "endpointInput", body, call.params.get("ContentType", "")),
        ("Output", "endpointOutput", answer.body, answer.content_type),
    ):
        if mode in modes:
            csv = kind.startswith("text/csv")
            text = content.decode() if csv else base64.b64encode(content).decode()
            data[member] = {
                "observedContentType": kind, "mode": mode.upper(), "data": text, "encoding": "CSV" if csv else "BASE64",
            }  # fmt: skip
    said = {"inferenceId": call.params["InferenceId"]} if call.params.get("InferenceId") else {}
    line = {
        "captureData": data,
        "eventMetadata": {"eventId": new_id(), **said, "inferenceTime": base.plain(moment)},
        "eventVersion": "0",
    }
    place = (
        f"{config['DestinationS3Uri'].rstrip('/')}/{endpoint.name}/{server.variant}/{moment:%Y/%m/%d/%H}/"
        f"{moment:%M-%S-%f}-{new_id()}.jsonl"
    )
    try:
        storage.upload(server.session, place, (json.dumps(line) + "\n").encode(), config.get("KmsKeyId", ""))
    except ClientError as error:  # the caller gets the answer all the same
        with (server.folder / "log").open("a", encoding="utf-8") as log:
            log.write(f"Data capture failed: {error}\n")
        server.write_logs()


@sagemaker_runtime.operation("InvokeEndpointAsync")
def invoke_endpoint_async(call: Call) -> dict[str, Any]:
    params = call.params
    base.only(
        params, "InvokeEndpointAsync", "EndpointName", "ContentType", "Accept", "InferenceId", "InputLocation",
        "InvocationTimeoutSeconds", "RequestTTLSeconds",
    )  # fmt: skip
    endpoint, fleet = find(call)
    if "AsyncInferenceConfig" not in fleet.config:
        raise refused(f"Endpoint {endpoint.name} is not asynchronous: use InvokeEndpoint.")
    if not params.get("InputLocation"):
        raise refused("InputLocation is required.")
    output = fleet.config["AsyncInferenceConfig"]["OutputConfig"]
    identity = new_id()
    places = {"OutputLocation": f"{output['S3OutputPath'].rstrip('/')}/{identity}.out"}
    if "S3FailurePath" in output:
        places["FailureLocation"] = f"{output['S3FailurePath'].rstrip('/')}/{identity}-error.out"
    call.cloud.background(f"asynchronous inference of {endpoint.name}", answer_later, call, endpoint, places)
    return {"InferenceId": params.get("InferenceId", identity), **places}


def answer_later(call: Call, endpoint: Endpoint, places: dict[str, str]) -> None:
    """Once there is an instance: read the input with the model's role, ask the container, write its answer."""
    with backlog.queued(call.cloud, call.account, call.region, endpoint):
        if not call.cloud.stopping.is_set():
            fleet = endpoint.fleet
            server = choose(call, fleet)
            with server.used():
                answer_now(call, endpoint, fleet, server, places)


def answer_now(call: Call, endpoint: Endpoint, fleet: Fleet, server: Server, places: dict[str, str]) -> None:
    params, key = call.params, fleet.config["AsyncInferenceConfig"]["OutputConfig"].get("KmsKeyId", "")
    bucket, name = storage.split(params["InputLocation"])
    try:
        body = server.session.client("s3").get_object(Bucket=bucket, Key=name)["Body"].read()
        answer = ask(call, endpoint, fleet, server, body, params.get("ContentType", ""), params.get("Accept", ""))
        place = places["OutputLocation"] if answer.status < 400 else places.get("FailureLocation")
        if place:
            storage.upload(server.session, place, answer.body, key)
    except ClientError as error:
        with (server.folder / "log").open("a", encoding="utf-8") as log:
            log.write(f"Asynchronous inference failed: {error}\n")
        server.write_logs()
