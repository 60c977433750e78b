"""The model servers behind an endpoint: one process for each variant, on a free loopback port.

Developer Guide, "Custom Inference Code with Hosting Services" (the contract: GET /ping,
POST /invocations), "Log groups and streams that Amazon SageMaker AI sends to Amazon CloudWatch Logs".
"""

from __future__ import annotations

import gzip
import http.client
import io
import random
import secrets
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from awslang.errors import AwsError
from localaws.cloud import Cloud, Session
from localaws.containers import process
from localaws.services.sagemaker import base, images, logs, own_servers, storage, vpc
from localaws.services.sagemaker.models import Container, Model, Models
from localaws.services.sagemaker.shared import Running, Shared, StartFailed, identity
from localaws.variants import variants_of

PING_SECONDS = 30  # how long a container may take to answer its first ping
SCRIPT_SECONDS = 120  # likewise, with a team's functions, which load what they import
DRAIN_SECONDS = 60  # how long a container that is taken away may still answer: as long as a request may take
HOST = "127.0.0.1"


@dataclass
class Server:
    """One running container, as an endpoint has it. folder: where its log is."""

    variant: str
    session: Session
    running: Running
    shared: Shared
    folder: Path
    log_group: str
    log_stream: str
    logged: int = 0
    asked: int = 0  # requests under way
    idle: threading.Condition = field(default_factory=threading.Condition)

    @property
    def process(self) -> subprocess.Popen[Any]:
        return self.running.process

    @contextmanager
    def used(self) -> Iterator[None]:
        """A request is under way: the container is not stopped before its answer is there."""
        with self.idle:
            self.asked += 1
        try:
            yield
        finally:
            with self.idle:
                self.asked -= 1
                self.idle.notify_all()

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """OSError where the container does not answer."""
        connection = http.client.HTTPConnection(HOST, self.running.port, timeout=60)
        try:
            connection.request(method, path, body, {**(headers or {}), "X-Key": self.running.key})
            response = connection.getresponse()
            return Answer(response.status, response.read(), response.getheader("Content-Type", ""))
        finally:
            connection.close()

    def write_logs(self) -> None:
        """What the container has said since the last time, in CloudWatch Logs."""
        text = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        if self.running.container is not None:
            text = self.running.container.as_aws(text)
        said, self.logged = text[self.logged :], len(text)
        if said.strip():
            logs.write(self.session, self.log_group, self.log_stream, said)

    def stop(self) -> None:
        with self.idle:
            self.idle.wait_for(lambda: not self.asked, DRAIN_SECONDS)
        last = self.shared.leave(self.running)
        if last:
            if self.running.container is not None:
                self.running.container.close()
            end(self.process)
            shutil.rmtree(self.running.folder, ignore_errors=True)
        if last or self.folder != self.running.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str


@dataclass
class Fleet:
    """What serves one endpoint configuration: a server for each variant, shadow or not, with weights and counts."""

    config: dict[str, Any]
    servers: dict[str, Server] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    images: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def answering(self) -> list[str]:
        """The names of the variants whose answers callers get."""
        return [variant["VariantName"] for variant in self.config["ProductionVariants"]]

    @property
    def shadows(self) -> list[str]:
        """The names of the variants that get copies of the requests: one, or none."""
        return [variant["VariantName"] for variant in self.config.get("ShadowProductionVariants", [])]

    @property
    def capacity(self) -> int:
        """The instances behind the answers: what a share of the capacity is a share of."""
        return sum(self.counts[name] for name in self.answering)

    def choose(self) -> str:
        """A variant that answers, by weight."""
        names = self.answering
        weights = [self.weights[name] for name in names]
        return random.choices(names, weights if sum(weights) else None)[0]

    def shown(self, member: str = "ProductionVariants") -> list[dict[str, Any]]:
        """The variants as DescribeEndpoint shows them. member: or its ShadowProductionVariants"""
        found = []
        for variant in self.config.get(member, []):
            name = variant["VariantName"]
            item: dict[str, Any] = {
                "VariantName": name,
                "DeployedImages": [self.images[name]] if name in self.images else [],
                "CurrentWeight": self.weights[name],
                "DesiredWeight": self.weights[name],
            }
            if "ServerlessConfig" in variant:
                serverless = variant["ServerlessConfig"]
                item |= {"CurrentServerlessConfig": serverless, "DesiredServerlessConfig": serverless}
            else:
                count = self.counts[name]
                item |= {"CurrentInstanceCount": count, "DesiredInstanceCount": count}
            found.append(item)
        return found

    def with_instances(self) -> list[str]:
        """The variants that are not serverless."""
        return [v["VariantName"] for v in variants_of(self.config) if "ServerlessConfig" not in v]

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()
        self.servers.clear()


def new_fleet(config: dict[str, Any]) -> Fleet:
    """A fleet that does not run yet."""
    variants = variants_of(config)
    return Fleet(
        config=config,
        weights={variant["VariantName"]: variant["InitialVariantWeight"] for variant in variants},
        counts={variant["VariantName"]: variant.get("InitialInstanceCount", 0) for variant in variants},
    )


def start_fleet(cloud: Cloud, account: str, region: str, endpoint: str, fleet: Fleet) -> None:
    """Every variant's container, running and healthy; StartFailed, and nothing left running, otherwise."""
    try:
        for variant in variants_of(fleet.config):
            model = cloud.state(Models, account, region).by_name.get(variant["ModelName"])
            if model is None:
                raise StartFailed(f'Could not find model "{variant["ModelName"]}".')
            name = variant["VariantName"]
            fleet.servers[name] = start_server(cloud, account, region, endpoint, name, model)
            fleet.images[name] = model.container.deployed
    except StartFailed:
        fleet.stop()
        raise


