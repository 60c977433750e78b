"""The version that is deployed next: its artifact, its image, and whether the target accounts reach both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scripts.kit.doctor.checks.sharing import allow_pull, kept_from_pulling, short, shut_out
from scripts.kit.doctor.facts.projects import Project, container, image_of
from scripts.kit.doctor.findings import Place, check, here
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot

IMAGE = re.compile(r"([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?/([a-z0-9._/-]+)[:@](.+)")
APPROVE_ANOTHER = "register a version from {what}, and approve it instead"


def versions(facts: Snapshot) -> Iterator[tuple[Project, str, Any]]:
    """Every project that has a version, with the version's name and description."""
    for project in facts.complete_projects:
        if project.version:
            version = project.version
            yield project, f"version {version['ModelPackageVersion']} of {project.name}", version


@check(
    "version-image",
    "error",
    "SageMaker cannot pull a version's image",
    "The Build step refuses the version.",
)
def version_image(facts: Snapshot) -> Iterator[Place]:
    for _, name, version in versions(facts):
        text, image = container(version).get("Image", ""), image_of(version)
        if not image:
            what = APPROVE_ANOTHER.format(what="an image in Amazon ECR with a tag or a digest")
            yield here(facts, name, f"its image is {text or 'none'}", what)
        elif image.region != facts.region:
            what = f"its image is in {image.region}, and SageMaker pulls from the endpoint's own Region only"
            yield here(facts, name, what, APPROVE_ANOTHER.format(what=f"an image in {facts.region}"))


@check(
    "version-image-missing",
    "error",
    "A version's image is gone",
    "Endpoints that serve the version cannot start again, and no new one can be created.",
)
def version_image_missing(facts: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(facts):
        image = container(version).get("Image", "")
        if project.image is None:
            yield here(facts, name, f"there is no {image}", f"push it again: docker push {image}")


@check(
    "version-image-shared",
    "error",
    "The target accounts may not pull a version's image",
    "SageMaker answers with access denied when the endpoint starts.",
)
def version_image_shared(facts: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(facts):
        image = image_of(version)
        if not image or project.image is None or not known(project.repository_policy):
            continue
        arn = f"arn:{facts.partition}:ecr:{image.region}:{image.account}:repository/{image.repository}"
        if found := kept_from_pulling(facts, project.repository_policy, arn):
            what = f"the repository {image.repository} of {image.account} does not allow {short(found)}"
            fix = allow_pull(facts, image.region, image.repository)
            yield Place(image.account, name, what, fix, image.region)


@check(
    "version-artifact-missing",
    "error",
    "A version's model artifact is gone",
    "The Build step refuses the version, and endpoints that serve it cannot start again.",
)
def version_artifact_missing(facts: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(facts):
        url = container(version).get("ModelDataUrl", "")
        if url and project.artifact is None:
            bucket, _, key = url.removeprefix("s3://").partition("/")
            yield here(
                facts,
                name,
                f"there is no {url}",
                f"aws s3api list-object-versions --bucket {bucket} --prefix {key} shows whether it was deleted: "
                "delete the delete marker, or train again and approve the new version",
            )


@check(
    "version-artifact-key",
    "error",
    "A version's model artifact is encrypted with a key that cannot be shared",
    "S3's default key for KMS (aws/s3) can be used in its own account only.",
)
def version_artifact_key(facts: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(facts):
        used = project.artifact.get("SSEKMSKeyId", "") if project.artifact else ""
        ours = facts.storage.key["Arn"] if facts.storage.key else ""
        if project.artifact and project.artifact.get("ServerSideEncryption") == "aws:kms" and ours and used != ours:
            yield here(
                facts,
                name,
                f"{container(version)['ModelDataUrl']} is encrypted with {used or 'the default key'}",
                f"train with the kit's key (OutputDataConfig.KmsKeyId = {ours}), and approve that version",
            )


@check(
    "version-artifact-shared",
    "error",
    "The target accounts may not read a version's model artifact",
    "The endpoint fails while it downloads its model.",
)
def version_artifact_shared(facts: Snapshot) -> Iterator[Place]:
    for project, name, version in versions(facts):
        url = container(version).get("ModelDataUrl", "")
        bucket, _, key = url.removeprefix("s3://").partition("/")
        if not url or (facts.storage.models and bucket == facts.storage.models.name):
            continue  # model-bucket-policy checks the kit's own bucket
        resource = f"arn:{facts.partition}:s3:::{bucket}/{key}"
        if found := shut_out(facts, project.artifact_policy, "s3:GetObject", resource):
            yield here(
                facts,
                name,
                f"the bucket {bucket} does not allow {short([account for account, _ in found])}",
                "train into the kit's model bucket, or merge the statement that finding default-bucket-policy shows "
                f"into the policy of {bucket}",
            )


@check(
    "group-policy",
    "note",
    "A version is not shared with every account of a stage that serves it",
    "The next deployment to the stage shares it; until then these accounts cannot create a model from it.",
)
def group_policy(facts: Snapshot) -> Iterator[Place]:
    for project in facts.complete_projects:
        for stage, found in project.stages.items():
            live = found.stack.parameters.get("ModelPackageName", "") if found.stack else ""
            shut = shut_out(facts, project.group_policy, "sagemaker:CreateModel", live, stages=[stage]) if live else []
            if shut:
                yield here(
                    facts,
                    f"model group {project.name}",
                    f"version {live.rsplit('/', 1)[1]} is not shared with {short([account for account, _ in shut])}",
                    f"aws codepipeline start-pipeline-execution --name {project.pipeline_name}",
                )
