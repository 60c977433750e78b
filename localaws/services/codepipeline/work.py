"""One action at work: who it acts as, its resolved configuration, its artifacts in the artifact bucket.

AWS CodePipeline User Guide, "Input and output artifacts", "Variables reference" (variable
resolution) and "Action declaration" (roleArn).
"""

from __future__ import annotations

import io
import secrets
import string
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from botocore.exceptions import ClientError

from awslang.archives import BadArchive, open_zip
from awslang.bounded import read_json
from awslang.errors import AwsError
from localaws.cloud import Cloud, Session
from localaws.services.codepipeline.providers import FILE_IN_ARTIFACT, REFERENCE
from localaws.services.codepipeline.state import ActionFailed, ActionRun, Execution, Pipeline, pipeline_session

DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "NotAuthorized",
    "AuthorizationError",
    "403",
)
ALPHABET = string.ascii_letters + string.digits


def resolve(text: str, execution: Execution) -> str:
    """The text with every #{namespace.key} replaced; ActionFailed where one has no value."""

    def value(reference: Any) -> str:
        namespace, key = reference.group(1).split(".")
        known = execution.namespaces.get(namespace, {})
        if key not in known:
            raise ActionFailed(
                "ConfigurationError",
                f"The variable reference #{{{namespace}.{key}}} could not be resolved: the namespace {namespace} "
                f"holds {', '.join(sorted(known)) or 'nothing'} in this execution",
            )
        return known[key]

    return REFERENCE.sub(value, text)


def failure(error: ClientError, doing: str) -> ActionFailed:
    """How an action fails when a call that it makes is refused."""
    cause = error.response["Error"]
    if cause["Code"] in DENIED:
        return ActionFailed(
            "PermissionError", f"The provided role does not have permissions to {doing}: {cause['Message']}"
        )
    return ActionFailed("JobFailed", f"Error on {doing}: {cause['Message']} (Error Code: {cause['Code']})")


