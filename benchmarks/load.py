"""Work on a served rehearsal with many threads while its endpoint is updated: errors, latency, memory, open files.

A rehearsal of the whole story runs in another process and stays. Threads then send it what people and services send:
requests to the endpoint, with the answer checked, and reads and writes of six services. Meanwhile the endpoint is
updated again and again, blue/green, from one endpoint configuration to another. Exit code 1 where a request failed or
was answered wrongly, or where memory or open files are not back afterwards.

examples:
  make load
  python -m benchmarks.load --threads 10 --seconds 10 --json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.served import Served, served
from scripts.kit.bundle.pack import ROOT
from scripts.kit.console import UsageError, run, say
from scripts.kit.names import bundle_bucket

GOLDEN = ROOT / "seed-code/model-deploy/tests/golden-payloads.json"
SETTLE = 30.0  # seconds in which memory and open files come back
LEFT = 4 / 1024  # MB that a request may leave, as on AWS: 16 metrics of an invocation, or a version of an object
SLACK = 1.05  # times the memory at the start: the allocator's
HELD = {"memory (MB)": "memory_mb", "open files": "open_files", "threads": "running_threads"}
KEPT_FIELDS = ("ProductionVariants", "DataCaptureConfig", "KmsKeyId", "AsyncInferenceConfig")


@dataclass
class Tally:
    """What one thread did."""

    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Process:
    """What a process holds. memory: resident, in MB"""

    memory: float
    files: int
    threads: int


def look_at(process: int) -> Process:
    """As Linux's /proc says (proc(5))."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    values = dict(line.split(":", 1) for line in status.splitlines())
    files = sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())
    return Process(int(values["VmRSS"].split()[0]) / 1024, files, int(values["Threads"]))


def clients(rehearsal: Served, account: str, threads: int) -> Callable[[str, bool], Any]:
    """(service, in the target account) → its client, which gives up at the first error."""
    import boto3  # a fifth of a second, which no --help needs
    from botocore.config import Config  # a fifth of a second, which no --help needs

    settings = {"total_max_attempts": 1}
    config = Config(max_pool_connections=threads, retries=settings, read_timeout=60)  # type: ignore[arg-type]
    home, manager = (boto3.Session(profile_name=name) for name in ("data-science", "management"))
    arn = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
    given = manager.client("sts").assume_role(RoleArn=arn, RoleSessionName="load")["Credentials"]
    target = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], home.region_name)
    url = home._session.get_scoped_config()["endpoint_url"]

    def client(service: str, inside: bool = False) -> Any:
        session = target if inside else home
        return session.client(service, config=config, endpoint_url=url)  # type: ignore[call-overload]

    return client


def requests(client: Callable[..., Any], story: dict[str, Any]) -> list[Callable[[], None]]:
    """What a thread sends in turn; AssertionError where an answer is wrong."""
    endpoint = story["endpoints"][0]["name"]
    runtime, sagemaker, s3 = client("sagemaker-runtime", True), client("sagemaker"), client("s3")
    codepipeline, catalog, sts = client("codepipeline"), client("servicecatalog"), client("sts")
    bucket = bundle_bucket(sts.get_caller_identity()["Account"], s3.meta.region_name)  # who publishes may write there
    pipeline, group = story["pipeline"]["name"], story["project"]["name"]
    payloads = json.loads(GOLDEN.read_text(encoding="utf-8"))["payloads"]

    def ask(payload: dict[str, Any]) -> Callable[[], None]:
        def send() -> None:
            answer = runtime.invoke_endpoint(
                EndpointName=endpoint, ContentType=payload["content_type"], Body=payload["body"].encode()
            )
            got, expected = answer["Body"].read().decode().strip(), str(payload["expected"])
            assert got == expected, f"{endpoint} answered {got}, expected {expected}"

        return send

    reads: list[Callable[[], Any]] = [
        lambda: codepipeline.get_pipeline_state(name=pipeline),
        lambda: sagemaker.list_model_packages(ModelPackageGroupName=group),
        lambda: s3.list_objects_v2(Bucket=bucket),
        lambda: catalog.search_products_as_admin(),
        lambda: sts.get_caller_identity(),
        lambda: s3.put_object(Bucket=bucket, Key="load/object", Body=b"x" * 100),
    ]
    asks = [ask(payload) for payload in payloads]
    return [one for pair in zip(asks, reads, strict=False) for one in pair] + asks[len(reads) :]


def work(turns: Sequence[Callable[[], None]], first: int, end: float, tally: Tally) -> None:
    """Send one after the other until the time is over."""
    number = first
    while (start := time.monotonic()) < end:
        try:
            turns[number % len(turns)]()
        except Exception as error:  # every kind is counted, and none ends the load
            tally.errors[f"{type(error).__name__}: {error}"[:200]] += 1
        tally.seconds.append(time.monotonic() - start)
        number += 1


