"""Updates of an endpoint of template 50 while requests arrive: what each fleet answered, and what was taken back.

Every server is a real one, and so are the bad versions: one was trained on half of the columns, one takes half a second
for an answer, and one ends with its first request.

    python -m tests.support.updates --write

writes docs/explanation/updates.md with what this machine measured; a test runs a part of the same updates.
"""

from __future__ import annotations

import io
import itertools
import sys
import tarfile
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws.cloud import Cloud
from scripts.rehearsal.embedded import embedded_aws
from tests.support import ROOT
from tests.support.sagemaker_world import (
    BUCKET,
    SKLEARN,
    channel,
    client,
    make_bucket,
    make_trainer,
    specification,
    train,
    whole_template,
)
from tests.support.waiting import until

PAGE = ROOT / "docs/explanation/updates.md"
TEMPLATE = (ROOT / "templates" / "50-endpoint.yaml").read_text(encoding="utf-8")
ENDPOINT = "iris-p-1-prod"
PARAMETERS = {
    "SageMakerProjectName": "iris", "SageMakerProjectId": "p-1", "StageName": "prod",
    "SageMakerExecutionRoleName": "trainer", "InitialInstanceCount": "2", "MaximumClientErrorsPerMinute": "0",
}  # fmt: skip
KINDS = ("ALL_AT_ONCE", "CANARY", "LINEAR", "ROLLING")
REQUEST, OLD, NEW = b"5.1,3.5,1.4,0.2\n", b"0.0\n", b"1.0\n"  # what the good versions answer to it
THREADS, PAUSE = 4, 0.005
SLICES = 4  # of an update, in each of which the share of the new fleet is counted
SCRIPTS = {  # what the bad versions do with a request; trained: see register_all
    "slow": "time.sleep(0.5)",
    "crashing": "os._exit(3)",
}
CODE = """\
import os, time


def model_fn(folder):
    return folder


def transform_fn(model, data, kind, accept):
    {}
    return "1.0\\n", "text/csv"
"""
BAD = {  # the alarm that takes each back
    "trained on half of the columns": "client-errors", "slow": "latency", "crashing": "server-errors",
}  # fmt: skip


def register(cloud: Cloud, name: str, role: str, data: str) -> str:
    """The ARN of an approved version, trained on a channel of the model bucket."""
    channels = [channel(data) | {"ChannelName": "train"}]
    url = train(cloud, name, role, InputDataConfig=channels)["ModelArtifacts"]["S3ModelArtifacts"]
    return approved(cloud, specification(url))


def approved(cloud: Cloud, of: Mapping[str, Any]) -> str:
    return str(
        client(cloud, "sagemaker").create_model_package(
            ModelPackageGroupName="iris", InferenceSpecification=of, ModelApprovalStatus="Approved"
        )["ModelPackageArn"]
    )


def prepare(cloud: Cloud) -> str:
    """The bucket with the data, the group, and the role of the models."""
    role = make_trainer(cloud)
    make_bucket(cloud)
    client(cloud, "sagemaker").create_model_package_group(ModelPackageGroupName="iris")
    return role


def narrow(cloud: Cloud) -> str:
    """The channel of data with two of the four columns: a version of it answers every request with status 400."""
    s3 = client(cloud, "s3")
    rows = s3.get_object(Bucket=BUCKET, Key="data/train/train.csv")["Body"].read().decode().split()
    lines = "\n".join(",".join(row.split(",")[:3]) for row in rows)
    s3.put_object(Bucket=BUCKET, Key="data/narrow/narrow.csv", Body=lines.encode())
    return "narrow"


def relabelled(cloud: Cloud) -> str:
    """The channel of data with every label one further, so that a good version of it is known by its answers."""
    s3 = client(cloud, "s3")
    rows = s3.get_object(Bucket=BUCKET, Key="data/train/train.csv")["Body"].read().decode().split()
    lines = "\n".join(f"{(int(row[0]) + 1) % 3}{row[1:]}" for row in rows)
    s3.put_object(Bucket=BUCKET, Key="data/relabelled/relabelled.csv", Body=lines.encode())
    return "relabelled"


