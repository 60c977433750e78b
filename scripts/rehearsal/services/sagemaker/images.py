"""The container images that the embedded AWS can run: SageMaker's own XGBoost.

Registry accounts: SageMaker "Docker Registry Paths and Example Code", one page for each region,
section XGBoost (algorithm). Versions: Developer Guide, "XGBoost algorithm with Amazon SageMaker AI".
What pulling needs: Developer Guide, "How to use SageMaker AI execution roles".
"""

from __future__ import annotations

import re

from scripts.rehearsal.cloud import Session, arn
from scripts.rehearsal.errors import NotPlayed
from scripts.rehearsal.services.permit import permit
from scripts.rehearsal.services.sagemaker.base import invalid

XGBOOST_ACCOUNTS = {
    "af-south-1": "510948584623", "ap-east-1": "651117190479", "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698", "ap-northeast-3": "867004704886", "ap-south-1": "720646828776",
    "ap-south-2": "628508329040", "ap-southeast-1": "121021644041", "ap-southeast-2": "783357654285",
    "ap-southeast-3": "951798379941", "ap-southeast-4": "106583098589", "ca-central-1": "341280168497",
    "ca-west-1": "190319476487", "eu-central-1": "492215442770", "eu-central-2": "680994064768",
    "eu-north-1": "662702820516", "eu-south-1": "978288397137", "eu-south-2": "104374241257",
    "eu-west-1": "141502667606", "eu-west-2": "764974769150", "eu-west-3": "659782779980",
    "il-central-1": "898809789911", "me-central-1": "272398656194", "me-south-1": "801668240914",
    "sa-east-1": "737474898029", "us-east-1": "683313688378", "us-east-2": "257758044811",
    "us-west-1": "746614075791", "us-west-2": "246618743249",
}  # fmt: skip
# Played by the one XGBoost that is installed, whatever the version. 1.0 to 1.2 answer with commas
# instead of lines: they are left out.
XGBOOST_TAGS = frozenset(
    f"{version}{suffix}" for version in ("1.5-1", "1.7-1", "2.1-0", "3.0-5") for suffix in ("", "-cpu-py3")
)
IMAGE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^:@]+)(?::([^@]+))?(@sha256:[0-9a-f]{64})?")


def xgboost_image(region: str, tag: str = "3.0-5") -> str:
    """The URI of the image in a region."""
    return f"{XGBOOST_ACCOUNTS[region]}.dkr.ecr.{region}.amazonaws.com/sagemaker-xgboost:{tag}"


def check_image(image: str, region: str) -> None:
    """ValidationException for an image that AWS would not find; NotPlayed for one that only AWS can run."""
    found = IMAGE.fullmatch(image)
    if not found:
        raise invalid(f"Using non-ECR image '{image}' without Vpc repository access mode is not supported.")
    account, image_region, repository, tag, _ = found.groups()
    if repository != "sagemaker-xgboost":
        raise NotPlayed(f"the image {image}: only SageMaker's own XGBoost image runs here ({xgboost_image(region)})")
    if image_region != region:
        raise invalid(f"The image '{image}' is not in the region {region}: the image must be in the same region.")
    if account != XGBOOST_ACCOUNTS[region]:
        raise invalid(f"Requested image {image} not found.")
    if tag not in XGBOOST_TAGS:
        raise NotPlayed(f"the image {image}: the versions that run here are {', '.join(sorted(XGBOOST_TAGS))}")


def pull(session: Session, image: str) -> None:
    """AwsError unless the role may pull the image. The registries of built-in images let everybody in."""
    found = IMAGE.fullmatch(image)
    if found is None:
        raise ValueError(f"{image} was not checked")
    account, region, repository = found.group(1), found.group(2), found.group(3)
    permit(session, "ecr:GetAuthorizationToken", "*")
    for action in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"):
        permit(session, f"ecr:{action}", arn("ecr", region, account, f"repository/{repository}"))