def update(sagemaker: Any, endpoint: str, end: float) -> int:
    """Update the endpoint until the time is over, each time to another configuration; how often."""
    original = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    shown = sagemaker.describe_endpoint_config(EndpointConfigName=original)
    copied = f"{endpoint}-load"[-63:].lstrip("-")
    sagemaker.create_endpoint_config(
        EndpointConfigName=copied, **{name: shown[name] for name in KEPT_FIELDS if name in shown}
    )
    turns = 0
    while time.monotonic() < end or turns % 2:  # an even number: it ends where it began
        wanted = original if turns % 2 else copied
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=wanted)
        while (found := sagemaker.describe_endpoint(EndpointName=endpoint))["EndpointStatus"] == "Updating":
            time.sleep(0.05)
        assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", wanted), found
        turns += 1
    sagemaker.delete_endpoint_config(EndpointConfigName=copied)
    return turns


def loaded(rehearsal: Served, threads: int, seconds: float) -> dict[str, Any]:
    """The figures of one load."""
    story = json.loads((rehearsal.folder / "summary.json").read_text(encoding="utf-8"))
    client = clients(rehearsal, story["endpoints"][0]["account"], threads)
    turns, sagemaker = requests(client, story), client("sagemaker", True)
    for turn in turns:
        turn()  # each once, so that what is made when it is first needed is there at the start
    before, end = look_at(rehearsal.process), time.monotonic() + seconds
    tallies = [Tally() for _ in range(threads)]
    workers = [threading.Thread(target=work, args=(turns, number, end, tally)) for number, tally in enumerate(tallies)]
    for worker in workers:
        worker.start()
    updates = update(sagemaker, story["endpoints"][0]["name"], end)
    for worker in workers:
        worker.join()
    after, settled = look_at(rehearsal.process), time.monotonic() + SETTLE
    while time.monotonic() < settled and not back(before, after, sum(len(tally.seconds) for tally in tallies)):
        time.sleep(0.5)
        after = look_at(rehearsal.process)
    took = sorted(one for tally in tallies for one in tally.seconds)
    errors = sum((tally.errors for tally in tallies), Counter())
    return {
        "threads": threads,
        "seconds": seconds,
        "requests": len(took),
        "per_second": round(len(took) / seconds),
        "errors": errors.total(),
        "first_errors": dict(errors.most_common(5)),
        "milliseconds": {
            "median": round(1000 * statistics.median(took), 1),
            "99 of 100": round(1000 * took[int(len(took) * 0.99)], 1),
            "longest": round(1000 * took[-1], 1),
        },
        "updates": updates,
        "memory_mb": [round(before.memory, 1), round(after.memory, 1)],
        "open_files": [before.files, after.files],
        "running_threads": [before.threads, after.threads],
        "back": back(before, after, len(took)),
    }


def back(before: Process, after: Process, requests: int) -> bool:
    """Whether a process holds what it held before, and what so many requests leave."""
    return after.memory <= before.memory * SLACK + requests * LEFT and after.files <= before.files


def shown(figures: dict[str, Any]) -> str:
    times = ", ".join(f"{name} {value} ms" for name, value in figures["milliseconds"].items())
    lines = [
        f"{figures['threads']} threads, {figures['seconds']:g} s: {figures['requests']:,} requests "
        f"({figures['per_second']} a second), {figures['errors']} errors; {times}",
        f"{figures['updates']} blue/green updates of the endpoint meanwhile",
        *(
            f"{what}: {figures[key][0]} before, {figures[key][1]} after"
            for what, key in (
                ("memory (MB)", "memory_mb"),
                ("open files", "open_files"),
                ("threads", "running_threads"),
            )
        ),
        *(f"  {times} times: {error}" for error, times in figures["first_errors"].items()),
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=50, help="how many at once (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=120.0, help="for how long (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    args = parser.parse_args(argv)
    if sys.platform != "linux":
        raise UsageError("memory and open files are read from /proc, which Linux alone has")
    if args.threads < 1 or not args.seconds > 0:
        raise UsageError("--threads and --seconds are numbers above 0")
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), tree=ROOT) as rehearsal:
        say(f"{args.threads} threads for {args.seconds:g} s")
        with rehearsal.signed_in():
            figures = loaded(rehearsal, args.threads, args.seconds)
    print(json.dumps(figures, indent=2) if args.json else shown(figures))
    return 1 if figures["errors"] or not figures["back"] else 0


if __name__ == "__main__":
    sys.exit(run(main))
