"""The project template in S3: the object that Studio shows, the bucket that answers, the domain, the launch role.

How it is to be, and what a request must hold, is scripts/kit/publish/hosting.py's, as `make publish` does it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.kit.bundle import pack
from scripts.kit.console import UserError
from scripts.kit.doctor import kit
from scripts.kit.doctor.data_science import here
from scripts.kit.doctor.findings import Place, Request, finding
from scripts.kit.doctor.launch import STOCK_POLICY, needed
from scripts.kit.doctor.reader import UNREAD, Reader, known
from scripts.kit.doctor.roles import may, read_role, service, trusts
from scripts.kit.doctor.studio import chosen
from scripts.kit.publish import hosting
from scripts.kit.publish.catalog import STUDIO_TAG, bundle_bucket
from scripts.kit.settings.model import Settings
from scripts.kit.together import together

if TYPE_CHECKING:
    from scripts.kit.doctor.snapshot import Snapshot

NAME = hosting.LAUNCH_ROLE.rsplit("/", 1)[1]
CREATOR = "sagemaker-multi-account-project-creator"  # the policy of templates/10-data-science-account.yaml
PASSED_TO = {"iam:passedtoservice": ("cloudformation.amazonaws.com",)}


@dataclass(frozen=True)
class Hosted:
    """want: None where nothing is published to S3; its key is "" where no bundle is known.

    templates: tags by key; listed: the objects among which they are; same: as hosting.There has it; rules: the
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
        """The versions that lie there, and whether Studio shows each; the newest last."""
        tags = self.templates or {}
        found = [one["Key"] for one in sorted(self.listed or [], key=lambda one: one["LastModified"])]
        key, value = STUDIO_TAG
        return {hosting.version_of(name): tags[name].get(key) == value for name in found if name in tags}

    @property
    def newest(self) -> str:
        """The version that new projects are made from; "" where Studio shows none."""
        return next((version for version, shown in reversed(self.versions.items()) if shown), "")

    @property
    def there(self) -> hosting.FoundTemplates:
        return hosting.FoundTemplates(self.templates or {}, self.same is not False, tuple(self.rules or ()), "")


# -- the facts ---------------------------------------------------------------------------------