def start_server(
    cloud: Cloud, account: str, region: str, endpoint: str, variant: str, model: Model, log_group: str = ""
) -> Server:
    """Download with the model's role, unpack, start, ping.

    endpoint: or the job of a batch transform, whose logs are in log_group
    """
    instance = secrets.token_hex(8)
    folder = cloud.folder / "endpoints" / account / region / endpoint / f"{variant}-{instance}"
    folder.mkdir(parents=True)
    session = open_session(cloud, model.role, region, account)
    pull(session, model.container.image)
    if "VpcConfig" in model.shown:
        session = enter_vpc(session, model.shown["VpcConfig"])
    content = download(session, model.container) if model.container.data_url else b""
    shared, same = cloud.state(Shared, "", ""), identity(model.container, content)
    running = shared.join(same)
    if running is None:
        try:
            running = start(cloud, model.container, session, content, folder)
        except StartFailed:
            shared.give_up()
            raise
    else:
        (folder / "log").write_text(running.said, encoding="utf-8")
    server = Server(
        variant=variant,
        session=session,
        running=running,
        shared=shared,
        folder=folder,
        log_group=log_group or f"/aws/sagemaker/Endpoints/{endpoint}",
        log_stream=f"{endpoint if log_group else variant}/i-{instance[:17]}",
    )
    healthy = bool(running.port) and answers_ping(server)
    server.write_logs()
    logs.may_put_metrics(session, log_group or "/aws/sagemaker/Endpoints")  # how the instance fares: never read here
    if not healthy:
        server.stop()
        raise StartFailed(
            f"The primary container for production variant {variant} did not pass the ping health check. "
            "Please check CloudWatch logs for this endpoint."
        )
    if running.folder == folder:
        running.said = (folder / "log").read_text(encoding="utf-8", errors="replace")
        shared.offer(same, running)
    return server


def start(cloud: Cloud, container: Container, session: Session, content: bytes, folder: Path) -> Running:
    """Unpack the model and start the container."""
    if own_servers.needed(container):
        if content:
            unpack(container.data_url, content, folder / "ml" / "model")
        return own_servers.start(cloud, container, session, folder)
    unpack(container.data_url, content, folder / "model")
    with (folder / "log").open("a", encoding="utf-8") as log:
        running = process.start("xgboost_serve", folder / "model", container.environment, log.fileno())
    remember(cloud, running)
    assert running.stdout is not None
    port, _, key = running.stdout.readline().strip().partition(" ")
    return Running(running, int(port or 0), key, folder)


def open_session(cloud: Cloud, role: str, region: str, account: str) -> Session:
    try:
        return base.service_role(cloud, role, region, account)
    except AwsError as error:
        raise StartFailed(error.message) from error


def enter_vpc(session: Session, config: dict[str, Any]) -> Session:
    try:
        return vpc.enter(session, config)
    except vpc.OutOfReach as error:
        raise StartFailed(str(error)) from error


def pull(session: Session, image: str) -> None:
    try:
        images.pull(session, image)
    except AwsError as error:
        raise StartFailed(f"Failed to pull the image {image}: {error.message}") from error


def download(session: Session, container: Container) -> bytes:
    """The model's archive; what is not archived is, in the same way each time."""
    url = container.data_url
    bucket, key = storage.split(url)
    try:
        if container.form == "prefix":
            return archive_of_prefix(session, url)
        content: bytes = session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return archive({key.rpartition("/")[2]: content}) if container.form == "object" else content
    except ClientError as error:
        raise StartFailed(
            f'Failed to download model data for container "container_1" from URL: "{url}". Please ensure that there '
            "is an object located at the URL and that the role passed to CreateModel has permissions to download the "
            "object."
        ) from error


def archive_of_prefix(session: Session, url: str) -> bytes:
    """API Reference, S3ModelDataSource: each key without the prefix is the path of a file; some clash, or are none."""
    bucket, prefix = storage.split(url)
    files: dict[str, bytes] = {}
    for key in storage.keys_under(session, url):
        files[key[len(prefix) :]] = session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    for name in files:
        parts = name.split("/")
        if not all(0 < len(part.encode()) <= 255 and part not in {".", ".."} for part in parts):
            raise StartFailed(f'The model data "{url}{name}" cannot be a file below /opt/ml/model.')
        if clash := next((one for one in files if one.startswith(f"{name}/")), ""):
            raise StartFailed(f'The model data "{url}{name}" and "{url}{clash}" are a file and a folder of one name.')
    return archive(files)


def archive(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as packed:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return gzip.compress(made.getvalue(), 1, mtime=0)


def unpack(url: str, content: bytes, folder: Path) -> None:
    try:
        storage.unpack(content, folder)
    except (tarfile.TarError, OSError) as error:
        raise StartFailed(
            f'Failed to extract model data archive from URL: "{url}". The model data archive must be '
            f"a tar.gz ({error})."
        ) from error


def answers_ping(server: Server) -> bool:
    patience = PING_SECONDS if server.running.container is None else SCRIPT_SECONDS
    end_of_patience = time.monotonic() + patience
    while time.monotonic() < end_of_patience and server.process.poll() is None:
        try:
            if server.request("GET", "/ping").status == 200:
                return True
            if server.running.key:
                return False  # what serves SageMaker's own images has loaded the model before it listens
        except OSError:
            pass
        time.sleep(0.02)
    return False


def remember(cloud: Cloud, running: subprocess.Popen[Any]) -> None:
    """See to it that the process ends with the embedded AWS."""
    cloud.on_stop.append(lambda: end(running))
    if cloud.stopping.is_set():
        end(running)


def end(running: subprocess.Popen[Any]) -> None:
    if running.poll() is None:
        running.kill()
    running.wait()
    for stream in (running.stdin, running.stdout):
        if stream is not None:
            stream.close()
