"""The version that is deployed next: its artifact, its image, and whether the target accounts reach both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from scripts.kit.doctor.data_science import here
from scripts.kit.doctor.findings import Place, finding
from scripts.kit.doctor.projects import Project, container, each
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.storage import short, shut_out, who_may

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

IMAGE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?/([a-z0-9._/-]+)[:@](.+)")
APPROVE_ANOTHER = "register a version from {what}, and approve it instead"


def versions(it: Snapshot) -> Iterator[tuple[Project, str, Any]]:
    """Every project that has a version, with the version's name and description."""
    for project in each(it):
        if project.version:
            version = project.version
            yield project, f"version {version['ModelPackageVersion']} of {project.name}", version


@finding(
    "version-image",
    "stops",
    "A version's image is no image that SageMaker can pull",
    "The Build step refuses the version.",
)
def version_image(it: Snapshot) -> Iterator[Place]:
    for _, name, version in versions(it):
        text = container(version).get("Image", "")
        image = IMAGE.fullmatch(text)
        if not image:
            what = APPROVE_ANOTHER.format(what="an image in Amazon ECR with a tag or a digest")
            yield here(it, name, f"its image is {text or 'none'}", what)
        elif image[2] != it.region:
            what = f"its image lies in {image[2]}, and SageMaker pulls one from the endpoint's own region only"
            yield here(it, name, what, APPROVE_ANOTHER.format(what=f"an image in {it.region}"))


@finding(
    "version-image-missing",
    "stops",
    "A version's image is gone",
    "Endpoints that serve the version cannot start anew, and no new one can be made.",
)
def version_image_missing(it: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(it):
        image = container(version).get("Image", "")
        if project.image is None:
            yield here(it, name, f"there is no {image}", f"push it again: docker push {image}")


@finding(
    "version-image-shared",
    "stops",
    "A version's image may not be pulled by the target accounts",
    "SageMaker answers with access denied when the endpoint starts.",
)
def version_image_shared(it: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(it):
        image = IMAGE.fullmatch(container(version).get("Image", ""))
        if not image or image[1] != it.account or project.image is None or not known(project.repository_policy):
            continue
        arn = f"arn:{it.partition}:ecr:{image[2]}:{it.account}:repository/{image[4]}"
        if found := shut_out(it, project.repository_policy, "ecr:BatchGetImage", arn):
            what = f"the repository {image[4]} does not let in {short([account for account, _ in found])}"
            yield here(it, name, what, let_pull(it, image[2], image[4]))


def let_pull(it: Snapshot, region: str, repository: str) -> str:
    """The command that lets the target accounts pull a repository's images."""
    return (
        f"aws ecr set-repository-policy --region {region} --repository-name {repository} with the statement "
        f"{json.dumps(pull_statement(it))}"
    )


def pull_statement(it: Snapshot) -> dict[str, Any]:
    """Lets the target accounts pull, in a repository's policy."""
    principal, condition = who_may(it)
    return {
        "Sid": "TargetAccountsPullImages",
        "Effect": "Allow",
        "Principal": principal,
        "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        **({"Condition": condition} if condition else {}),
    }


@finding(
    "version-artifact-missing",
    "stops",
    "A version's model artifact is gone",
    "The Build step refuses the version, and endpoints that serve it cannot start anew.",
)
def version_artifact_missing(it: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(it):
        url = container(version).get("ModelDataUrl", "")
        if url and project.artifact is None:
            bucket, _, key = url.removeprefix("s3://").partition("/")
            yield here(
                it,
                name,
                f"there is no {url}",
                f"aws s3api list-object-versions --bucket {bucket} --prefix {key} shows whether it was deleted: "
                "delete the delete marker, or train again and approve the new version",
            )


@finding(
    "version-artifact-key",
    "stops",
    "A version's model artifact is encrypted with a key that cannot be shared",
    "S3's default key for KMS (aws/s3) serves its own account only.",
)
def version_artifact_key(it: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(it):
        used = project.artifact.get("SSEKMSKeyId", "") if project.artifact else ""
        ours = it.storage.key["Arn"] if it.storage.key else ""
        if project.artifact and project.artifact.get("ServerSideEncryption") == "aws:kms" and ours and used != ours:
            yield here(
                it,
                name,
                f"{container(version)['ModelDataUrl']} is encrypted with {used or 'the default key'}",
                f"train with the kit's key (OutputDataConfig.KmsKeyId = {ours}), and approve that version",
            )


@finding(
    "version-artifact-shared",
    "stops",
    "A version's model artifact may not be read by the target accounts",
    "The endpoint fails while it downloads its model.",
)
def version_artifact_shared(it: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(it):
        url = container(version).get("ModelDataUrl", "")
        bucket, _, key = url.removeprefix("s3://").partition("/")
        if not url or (it.storage.models and bucket == it.storage.models.name):
            continue  # the kit's own bucket has a finding of its own
        resource = f"arn:{it.partition}:s3:::{bucket}/{key}"
        if found := shut_out(it, project.artifact_policy, "s3:GetObject", resource):
            yield here(
                it,
                name,
                f"the bucket {bucket} does not let in {short([account for account, _ in found])}",
                "train into the kit's model bucket, or merge the statement that finding default-bucket-policy shows "
                f"into the policy of {bucket}",
            )


@finding(
    "group-policy",
    "note",
    "A model group is not shared with every target account",
    "The next deployment's Build step does it; until then these accounts cannot make a model from it.",
)
def group_policy(it: Snapshot) -> Iterator[Place]:
    for project, _, _ in versions(it):
        group = f"arn:{it.partition}:sagemaker:{it.region}:{it.account}:model-package/{project.name}/1"
        if found := shut_out(it, project.group_policy, "sagemaker:CreateModel", group):
            yield here(
                it,
                f"model group {project.name}",
                f"not shared with {short([account for account, _ in found])}",
                f"aws codepipeline start-pipeline-execution --name {project.pipeline_name}",
            )