def gather(reader: Reader, settings: Settings, bundle: pack.Bundle | None) -> Hosted:
    if settings.publishing.to == "service-catalog":
        return Hosted()
    account, names = settings.accounts.data_science, settings.studio.execution_roles
    want = wanted(account, reader, bundle)

    def s3(operation: str, work: Any) -> Any:
        return reader.through(account, "s3", operation, lambda: work(reader.connection_to(account, "s3")))

    templates, listed, same, rules, role, *people = together(
        [
            partial(s3, "ListObjectsV2", lambda home: hosting.templates(home, want.bucket)),
            partial(
                reader.pages, account, "s3", "ListObjectsV2", "Contents", Bucket=want.bucket, Prefix=hosting.PREFIX
            ),
            partial(s3, "GetObject", lambda home: hosting.same_content(home, want)) if want.key else lambda: UNREAD,
            partial(s3, "GetBucketCors", lambda home: hosting.cors_rules(home.client("s3"), want)),
            partial(read_role, reader, account, NAME, policies=True),
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
        launch_role=f"arn:{reader.connection.partition}:iam::{account}:role/{hosting.LAUNCH_ROLE}",
        domain_arn="",
        url="",
    )


# -- the checks --------------------------------------------------------------------------------


@finding(
    "template-missing",
    "stops",
    "No project template in S3 is shown by Studio",
    "With `publishing: {to: s3}` (or both), data scientists choose the template that lies there.",
)
def template_missing(it: Snapshot) -> Iterator[Place]:
    want, found = it.hosted.want, it.hosted.templates
    if not want or not isinstance(found, dict) or want.key in found:
        return
    if not it.hosted.newest:
        yield here(
            it,
            f"{want.location}*.yaml",
            f"{len(found)} templates are there, none that Studio shows",
            it.make_publish,
        )


@finding(
    "template-unpublished",
    "note",
    "The bundle in build/ is not published to S3",
    "New projects come from an older version.",
)
def template_unpublished(it: Snapshot) -> Iterator[Place]:
    want, found = it.hosted.want, it.hosted.templates
    if not want or not it.bundle or not found or want.key in found:
        return
    if shown := [version for version, is_shown in it.hosted.versions.items() if is_shown]:
        yield here(it, f"s3://{want.bucket}/{want.key}", f"Studio shows {', '.join(shown)}", it.make_publish)


@finding(
    "template-changed",
    "stops",
    "The project template in S3 is not what was published",
    "New projects would be made from something that nobody reviewed, as a role with many rights.",
)
def template_changed(it: Snapshot) -> Iterator[Place]:
    want = it.hosted.want
    if want and it.hosted.same is False:
        yield here(
            it,
            f"s3://{want.bucket}/{want.key}",
            "its content is not that of the version in its name",
            f"aws s3api list-object-versions --bucket {want.bucket} --prefix {want.key} shows who wrote it; "
            f"delete it (aws s3api delete-object --bucket {want.bucket} --key {want.key}), then {it.make_publish}",
        )


@finding(
    "template-tag",
    "stops",
    "The project template in S3 has not got the tag that Studio looks for",
    "Studio shows only templates tagged sagemaker:studio-visibility = true, in lower case.",
    safe=True,
)
def template_tag(it: Snapshot) -> Iterator[Place]:
    want = it.hosted.want
    if not want or not it.hosted.templates or want.key not in it.hosted.templates or it.hosted.same is False:
        return
    step = hosting.plan_template(want, it.hosted.there)
    if step.writes:
        was = it.hosted.templates[want.key].get(STUDIO_TAG[0])
        what = f"its {STUDIO_TAG[0]} is {was!r}" if was else "the tag is missing"
        yield tagged(it, want.bucket, want.key, step.request["tags"]).mends(f"s3://{want.bucket}/{want.key}", what)


def tagged(it: Snapshot, bucket: str, key: str, tags: Mapping[str, str]) -> Request:
    """What gives a template in S3 these tags, and no others."""
    tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
    parameters = {"Bucket": bucket, "Key": key, "Tagging": {"TagSet": tag_set}}
    return Request(it.account, it.region, "s3", "PutObjectTagging", parameters)


@finding(
    "template-choice",
    "note",
    "Studio shows more than one version of the project template",
    "A project is made from whichever one the data scientist chooses.",
    safe=True,
)
def template_choice(it: Snapshot) -> Iterator[Place]:
    want, newest = it.hosted.want, it.hosted.newest
    for key, tags in (it.hosted.templates or {}).items():
        version = hosting.version_of(key)
        if want and version != newest and it.hosted.versions.get(version):
            kept = {name: value for name, value in tags.items() if name != STUDIO_TAG[0]}
            what = f"{version} is shown beside the newer {newest}"
            yield tagged(it, want.bucket, key, kept).mends(f"s3://{want.bucket}/{key}", what)


@finding(
    "template-cors",
    "stops",
    "The bundle bucket does not answer Studio's pages",
    f"They read the templates from {hosting.ORIGIN}, which a browser allows only with a CORS rule of the bucket.",
    safe=True,
)
def template_cors(it: Snapshot) -> Iterator[Place]:
    want = it.hosted.want
    if not want or not isinstance(it.hosted.rules, list):
        return
    resource, what = f"bucket {want.bucket}", f"none of its {len(it.hosted.rules)} CORS rules lets them in"
    try:
        step = hosting.plan_cors(want, it.hosted.there)
    except UserError as error:  # no room for another rule
        yield here(it, resource, what, f"{error}: aws s3api put-bucket-cors --bucket {want.bucket}")
        return
    if step.writes:
        parameters = {"Bucket": want.bucket, "CORSConfiguration": dict(step.request)}
        request = Request(it.account, it.region, "s3", "PutBucketCors", parameters)
        yield request.mends(resource, what)


@finding(
    "template-location",
    "warns",
    "The Studio domain does not look where the project template is",
    f"Studio reads the place from the domain's tag {hosting.LOCATION_TAG}, and shows no template without it.",
)
def template_location(it: Snapshot) -> Iterator[Place]:
    want = it.hosted.want
    places = {d["DomainArn"]: it.studio.tags.get(d["DomainId"], UNREAD) for d in chosen(it)} if want else {}
    if not want or not all(known(tags) for tags in places.values()):
        return
    found = {arn: (tags or {}).get(hosting.LOCATION_TAG, "") for arn, tags in places.items()}
    if any(location.rstrip("/") == want.location.rstrip("/") for location in found.values()):
        return
    for arn, location in found.items():
        yield here(
            it,
            f"domain {arn.rsplit('/', 1)[1]}",
            f"its tag says {location}" if location else "it has no such tag",
            f"aws sagemaker add-tags --resource-arn {arn} --tags Key={hosting.LOCATION_TAG},Value={want.location}",
        )


@finding(
    "template-role-missing",
    "stops",
    "The launch role of the project template in S3 is missing",
    "CloudFormation makes projects as this role, which template 10 has where templates are published to S3.",
)
def template_role_missing(it: Snapshot) -> Iterator[Place]:
    if it.hosted.want and it.hosted.role is None:
        yield here(it, f"role {hosting.LAUNCH_ROLE}", "there is no such role", it.make_accounts)


@finding(
    "template-role-trust",
    "stops",
    "CloudFormation may not become the launch role of the project template in S3",
    "No project can be created, updated or deleted.",
)
def template_role_trust(it: Snapshot) -> Iterator[Place]:
    if it.hosted.role and not trusts(it.hosted.role, service("cloudformation.amazonaws.com")).allowed:
        yield here(
            it,
            f"role {hosting.LAUNCH_ROLE}",
            "its trust policy does not allow cloudformation.amazonaws.com",
            f"aws iam update-assume-role-policy --role-name {NAME} --policy-document "
            '\'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
            '"Principal": {"Service": "cloudformation.amazonaws.com"}}]}\'',
        )


@finding(
    "template-role-gaps",
    "stops",
    "The launch role of the project template in S3 may not make everything that is in it",
    "Creating a project fails half-way, and its stack is rolled back.",
)
def template_role_gaps(it: Snapshot) -> Iterator[Place]:
    role = it.hosted.role
    if not role or not known(role.policies):
        return
    own = [need for need in needed(it) if not need[0].startswith("cloudformation:")]  # the caller makes the stack
    if gaps := [f"{action} on {arn}" for action, arn, keys in own if not may(role, action, arn, keys)]:
        stock = f"arn:{it.partition}:iam::aws:policy/{STOCK_POLICY}"
        yield here(
            it,
            f"role {hosting.LAUNCH_ROLE}",
            f"it may not {'; '.join(gaps)}",
            f"aws iam attach-role-policy --role-name {NAME} --policy-arn {stock}"
            if stock not in role.attached
            else "the stock policy is attached, and something denies these: look at the role's other policies",
        )


@finding(
    "project-creator-missing",
    "stops",
    "A data scientists' role has not got the policy for templates in S3",
    "It may neither see them nor make a project from one.",
)
def project_creator_missing(it: Snapshot) -> Iterator[Place]:
    policy = f"arn:{it.partition}:iam::{it.account}:policy/{CREATOR}"
    for name, role in it.hosted.people.items():
        if role and known(role.attached) and policy not in role.attached:
            attach = f"aws iam attach-role-policy --role-name {name.rsplit('/', 1)[-1]} --policy-arn {policy}"
            fix = f"{it.make_accounts}\nor {attach}"
            yield here(it, f"role {name}", f"{CREATOR} is not attached", fix)


@finding(
    "template-role-pass",
    "stops",
    "A data scientists' role may not hand CloudFormation the launch role",
    "Whoever makes a project from a template in S3 names the launch role, and must be allowed to pass it.",
)
def template_role_pass(it: Snapshot) -> Iterator[Place]:
    want, policy = it.hosted.want, f"arn:{it.partition}:iam::{it.account}:policy/{CREATOR}"
    for name, role in it.hosted.people.items():
        if not want or not role or not known(role.attached) or policy not in role.attached:
            continue  # the finding above
        if not may(role, "iam:PassRole", want.launch_role, PASSED_TO):
            yield here(
                it,
                f"role {name}",
                f"its policies do not allow iam:PassRole on {want.launch_role}",
                f"aws cloudformation detect-stack-drift --stack-name {kit.DATA_SCIENCE_STACK} shows whether {CREATOR} "
                "was changed; otherwise take away the Deny in the role's other policies",
            )