@dataclass(frozen=True)
class Work:
    """What a provider needs to play one action."""

    cloud: Cloud
    pipeline: Pipeline
    execution: Execution
    run: ActionRun
    session: Session

    def wait_for(self, changed: threading.Event) -> None:
        """Wait for a change of what the action started (Cloud.watch); ActionFailed where the action was abandoned."""
        changed.wait(0.5)  # then have another look, whether or not it has changed
        if self.cloud.stopping.is_set() or self.run.status == "Abandoned":
            raise ActionFailed("JobFailed", "The action was abandoned")

    @property
    def configuration(self) -> Mapping[str, str]:
        return self.run.configuration

    @property
    def region(self) -> str:
        """Where the action works: its own Region, or the pipeline's."""
        return located(self.pipeline, self.run.action)

    @property
    def store(self) -> Mapping[str, Any]:
        """The artifact store of the action's Region."""
        return self._store(self.region)

    def _store(self, region: str) -> Mapping[str, Any]:
        declaration = self.execution.declaration
        return cast("Mapping[str, Any]", declaration.get("artifactStore") or declaration["artifactStores"][region])

    def here(self, artifacts: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
        """The artifacts in the action's Region, copied there where CodePipeline must.

        User Guide, "Add a cross-Region action in CodePipeline": "CodePipeline handles the copying of artifacts".
        """
        if "artifactStore" in self.execution.declaration:
            return artifacts
        return {name: self._copied(name, place, self.region) for name, place in artifacts.items()}

    def _copied(self, name: str, place: tuple[str, str], region: str) -> tuple[str, str]:
        stores = self.execution.declaration["artifactStores"]
        target = stores[region]
        if place[0] == target["location"]:
            return place
        source = next(where for where, store in stores.items() if store["location"] == place[0])
        try:
            content = self.session.client("s3", source).get_object(Bucket=place[0], Key=place[1])["Body"].read()
        except ClientError as error:
            raise failure(error, f"access the artifact {name} in {place[0]}/{place[1]}") from error
        self._put(region, name, place[1], content)
        return target["location"], place[1]

    def _put(self, region: str, artifact: str, key: str, content: bytes) -> None:
        store = self._store(region)
        encryption = store.get("encryptionKey", {}).get("id")
        extra = {"SSEKMSKeyId": encryption} if encryption else {}
        bucket = store["location"]
        try:
            self.session.client("s3", region).put_object(
                Bucket=bucket, Key=key, Body=content, ServerSideEncryption="aws:kms", **extra
            )
        except ClientError as error:
            raise failure(
                error, f"access the Amazon S3 bucket named {bucket} (upload of {artifact} to {key})"
            ) from error

    @property
    def encryption_key(self) -> str | None:
        return cast("str | None", self.store.get("encryptionKey", {}).get("id"))

    @property
    def output_names(self) -> list[str]:
        return [artifact["name"] for artifact in self.run.action.get("outputArtifacts", [])]

    def client(self, service: str) -> Any:
        return self.session.client(service, self.region)

    def new_location(self, artifact: str, suffix: str = "") -> tuple[str, str]:
        """Bucket and key for an output artifact: 20 characters of the pipeline, 10 of the artifact, 7 random ones."""
        random = "".join(secrets.choice(ALPHABET) for _ in range(7))
        return self.store["location"], f"{self.pipeline.name[:20]}/{artifact[:10]}/{random}{suffix}"

    def put_artifact(self, artifact: str, content: bytes, suffix: str = "") -> None:
        """Store an output artifact with the action's role, encrypted as the artifact store says."""
        bucket, key = self.new_location(artifact, suffix)
        self._put(self.region, artifact, key, content)
        self.run.outputs[artifact] = (bucket, key)

    @contextmanager
    def read_artifact(self, artifact: str) -> Iterator[zipfile.ZipFile]:
        """An input artifact, fetched with the action's role."""
        if artifact not in self.run.inputs:
            known = ", ".join(self.run.inputs) or "none"
            raise ActionFailed("ConfigurationError", f"{artifact} is not an input artifact of the action ({known})")
        bucket, key = self.run.inputs[artifact]
        try:
            content = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise failure(error, f"access the artifact {artifact} in {bucket}/{key}") from error
        try:
            with open_zip(content) as archive:
                yield archive
        except BadArchive as error:
            raise ActionFailed("ConfigurationError", f"The artifact {artifact} in {bucket}/{key} {error}") from error

    def read_file(self, key: str, value: str) -> str:
        """The file that a configuration value such as BuildOutput::template.yaml names."""
        found = FILE_IN_ARTIFACT.fullmatch(value)
        if not found:
            raise ActionFailed("ConfigurationError", f"{key} must be in the form ArtifactName::FileName, not {value!r}")
        artifact, path = found.groups()
        with self.read_artifact(artifact) as archive:
            if path not in archive.namelist():
                raise ActionFailed(
                    "ConfigurationError",
                    f"File [{path}] does not exist in artifact [{artifact}] (which {key} {value} names; "
                    f"the artifact holds {', '.join(sorted(archive.namelist())[:20]) or 'nothing'})",
                )
            return decoded(key, value, archive.read(path))

    def read_json(self, key: str, value: str) -> Any:
        """The JSON file that a configuration value names."""
        try:
            return read_json(self.read_file(key, value))
        except ValueError as error:
            raise ActionFailed("ConfigurationError", f"{key}: the file {value} is not valid JSON: {error}") from error


def decoded(key: str, value: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ActionFailed("ConfigurationError", f"{key}: the file {value} is not text in UTF-8") from error


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A ZIP file that holds these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def located(pipeline: Pipeline, declared: Mapping[str, Any]) -> str:
    """The Region in which an action or a rule works."""
    return str(declared.get("region") or pipeline.region)


def acting_as(
    cloud: Cloud, pipeline: Pipeline, execution: Execution, role_arn: str | None, region: str | None = None
) -> Session:
    """The pipeline's role, or another role that the pipeline's role assumes; region: where it acts."""
    own = execution.declaration["roleArn"]
    try:
        session = pipeline_session(cloud, pipeline, own, execution.id)
    except AwsError as error:
        raise ActionFailed(
            "PermissionError", f"CodePipeline is not authorized to perform AssumeRole on role {own}: {error.message}"
        ) from error
    if not role_arn or role_arn == own:
        return Session(cloud, session.credentials, region or pipeline.region)
    try:
        given = session.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=execution.id)["Credentials"]
    except ClientError as error:
        raise ActionFailed(
            "PermissionError",
            f"The provided role cannot be assumed: 'Access denied when attempting to assume the role {role_arn}': "
            f"{error.response['Error']['Message']}",
        ) from error
    credentials = cloud.credentials(given["AccessKeyId"])
    if credentials is None:
        raise RuntimeError(f"no credentials for {given['AccessKeyId']}")
    return Session(cloud, credentials, region or pipeline.region)