def scripted(cloud: Cloud, name: str, code: str = "") -> str:
    """The ARN of a version that serves functions of its own. code: of another module than those of SCRIPTS"""
    code = code or CODE.format(SCRIPTS[name])
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as archive:
        file = tarfile.TarInfo("code/inference.py")
        file.size = len(code)
        archive.addfile(file, io.BytesIO(code.encode()))
    key = f"models/{name}/model.tar.gz"
    client(cloud, "s3").put_object(Bucket=BUCKET, Key=key, Body=body.getvalue())
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    (container,) = specification(f"s3://{BUCKET}/{key}")["Containers"]
    return approved(
        cloud,
        {
            **specification(f"s3://{BUCKET}/{key}"),
            "Containers": [{**container, "Image": SKLEARN, "Environment": environment}],
        },
    )


def deploy(cloud: Cloud, version: str, template: str = TEMPLATE, **changed: str) -> dict[str, Any]:
    """The stack of the endpoint, once it serves the version or has come back."""
    cloudformation, values = client(cloud, "cloudformation"), {**PARAMETERS, "ModelPackageName": version, **changed}
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    known = cloudformation.list_stacks()["StackSummaries"]
    (cloudformation.update_stack if known else cloudformation.create_stack)(
        StackName="endpoint", Parameters=given, **whole_template(cloud, template)
    )

    def ended() -> Any:
        stack = cloudformation.describe_stacks(StackName="endpoint")["Stacks"][0]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    found: dict[str, Any] = until(ended, 120)
    return found


