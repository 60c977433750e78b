"""Approve (or reject) a version of the project's model. An approval starts the deployment of exactly that version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from aws import parser, run, say, session, show
from steps.common import UserError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


def newest(sagemaker: SageMakerClient, group: str) -> int:
    """The number of the version that was registered last."""
    found = sagemaker.list_model_packages(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", MaxResults=1
    )["ModelPackageSummaryList"]
    if not found:
        raise UserError(f"the model group {group} holds no version yet: train one with start.py")
    return int(found[0]["ModelPackageVersion"])


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--version", type=int, help="the version's number (default: the newest)")
    arguments.add_argument("--reject", action="store_true", help="reject the version instead")
    arguments.add_argument("--description", default="", help="why; kept with the version")
    args = arguments.parse_args(argv)
    sagemaker = session(args).client("sagemaker")
    group = args.project
    version = args.version or newest(sagemaker, group)
    group_arn = sagemaker.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    arn = f"{group_arn.replace(':model-package-group/', ':model-package/')}/{version}"
    status: Literal["Approved", "Rejected"] = "Rejected" if args.reject else "Approved"
    reason = {"ApprovalDescription": args.description} if args.description else {}
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status, **reason)
    say(f"{status.lower()} version {version} of {group}")
    show({"model_package_arn": arn, "version": version, "status": status}, args.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
