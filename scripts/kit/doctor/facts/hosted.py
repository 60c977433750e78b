"""The project template in S3: its object, the bucket's CORS rules, the launch role, the data scientists' roles.

scripts/kit/publish/hosting.py says how they should be, for `make publish` as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from scripts.kit.bundle import pack
from scripts.kit.doctor.facts.roles import read_role
from scripts.kit.doctor.reader import UNREAD, Reader
from scripts.kit.names import S3_LAUNCH_ROLE, bundle_bucket
from scripts.kit.publish import hosting
from scripts.kit.publish.catalog import STUDIO_TAG
from scripts.kit.settings.model import Settings
from scripts.kit.together import together


@dataclass(frozen=True)
class Hosted:
    """want: None where nothing is published to S3; its key is "" where no bundle is known.

    templates: tags by key; listed: the objects among which they are; same: as hosting.FoundTemplates has it; rules: the
    bucket's CORS rules; people: the data scientists' roles by name
    """

    want: hosting.HostedTemplate | None = None
    templates: Any = UNREAD
    listed: Any = UNREAD
    same: Any = UNREAD
    rules: Any = UNREAD
    role: Any = UNREAD
    people: Mapping[str, Any] = field(default_factory=dict)

    @property
    def versions(self) -> dict[str, bool]:
        """The versions in the bucket, and whether Studio shows each; the newest last."""
        tags = self.templates or {}
        found = [one["Key"] for one in sorted(self.listed or [], key=lambda one: one["LastModified"])]
        key, value = STUDIO_TAG
        return {hosting.version_of(name): tags[name].get(key) == value for name in found if name in tags}

    @property
    def newest(self) -> str:
        """The version that new projects are created from; "" where Studio shows none."""
        return next((version for version, shown in reversed(self.versions.items()) if shown), "")

    @property
    def there(self) -> hosting.FoundTemplates:
        return hosting.FoundTemplates(self.templates or {}, self.same is not False, tuple(self.rules or ()), "")


def gather(reader: Reader, settings: Settings, bundle: pack.Bundle | None) -> Hosted:
    if settings.publishing.to == "service-catalog":
        return Hosted()
    account, names = settings.accounts.data_science, settings.studio.execution_roles
    want = wanted(account, reader, bundle)

    def s3(operation: str, work: Any) -> Any:
        return reader.through(account, "s3", operation, lambda: work(reader.connections[account]))

    templates, listed, same, rules, role, *people = together(
        [
            partial(s3, "ListObjectsV2", lambda home: hosting.templates(home, want.bucket)),
            partial(
                reader.pages, account, "s3", "ListObjectsV2", "Contents", Bucket=want.bucket, Prefix=hosting.PREFIX
            ),
            partial(s3, "GetObject", lambda home: hosting.same_content(home, want)) if want.key else lambda: UNREAD,
            partial(s3, "GetBucketCors", lambda home: hosting.cors_rules(home.client("s3"), want)),
            partial(read_role, reader, account, S3_LAUNCH_ROLE.rsplit("/", 1)[1], policies=True),
            *(partial(read_role, reader, account, name.rsplit("/", 1)[-1], policies=True) for name in names),
        ]
    )
    return Hosted(want, templates, listed, same, rules, role, dict(zip(names, people, strict=True)))


def wanted(account: str, reader: Reader, bundle: pack.Bundle | None) -> hosting.HostedTemplate:
    return hosting.HostedTemplate(
        account=account,
        bucket=bundle_bucket(account, reader.region),
        key=hosting.template_key(bundle.name) if bundle else "",
        body=bundle.files[pack.PRODUCT] if bundle else b"",
        launch_role=f"arn:{reader.connection.partition}:iam::{account}:role/{S3_LAUNCH_ROLE}",
        domain_arn="",
        url="",
    )
