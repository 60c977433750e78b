"""The section `endpoints` of the environment file: what roles in the target accounts allow endpoints beside models."""

from __future__ import annotations

from scripts.kit.settings.model import Endpoints
from scripts.kit.settings.sections import Section

BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"  # Amazon S3 User Guide, "General purpose bucket naming rules"
ALIAS = r"alias/(?!aws/)[a-zA-Z0-9/_-]{1,250}"  # KMS API Reference, CreateAlias
FORM = "account, which stands for endpoint-data-ACCOUNT-REGION in each account, or the name of a bucket"


def read_endpoints(section: Section) -> Endpoints:
    bucket = section.text("data_bucket", rf"({BUCKET})?", FORM, default="")
    key = section.text("data_key", rf"({ALIAS})?", "the alias of a key, such as alias/endpoint-data", default="")
    found = Endpoints(bucket, section.flag("vpc"), section.flag("batch"), key)
    if found.batch and not bucket:
        section.complain("batch", "true, and transform jobs need a bucket. Write data_bucket too, such as account")
    if key and not bucket:
        section.complain("data_key", "a key, and there is no data. Write data_bucket too, such as account")
    section.finish()
    return found
