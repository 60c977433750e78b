"""The container images that the embedded AWS can run: SageMaker's own XGBoost and scikit-learn, what is byte for byte
the same, and a team's own, for which rehearsal-images.yaml names a stand-in.

What pulling needs: Developer Guide, "How to use SageMaker AI execution roles".
"""

from __future__ import annotations

from typing import Any

from awslang.errors import NotSupported
from localaws import moto_bridge
from localaws.cloud import Cloud, Session, arn
from localaws.services.ecr.images import (
    FOR_PROCESSING,
    IMAGE,
    PULL,
    TAGS,
    XGBOOST,
    built_in,
    find,
    is_built_in,
    origin,
    xgboost_image,
)
from localaws.services.sagemaker.base import invalid, now


def check_image(cloud: Cloud, image: str, region: str, processes: bool = False) -> str:
    """The repository of SageMaker's own that the image comes from (sagemaker-xgboost), or the team's own repository.

    ValidationException for an image that AWS would not find; NotSupported for one that only AWS can run.
    """
    found = IMAGE.fullmatch(image)
    if not found:
        raise invalid(f"Using non-ECR image '{image}' without Vpc repository access mode is not supported.")
    account, image_region, repository, tag, digest = found.groups()
    if image_region != region:
        raise invalid(f"The image '{image}' is not in the region {region}: the image must be in the same region.")
    digest = digest and digest.removeprefix("@")
    if is_built_in(cloud, account, region) and repository in TAGS:
        if built_in(repository, tag, digest) is None:
            raise NotSupported(
                f"the image {image}: the versions that run here are {', '.join(sorted(TAGS[repository]))}"
            )
        if not processes and repository == XGBOOST and tag in FOR_PROCESSING:
            raise NotSupported(
                f"the image {image}: XGBoost's images before 1.3 write models and answer otherwise than later ones, "
                "so that only processing jobs run in them here"
            )
        return str(repository)
    if repository in cloud.stand_ins and repository not in TAGS:
        return str(repository)
    held = moto_bridge.backend("ecr", account, region).repositories.get(repository)
    own = find(held, tag, digest) if held is not None else None
    if own is not None and (known := origin(own.digest)):
        return known
    if own is None and (repository in TAGS or held is not None):
        raise invalid(f"Requested image {image} not found.")
    raise NotSupported(
        f"the image {image}: only SageMaker's own XGBoost and scikit-learn images run here, such as "
        f"{xgboost_image(cloud, region)}, and what is byte for byte the same. For another image, name in "
        f"rehearsal-images.yaml what stands in for {repository}"
    )


def deployed(cloud: Cloud, image: str) -> dict[str, Any]:
    """The image of a model as DescribeEndpoint shows it (API Reference, DeployedImage).

    A tag is resolved when the model is created. No digest is shown where no registry holds the image: a stand-in's.
    """
    found = IMAGE.fullmatch(image)
    if found is None:
        raise ValueError(f"{image} was not checked")
    account, region, repository, tag, digest = found.groups()
    digest = digest and digest.removeprefix("@")
    if is_built_in(cloud, account, region) and repository in TAGS:
        held = built_in(repository, tag, digest)
    else:
        there = moto_bridge.backend("ecr", account, region).repositories.get(repository)
        held = find(there, tag, digest) if there is not None else None
    shown: dict[str, Any] = {"SpecifiedImage": image}
    if held is not None:
        path = image.split("@")[0].removesuffix(f":{tag}")
        shown |= {"ResolvedImage": f"{path}@{held.digest}", "ResolutionTime": now()}
    return shown


def pull(session: Session, image: str) -> None:
    """AwsError unless the role may pull the image: by its own policies and, in another account, by the repository's.

    The registries of built-in images allow every account.
    """
    found = IMAGE.fullmatch(image)
    if found is None:
        raise ValueError(f"{image} was not checked")
    account, region, repository = found.group(1), found.group(2), found.group(3)
    session.permit("ecr:GetAuthorizationToken", "*")
    for action in PULL:
        session.permit(action, arn("ecr", region, account, f"repository/{repository}"), owner=account)