def serves(cloud: Cloud) -> dict[str, Any]:
    """DescribeEndpoint's answer, with the model package that the endpoint runs on."""
    sagemaker = client(cloud, "sagemaker")
    shown: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=ENDPOINT)
    config = sagemaker.describe_endpoint_config(EndpointConfigName=shown["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    return shown | {"package": model["PrimaryContainer"]["ModelPackageName"]}


# -- the load ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Update:
    """What became of one update under load.

    former, new: answers of each fleet; lost: requests without an answer
    beside: answers of the former fleet after the first one of the new
    shares: of the new fleet among the answers, in each quarter of the update
    reason: why it was taken back, "" where it was not
    """

    kind: str
    version: str
    former: int
    new: int
    lost: int
    beside: int
    shares: tuple[float, ...]
    reason: str

    @property
    def sent(self) -> int:
        return self.former + self.new + self.lost


@contextmanager
def load(cloud: Cloud) -> Iterator[list[tuple[float, bytes]]]:
    """Requests to the endpoint from several callers; each one's time and answer, b"" for none."""
    over, runtime = threading.Event(), client(cloud, "sagemaker-runtime")
    heard: list[tuple[float, bytes]] = []

    def ask() -> None:
        while not over.wait(PAUSE):
            try:
                answer = runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType="text/csv", Body=REQUEST)
                body = answer["Body"].read()
            except ClientError:
                body = b""
            heard.append((time.monotonic(), body))

    threads = [threading.Thread(target=ask) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield heard
    finally:
        over.set()
        for thread in threads:
            thread.join()


def updated(cloud: Cloud, kind: str, good: str, new: str, words: str, step: int, release: Iterator[int]) -> Update:
    """The endpoint on the good version, then updated to another one under load. release: a number never used before"""
    given = {"TrafficRoutingType": kind, "BakeSeconds": "120", "MaximumModelLatencyMicroseconds": "300000"}
    if kind != "ALL_AT_ONCE":
        given["TrafficStepPercentage"] = str(step)
    count = str(max(2, 100 // step))
    if not client(cloud, "sagemaker").list_endpoints()["Endpoints"] or serves(cloud)["package"] != good:
        deploy(cloud, good, BakeSeconds="120", Release=str(next(release)))
    assert serves(cloud)["package"] == good
    with load(cloud) as heard:
        until(lambda: len(heard) > THREADS)
        begun = time.monotonic()
        deploy(cloud, new, **given, InitialInstanceCount=count, Release=str(next(release)))
        ended = time.monotonic()
        many = len(heard)
        until(lambda: len(heard) > many + THREADS)
    during = [(at, body) for at, body in heard if begun <= at]
    counted = Counter(body for _, body in during)
    slices = [Counter[bytes]() for _ in range(SLICES)]
    for at, body in during:
        if at < ended:
            slices[int((at - begun) / (ended - begun) * SLICES)][body] += 1
    shares = tuple(1 - one[OLD] / one.total() if one.total() else 0.0 for one in slices)
    reason = serves(cloud).get("FailureReason", "")
    unknown = set(counted) - {OLD, NEW, b""}
    assert not unknown, unknown
    answers = [body for _, body in during]
    beside = answers[answers.index(NEW) :].count(OLD) if NEW in counted else 0
    return Update(kind, words, counted[OLD], counted[NEW], counted[b""], beside, shares, reason)


def by_fleet(cloud: Cloud) -> dict[str, int]:
    """The requests that each configuration's fleet got, as CloudWatch counts them."""
    cloudwatch, found = client(cloud, "cloudwatch"), {}
    for config in client(cloud, "sagemaker").list_endpoint_configs()["EndpointConfigs"]:
        values = {
            "EndpointName": ENDPOINT,
            "VariantName": "AllTraffic",
            "EndpointConfigName": config["EndpointConfigName"],
        }
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker", MetricName="Invocations", Statistics=["Sum"], Period=86_400,
            Dimensions=[{"Name": name, "Value": value} for name, value in values.items()],
            StartTime=time.time() - 86_400, EndTime=time.time() + 86_400,
        )["Datapoints"]  # fmt: skip
        found[config["EndpointConfigName"]] = round(sum(point["Sum"] for point in points))
    return found


@contextmanager
def world(folder: Path, waits: float) -> Iterator[tuple[Cloud, dict[str, str]]]:
    """An embedded AWS with the versions: two good ones, and the bad ones by their words."""
    with embedded_aws(folder, waits=waits) as cloud:
        role = prepare(cloud)
        versions = {"former": register(cloud, "former", role, "train")}
        versions["good"] = register(cloud, "good", role, relabelled(cloud))
        versions["trained on half of the columns"] = register(cloud, "narrow", role, narrow(cloud))
        versions |= {name: scripted(cloud, name) for name in SCRIPTS}
        yield cloud, versions
    assert not cloud.faults, "\n".join(f"{fault.where}\n{fault.traceback}" for fault in cloud.faults)


def measured(cloud: Cloud, versions: Mapping[str, str], step: int, pairs: Sequence[tuple[str, str]]) -> list[Update]:
    """pairs: a kind of update with the version that it brings; step: the percentage of a part"""
    release = itertools.count(1)
    return [
        updated(cloud, kind, versions["former"], versions[version], version, step, release) for kind, version in pairs
    ]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, world(Path(folder), waits=0.02) as (cloud, versions):
        pairs = [(kind, version) for version in ("good", *BAD) for kind in KINDS]
        found = measured(cloud, versions, 25, pairs)
    if "--write" in sys.argv:
        PAGE.write_text(page(found), encoding="utf-8")
    print(page(found))
    return 0


def page(found: Sequence[Update]) -> str:
    """The document of the figures."""
    head = ("update", "version", "requests", "former fleet", "new fleet", "no answer", "new, by quarters", "ends")
    rows = [
        (
            one.kind,
            one.version,
            *(f"{number:,}" for number in (one.sent, one.former, one.new, one.lost)),
            ", ".join(f"{share:.0%}" for share in one.shares),
            f"taken back: {alarm_of(one)}" if one.reason else "goes through",
        )
        for one in found
    ]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))
    return WORDS.format(table=table, threads=THREADS)


def alarm_of(one: Update) -> str:
    """The alarm that the reason names."""
    return one.reason.rpartition(": ")[2].removeprefix(f"{ENDPOINT}-")


WORDS = """\
# Updates under load

What happens to requests while an endpoint takes a new version, by `TrafficRoutingType`.
`python -m tests.support.updates --write` made this page: {threads} callers ask an endpoint of
`50-endpoint.yaml` in the embedded AWS all the time, and it is updated meanwhile, with four instances, parts of
25 % and `BakeSeconds` 120. Servers and versions are real: a good version, one that was trained on half of the
columns and answers with status 400, one that takes half a second for an answer, and one whose server ends with
its first request. A minute lasts 1.2 seconds there, so the figures say which fleet answers when and what is
lost, and not how long AWS takes.

{table}

*New, by quarters* is the share of the answers that do not come from the former fleet, in each quarter of the
time from the update's begin to its end; the new servers start in the first.

A good version loses no request, whatever the kind. A bad one is taken back by its own alarm, which watches the new
fleet alone. Until then it gets its share: all requests with `ALL_AT_ONCE`, a part of them with the others. The
slow version loses none: its answers are late.

`ROLLING` moves the traffic as `LINEAR` does. Instances of the former fleet end with each batch, so an update needs
one batch more than the endpoint has, where the other kinds need twice as many. In return an alarm has to start
the former instances again ("Use rolling deployments", SageMaker Developer Guide). It suits large endpoints, and
accelerators that are hard to get.

`tests/localaws/services/sagemaker/test_deployment_under_load.py` plays these kinds in every run of the tests.
"""


if __name__ == "__main__":
    raise SystemExit(main())
