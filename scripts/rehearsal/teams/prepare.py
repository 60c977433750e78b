"""What endpoints use beside models in each target account, where a team's settings name it as the account's own.

docs/guides/ml-engineer.md, "Data capture, asynchronous endpoints and VPCs": an ML engineer makes it before.
"""

from __future__ import annotations

from scripts.rehearsal.story import Story
from scripts.rehearsal.teams.repositories import IN_A_BUCKET, IN_A_VPC, OWN

NETWORK = {"subnet-1": "subnet-0a1b", "subnet-2": "subnet-0c2d", "security-group": "sg-0e3f"}


def environment(story: Story) -> str:
    """The section of the environment file that allows it; "" for none."""
    bucket = f"  data_bucket: {OWN}\n" if story.repositories.uses(IN_A_BUCKET) else ""
    vpc = "  vpc: true\n" if story.repositories.uses(IN_A_VPC) else ""
    return f"endpoints:\n{bucket}{vpc}" if bucket or vpc else ""


def prepare(story: Story) -> None:
    """Make the buckets and the parameters, as each account's administrator."""
    bucket, vpc = story.repositories.uses(IN_A_BUCKET), story.repositories.uses(IN_A_VPC)
    for account in story.setting.targets.values():
        for region in dict.fromkeys((story.region, *story.regions)):
            root = story.cloud.root(account, region)
            if bucket:
                elsewhere = (
                    {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {}
                )
                root.client("s3").create_bucket(Bucket=f"endpoint-data-{account}-{region}", **elsewhere)
            for name, value in NETWORK.items() if vpc else ():
                path = f"/sagemaker-multi-account/endpoints/{name}"
                root.client("ssm").put_parameter(Name=path, Value=value, Type="String")
