"""ECR's operations on images, replication and creation templates."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from awslang.errors import AwsError, NotSupported
from localaws import moto_bridge
from localaws.calls import Call
from localaws.cloud import Cloud
from localaws.service import Service
from localaws.services.ecr import images
from localaws.services.kms.state import key_arn, usable_key

ecr = Service(
    "ecr",
    moto=(
        "BatchCheckLayerAvailability", "BatchDeleteImage", "BatchGetRepositoryScanningConfiguration",
        "CompleteLayerUpload", "CreateRepository", "DeleteLifecyclePolicy", "DeleteRegistryPolicy",
        "DeleteRepository", "DeleteRepositoryPolicy", "DescribeImageScanFindings", "DescribeImages",
        "DescribeRegistry", "DescribeRepositories", "GetAuthorizationToken", "GetLifecyclePolicy",
        "GetRegistryPolicy", "GetRegistryScanningConfiguration", "GetRepositoryPolicy", "InitiateLayerUpload",
        "ListImages", "ListTagsForResource", "PutImageScanningConfiguration", "PutImageTagMutability",
        "PutLifecyclePolicy", "PutRegistryPolicy", "PutRegistryScanningConfiguration", "SetRepositoryPolicy",
        "StartImageScan", "TagResource", "UntagResource", "UploadLayerPart",
    ),
    invalid="InvalidParameterException",
)  # fmt: skip

ecr.owner = lambda call: str(call.params.get("registryId") or call.account)

REPLICATION_SECONDS = 60  # "the majority of images replicate in less than 30 minutes"
MANIFESTS = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")
CARRIED = {"prefix", "description", "imageTagMutability", "repositoryPolicy", "lifecyclePolicy", "appliedFor"}
RULES, DESTINATIONS = 25, 25  # of a registry ("Private image replication"; "Amazon ECR service quotas" says 10 rules)


@dataclass
class Registry:
    """What moto does not hold of a registry: creation templates by prefix; the state in each Region by image."""

    templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    replications: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


def _registry(call: Call) -> Registry:
    return call.cloud.state(Registry, call.account, call.region)


def _owner(call: Call) -> str:
    return str(call.params.get("registryId") or call.account)


def _repository(call: Call, account: str) -> Any:
    name = call.params["repositoryName"]
    found = moto_bridge.backend("ecr", account, call.region).repositories.get(name)
    if found is None:
        raise AwsError(
            "RepositoryNotFoundException",
            f"The repository with name '{name}' does not exist in the registry with id '{account}'",
        )
    return found


@ecr.before("CreateRepository")
def new_repository(call: Call) -> None:
    """Of a key that can be used (API Reference, CreateRepository: KmsException)."""
    key = (call.params.get("encryptionConfiguration") or {}).get("kmsKey")
    if key:
        try:
            usable_key(key_arn(_owner(call), call.region, key))
        except AwsError as error:
            raise AwsError("KmsException", f"The operation failed due to a KMS exception: {error.message}") from error


@ecr.before("PutRegistryPolicy")
def registry_policy(call: Call) -> None:
    """JSON (API Reference, PutRegistryPolicy: InvalidParameterException)."""
    try:
        json.loads(call.params["policyText"])
    except ValueError as error:
        what = "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid registry policy provided'"
        raise AwsError("InvalidParameterException", what) from error


# -- images ----------------------------------------------------------------------------------------


@ecr.operation("PutImage")
def put_image(call: Call) -> dict[str, Any]:
    repository, params = _repository(call, _owner(call)), call.params
    manifest, name = params["imageManifest"], params["repositoryName"]
    digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
    if params.get("imageDigest", digest) != digest:
        raise AwsError(
            "ImageDigestDoesNotMatchException",
            "The specified image digest does not match the digest that Amazon ECR calculated for the image.",
        )
    kind = _check_manifest(repository, manifest, params.get("imageManifestMediaType", ""))
    _check_tag(repository, digest, params.get("imageTag"))
    backend = moto_bridge.backend("ecr", _owner(call), call.region)
    backend.put_image(name, manifest, params.get("imageTag"), kind, digest)
    _replicate(call, repository, digest, params.get("imageTag"))
    identifier = {"imageDigest": digest} | ({"imageTag": params["imageTag"]} if "imageTag" in params else {})
    return {"image": _shown(_owner(call), name, identifier, manifest, kind)}


def _check_manifest(repository: Any, manifest: str, kind: str) -> str:
    """The manifest's media type; AwsError for an invalid manifest, or one whose layers were not uploaded."""
    wrong = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: "
    try:
        read = json.loads(manifest)
    except json.JSONDecodeError as error:
        raise AwsError("InvalidParameterException", f"{wrong}'Invalid JSON syntax'") from error
    kind = kind or read.get("mediaType", "") if isinstance(read, dict) else ""
    if "manifests" in read:
        raise NotSupported(f"ecr:PutImage of a list of manifests ({kind})")
    if kind not in MANIFESTS or not isinstance(read.get("config"), dict) or not isinstance(read.get("layers"), list):
        raise AwsError("InvalidParameterException", f"{wrong}'Invalid image manifest provided'")
    blobs = [blob.get("digest", "") for blob in (read["config"], *read["layers"])]
    if missing := [blob for blob in blobs if blob not in repository.layers]:
        raise AwsError(
            "LayersNotFoundException",
            f"The specified layers could not be found, or the specified layers are not valid for this repository: "
            f"[{', '.join(missing)}]",
        )
    return str(kind)


