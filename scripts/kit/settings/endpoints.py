"""The section `endpoints` of the environment file: what roles in the target accounts allow endpoints beside models."""

from __future__ import annotations

from scripts.kit.settings.model import Endpoints
from scripts.kit.settings.sections import Section

BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"  # Amazon S3 User Guide, "General purpose bucket naming rules"
FORM = "account, which stands for endpoint-data-ACCOUNT-REGION in each account, or the name of a bucket"


def read_endpoints(section: Section) -> Endpoints:
    bucket = section.text("data_bucket", rf"({BUCKET})?", FORM, default="")
    found = Endpoints(bucket, section.flag("vpc"), section.flag("batch"))
    if found.batch and not bucket:
        section.complain("batch", "true, and transform jobs need a bucket. Write data_bucket too, such as account")
    section.finish()
    return found
