"""The section `endpoints` of the environment file: what roles in the target accounts allow endpoints beside models."""

from __future__ import annotations

from scripts.kit.settings.model import Endpoints, Shadow
from scripts.kit.settings.sections import Section

BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"  # Amazon S3 User Guide, "General purpose bucket naming rules"
ALIAS = r"alias/(?!aws/)[a-zA-Z0-9/_-]{1,250}"  # KMS API Reference, CreateAlias
# Minutes: CodePipeline waits 8 hours for a build ("Quotas in AWS CodePipeline"), which needs some itself.
LONGEST_SHADOW = 240
MOST_REQUESTS = 5_000  # that the pipeline's step compares (pipeline/captured.py)
FORM = "account, which stands for endpoint-data-ACCOUNT-REGION in each account, or the name of a bucket"


def read_endpoints(section: Section) -> Endpoints:
    bucket = section.text("data_bucket", rf"({BUCKET})?", FORM, default="")
    key = section.text("data_key", rf"({ALIAS})?", "the alias of a key, such as alias/endpoint-data", default="")
    inner = section.section("shadow")
    shadow = Shadow(inner.whole("minutes", LONGEST_SHADOW), inner.whole("requests", MOST_REQUESTS))
    inner.finish()
    found = Endpoints(bucket, section.flag("vpc"), section.flag("batch"), key, shadow)
    if found.batch and not bucket:
        section.complain("batch", "true, and transform jobs need a bucket. Write data_bucket too, such as account")
    if key and not bucket:
        section.complain("data_key", "a key, and there is no data. Write data_bucket too, such as account")
    if shadow.minutes and not bucket:
        section.complain(
            "shadow", "is compared by captured data, which need a bucket. Write data_bucket too, such as account"
        )
    if shadow.requests and not shadow.minutes:
        inner.complain("requests", "ends a shadow, and there is none. Write minutes too, such as 60")
    section.finish()
    return found