def _check_tag(repository: Any, digest: str, tag: str | None) -> None:
    """AwsError where the image is there already under this tag, or another one is in a repository of fixed tags."""
    place = f"in the repository with name '{repository.name}' in the registry with id '{repository.registry_id}'"
    if images.find(repository, tag, digest) is not None:
        raise AwsError(
            "ImageAlreadyExistsException", f"Image with digest '{digest}' and tag '{tag}' already exists {place}"
        )
    if tag is not None and repository.is_tag_immutable() and images.find(repository, tag, None) is not None:
        raise AwsError(
            "ImageTagAlreadyExistsException",
            f"The image tag '{tag}' already exists {place} and cannot be overwritten because the tag is immutable.",
        )


def _shown(registry: str, name: str, identifier: dict[str, str], manifest: str, kind: str) -> dict[str, Any]:
    return {
        "registryId": registry,
        "repositoryName": name,
        "imageId": identifier,
        "imageManifest": manifest,
        "imageManifestMediaType": kind,
    }


@ecr.operation("BatchGetImage")
def batch_get_image(call: Call) -> dict[str, Any]:
    owner, name = _owner(call), call.params["repositoryName"]
    built_in = images.is_built_in(call.cloud, owner, call.region) and name in images.TAGS
    repository = None if built_in else _repository(call, owner)
    found, failures = [], []
    for identifier in call.params["imageIds"]:
        tag, digest = identifier.get("imageTag"), identifier.get("imageDigest")
        image = images.built_in(name, tag, digest) if repository is None else images.find(repository, tag, digest)
        if image is None:
            reason = {"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}
            failures.append({"imageId": identifier, **reason})
        else:
            identifier = {"imageDigest": image.digest} | ({"imageTag": tag} if tag else {})
            found.append(_shown(owner, name, identifier, image.manifest, image.kind))
    return {"images": found, "failures": failures}


# -- replication -----------------------------------------------------------------------------------


@ecr.operation("PutRegistryScanningConfiguration")
def put_registry_scanning_configuration(call: Call) -> dict[str, Any]:
    """The rules may be left out (API Reference, PutRegistryScanningConfiguration), where moto breaks."""
    rules, kind = call.params.get("rules") or [], call.params.get("scanType", "BASIC")
    moto_bridge.backend("ecr", call.account, call.region).put_registry_scanning_configuration(kind, rules)
    return {"registryScanningConfiguration": {"scanType": kind, "rules": rules}}


@ecr.operation("PutReplicationConfiguration")
def put_replication_configuration(call: Call) -> dict[str, Any]:
    configuration = call.params["replicationConfiguration"]
    rules = configuration["rules"]
    places = {(place["registryId"], place["region"]) for rule in rules for place in rule["destinations"]}
    wrong = "Invalid parameter at 'replicationConfiguration' failed to satisfy constraint: "
    if (call.account, call.region) in places:
        problem = "'Replication destination cannot be the same as the source registry'"
        raise AwsError("InvalidParameterException", f"{wrong}{problem}")
    if len(rules) > RULES or len(places) > DESTINATIONS:
        raise AwsError("InvalidParameterException", f"{wrong}'at most {RULES} rules and unique destinations'")
    if others := sorted({registry for registry, _ in places} - {call.account}):
        raise NotSupported(f"replication of images to other accounts ({', '.join(others)})")
    if any("deleteReplication" in rule for rule in rules):
        raise NotSupported("replication of deletions")
    moto_bridge.backend("ecr", call.account, call.region).replication_config = configuration
    return {"replicationConfiguration": configuration}


def _replicate(call: Call, repository: Any, digest: str, tag: str | None) -> None:
    """Send an image that was pushed to each Region that the rules name, some time later."""
    rules = moto_bridge.backend("ecr", call.account, call.region).replication_config["rules"]
    regions = [place["region"] for rule in rules if _applies(rule, repository.name) for place in rule["destinations"]]
    states = _registry(call).replications.setdefault((repository.name, digest), {})
    for region in dict.fromkeys(regions):
        states[region] = "IN_PROGRESS"
        work = (call.cloud, call.account, region, repository, digest, tag, states)
        call.cloud.background(f"replication of {repository.name} to {region}", _arrive, *work)


def _applies(rule: dict[str, Any], name: str) -> bool:
    filters = rule.get("repositoryFilters", [])
    return not filters or any(name.startswith(one["filter"]) for one in filters)


def _arrive(
    cloud: Cloud, account: str, region: str, source: Any, digest: str, tag: str | None, states: dict[str, str]
) -> None:
    """The image in another Region, in a repository that the Region's creation template makes where there is none."""
    cloud.wait(REPLICATION_SECONDS)
    registry, backend = cloud.state(Registry, account, region), moto_bridge.backend("ecr", account, region)
    image = images.find(source, None, digest)
    if image is None:
        states[region] = "FAILED"  # it was deleted meanwhile
        return
    with registry.lock:
        if source.name not in backend.repositories:
            template = _template_for(registry, source.name)
            mutability = template.get("imageTagMutability", "MUTABLE")
            made = backend.create_repository(source.name, None, {}, {}, mutability, [])
            made.policy, made.lifecycle_policy = template.get("repositoryPolicy"), template.get("lifecyclePolicy")
        there = backend.repositories[source.name]
        there.layers |= source.layers
        present = images.find(there, tag, digest)
        if present is None:
            backend.put_image(source.name, image.manifest, tag, image.kind, digest)
    states[region] = "COMPLETE"


def _template_for(registry: Registry, name: str) -> dict[str, Any]:
    """The creation template of a repository that replication makes; {} where none fits."""
    fits = [prefix for prefix in registry.templates if prefix == "ROOT" or name.startswith(f"{prefix.rstrip('/')}/")]
    nearest = max(fits, key=lambda prefix: (prefix != "ROOT", len(prefix)), default=None)
    template = registry.templates[nearest] if nearest is not None else {}
    return template if "REPLICATION" in template.get("appliedFor", ()) else {}


@ecr.operation("DescribeImageReplicationStatus")
def describe_image_replication_status(call: Call) -> dict[str, Any]:
    owner, wanted = _owner(call), call.params["imageId"]
    repository = _repository(call, owner)
    image = images.find(repository, wanted.get("imageTag"), wanted.get("imageDigest"))
    if image is None:
        raise AwsError("ImageNotFoundException", f"The image with imageId {wanted} does not exist.")
    states = call.cloud.state(Registry, owner, call.region).replications.get((repository.name, image.digest), {})
    statuses = [{"region": region, "registryId": owner, "status": status} for region, status in states.items()]
    return {"repositoryName": repository.name, "imageId": wanted, "replicationStatuses": statuses}


# -- creation templates ----------------------------------------------------------------------------


def _check_template(call: Call) -> dict[str, Any]:
    if asked := sorted(call.params.keys() - CARRIED):
        raise NotSupported(f"{call.operation} with {', '.join(asked)}")
    return dict(call.params)


@ecr.operation("CreateRepositoryCreationTemplate")
def create_template(call: Call) -> dict[str, Any]:
    given, registry, now = _check_template(call), _registry(call), datetime.now(UTC)
    with registry.lock:
        if given["prefix"] in registry.templates:
            raise AwsError(
                "TemplateAlreadyExistsException",
                f"The repository creation template with prefix '{given['prefix']}' already exists in the registry "
                f"with id '{call.account}'",
            )
        made = {"imageTagMutability": "MUTABLE", **given, "createdAt": now, "updatedAt": now}
        registry.templates[given["prefix"]] = made
    return {"registryId": call.account, "repositoryCreationTemplate": made}


@ecr.operation("UpdateRepositoryCreationTemplate")
def update_template(call: Call) -> dict[str, Any]:
    given = _check_template(call)
    found = _find_template(call, given["prefix"])
    found.update(given, updatedAt=datetime.now(UTC))
    return {"registryId": call.account, "repositoryCreationTemplate": found}


@ecr.operation("DeleteRepositoryCreationTemplate")
def delete_template(call: Call) -> dict[str, Any]:
    found = _find_template(call, call.params["prefix"])
    del _registry(call).templates[found["prefix"]]
    return {"registryId": call.account, "repositoryCreationTemplate": found}


def _find_template(call: Call, prefix: str) -> dict[str, Any]:
    found = _registry(call).templates.get(prefix)
    if found is None:
        raise AwsError(
            "TemplateNotFoundException",
            f"The repository creation template with prefix '{prefix}' does not exist in the registry with id "
            f"'{call.account}'",
        )
    return found


@ecr.operation("DescribeRepositoryCreationTemplates")
def describe_templates(call: Call) -> dict[str, Any]:
    asked = call.params.get("prefixes")
    return {"registryId": call.account, "repositoryCreationTemplates": list(_listed(_registry(call), asked))}


def _listed(registry: Registry, asked: list[str] | None) -> Iterator[dict[str, Any]]:
    for prefix, template in sorted(registry.templates.items()):
        if not asked or prefix in asked:
            yield template
