"""LookupEvents."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from awslang.errors import AwsError
from awslang.template import schemas
from localaws.calls import Call
from localaws.service import Service
from localaws.services.sagemaker.base import aware

cloudtrail = Service("cloudtrail", invalid="InvalidLookupAttributesException")

MOST = 50
GLOBAL = {"iam", "organizations", "account"}  # whose events are in us-east-1
SOURCES = {"application-autoscaling": "autoscaling", "cloudwatch": "monitoring", "stepfunctions": "states"}
# What ARNs call a service otherwise than CloudFormation, and what an ARN is of that names no kind.
SERVICES = {"states": "stepfunctions", "catalog": "servicecatalog"}
ONLY = {"codecommit": "Repository", "codepipeline": "Pipeline", "s3": "Bucket", "sns": "Topic", "sqs": "Queue"}
READS = re.compile(r"(BatchGet|BatchDescribe|Describe|Get|Head|List|Lookup|Scan|Search|Simulate|Validate|Test)")
# Data events, which the event history lacks: CloudTrail User Guide, "Logging data events".
DATA = {
    "cloudwatch": re.compile("PutMetricData|GetMetric.*"),
    "dynamodb": re.compile("(Batch|Transact)?(Get|Put|Update|Delete|Write|Execute)(Item|Items|Statement)|Query|Scan"),
    "lambda": re.compile("Invoke"),
    "logs": re.compile("PutLogEvents|GetLogEvents|FilterLogEvents"),
    "s3": re.compile(".*Object.*|.*Multipart.*|UploadPart.*|ListParts"),
    "sagemaker-runtime": re.compile(".*"),
    "sns": re.compile("Publish.*"),
    "sqs": re.compile(".*Message.*"),
}


@cloudtrail.operation("LookupEvents")
def lookup_events(call: Call) -> dict[str, Any]:
    """The newest first."""
    params = call.params
    if params.get("EventCategory"):
        return {"Events": []}  # of category insight: no trail here has Insights enabled
    start, end = (aware(params[name]) if name in params else None for name in ("StartTime", "EndTime"))
    if start and end and start > end:
        raise AwsError("InvalidTimeRangeException", "The start time is after the end time.")
    size, begin = params.get("MaxResults", MOST), int(params.get("NextToken", "0"))
    if not 1 <= size <= MOST:
        raise AwsError("InvalidMaxResultsException", f"MaxResults must be between 1 and {MOST}.")
    attribute = attribute_of(params)
    found = [
        event
        for event in events(call)
        if (start is None or event["EventTime"] >= start)
        and (end is None or event["EventTime"] <= end)
        and (attribute is None or fits(event, *attribute))
    ]
    found.reverse()
    last = begin + size
    more = {"NextToken": str(last)} if last < len(found) else {}
    return {"Events": found[begin:last], **more}


def attribute_of(params: dict[str, Any]) -> tuple[str, str] | None:
    """The one attribute that may be asked for."""
    given = params.get("LookupAttributes") or []
    if len(given) > 1:
        raise AwsError("InvalidLookupAttributesException", "You can specify only one lookup attribute.")
    if not given:
        return None
    return given[0]["AttributeKey"], given[0]["AttributeValue"]


def fits(event: dict[str, Any], key: str, value: str) -> bool:
    if key in ("ResourceName", "ResourceType"):
        return any(value == resource.get(key) for resource in event["Resources"])
    return bool(event.get(key) == value)


def events(call: Call) -> Iterator[dict[str, Any]]:
    """The management events of the caller's account and Region, the oldest first."""
    with (call.cloud.folder / "requests.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            if f'"account": "{call.account}"' not in line:
                continue
            entry = json.loads(line)
            service, operation = entry["service"], entry["operation"]
            region = "us-east-1" if service in GLOBAL else entry.get("region")
            data = DATA.get(service)
            if operation == "?" or region != call.region or (data and data.fullmatch(operation)):
                continue
            yield shown(entry, line, call.region)


def named_in(arn: str) -> dict[str, str]:
    """A resource by its name and its type, as CloudFormation calls it; without the type where no such is known.

    CloudTrail User Guide, "Viewing recent management events with the AWS CLI" (AWS::S3::Bucket; "When the resource
    type cannot be determined, null is returned").
    """
    service, rest = arn.split(":")[2], arn.split(":", 5)[5]
    kind = re.match("(?:([a-zA-Z-]+)[:/])?", rest)
    word = (kind[1] if kind and kind[1] else ONLY.get(service, "")).replace("-", "").lower()
    found = types().get((SERVICES.get(service, service), word))
    return {"ResourceName": re.split("[:/]", rest)[-1], **({"ResourceType": found} if found else {})}


@cache
def types() -> dict[tuple[str, str], str]:
    """CloudFormation's types by service and name, in lower case."""
    split = {name: name.lower().split("::")[1:] for name in schemas.types("us-east-1")}
    return {(parts[0], parts[1]): name for name, parts in split.items() if len(parts) == 2}


def shown(entry: dict[str, Any], line: str, region: str) -> dict[str, Any]:
    service, operation, principal = entry["service"], entry["operation"], entry["principal"]
    moment, event_id = datetime.fromtimestamp(entry["time"], UTC), str(uuid.uuid5(uuid.NAMESPACE_OID, line))
    source = f"{SOURCES.get(service, service)}.amazonaws.com"
    resource = entry.get("resource", "")
    named = [named_in(resource)] if resource.startswith("arn:") else []
    key = {} if principal.endswith(".amazonaws.com") or not entry.get("key") else {"accessKeyId": entry["key"]}
    reads = "true" if READS.match(operation) else "false"
    whole = {
        "eventVersion": "1.11",
        "userIdentity": {"arn": principal, "accountId": entry["account"], **key},
        "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": source,
        "eventName": operation,
        "awsRegion": region,
        "eventID": event_id,
        "readOnly": reads == "true",
        "resources": [{"ARN": resource}] if named else [],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": entry["account"],
        "eventCategory": "Management",
        **({"errorCode": entry["error"]} if entry.get("error") else {}),
    }
    return {
        "EventId": event_id,
        "EventName": operation,
        "ReadOnly": reads,
        "EventTime": moment,
        "EventSource": source,
        **({"AccessKeyId": key["accessKeyId"]} if key else {}),
        "Username": principal.rsplit("/", 1)[-1].rsplit(":", 1)[-1],
        "Resources": named,
        "CloudTrailEvent": json.dumps(whole),
    }
