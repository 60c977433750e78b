"""The project template in S3: the object that Studio shows, the bucket's CORS rules, the domain, the people's roles.

scripts/kit/publish/hosting.py says how they should be, for `make publish` as well. launch.py has its launch role.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scripts.kit.console import UserError
from scripts.kit.doctor.checks.roles import may
from scripts.kit.doctor.findings import Place, Request, check, here
from scripts.kit.doctor.reader import UNREAD, known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.names import PEOPLE_STACK
from scripts.kit.publish import hosting
from scripts.kit.publish.catalog import STUDIO_TAG

CREATOR = "sagemaker-multi-account-project-creator"  # the policy of templates/13-people.yaml
PASSED_TO = {"iam:passedtoservice": ("cloudformation.amazonaws.com",)}


@check(
    "template-missing",
    "error",
    "Studio shows no project template in S3",
    "With `publishing: {to: s3}` (or both), data scientists choose the template that is there.",
)
def template_missing(facts: Snapshot) -> Iterator[Place]:
    want, found = facts.hosted.want, facts.hosted.templates
    if not want or not isinstance(found, dict) or want.key in found:
        return
    if not facts.hosted.newest:
        yield here(
            facts,
            f"{want.location}*.yaml",
            f"{len(found)} templates are there, and Studio shows none of them",
            facts.make_publish,
        )


@check(
    "template-unpublished",
    "note",
    "The bundle in build/ is not published to S3",
    "New projects are created from an older version.",
)
def template_unpublished(facts: Snapshot) -> Iterator[Place]:
    want, found = facts.hosted.want, facts.hosted.templates
    if not want or not facts.bundle or not found or want.key in found:
        return
    if shown := [version for version, is_shown in facts.hosted.versions.items() if is_shown]:
        yield here(facts, f"s3://{want.bucket}/{want.key}", f"Studio shows {', '.join(shown)}", facts.make_publish)


@check(
    "template-changed",
    "error",
    "The project template in S3 has other content than was published",
    "New projects would be created, with a powerful role, from something that was not reviewed.",
)
def template_changed(facts: Snapshot) -> Iterator[Place]:
    want = facts.hosted.want
    if want and facts.hosted.same is False:
        yield here(
            facts,
            f"s3://{want.bucket}/{want.key}",
            "its content is not that of the version in its name",
            f"aws s3api list-object-versions --bucket {want.bucket} --prefix {want.key} shows who wrote it; "
            f"delete it (aws s3api delete-object --bucket {want.bucket} --key {want.key}), then {facts.make_publish}",
        )


@check(
    "template-tag",
    "error",
    "The project template in S3 lacks the tag that Studio looks for",
    "Studio shows only templates tagged sagemaker:studio-visibility = true, in lower case.",
    safe=True,
)
def template_tag(facts: Snapshot) -> Iterator[Place]:
    want = facts.hosted.want
    if not want or not facts.hosted.templates or want.key not in facts.hosted.templates or facts.hosted.same is False:
        return
    step = hosting.plan_template(want, facts.hosted.there)
    if step.writes:
        was = facts.hosted.templates[want.key].get(STUDIO_TAG[0])
        what = f"its {STUDIO_TAG[0]} is {was!r}" if was else "the tag is missing"
        yield tagged(facts, want.bucket, want.key, step.request["tags"]).fixes(f"s3://{want.bucket}/{want.key}", what)


def tagged(facts: Snapshot, bucket: str, key: str, tags: Mapping[str, str]) -> Request:
    """The request that gives a template in S3 these tags, and no others."""
    tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
    parameters = {"Bucket": bucket, "Key": key, "Tagging": {"TagSet": tag_set}}
    return Request(facts.account, facts.region, "s3", "PutObjectTagging", parameters)


@check(
    "template-choice",
    "note",
    "Studio shows more than one version of the project template",
    "A project is created from the one that the data scientist chooses.",
    safe=True,
)
def template_choice(facts: Snapshot) -> Iterator[Place]:
    want, newest = facts.hosted.want, facts.hosted.newest
    for key, tags in (facts.hosted.templates or {}).items():
        version = hosting.version_of(key)
        if want and version != newest and facts.hosted.versions.get(version):
            kept = {name: value for name, value in tags.items() if name != STUDIO_TAG[0]}
            what = f"{version} is shown beside the newer {newest}"
            yield tagged(facts, want.bucket, key, kept).fixes(f"s3://{want.bucket}/{key}", what)


@check(
    "template-cors",
    "error",
    "The bundle bucket refuses Studio's pages",
    f"They read the templates from {hosting.ORIGIN}, which a browser allows only with a CORS rule of the bucket.",
    safe=True,
)
def template_cors(facts: Snapshot) -> Iterator[Place]:
    want = facts.hosted.want
    if not want or not isinstance(facts.hosted.rules, list):
        return
    resource, what = f"bucket {want.bucket}", f"none of its {len(facts.hosted.rules)} CORS rules allows them"
    try:
        step = hosting.plan_cors(want, facts.hosted.there)
    except UserError as error:  # no room for another rule
        yield here(facts, resource, what, f"{error}: aws s3api put-bucket-cors --bucket {want.bucket}")
        return
    if step.writes:
        parameters = {"Bucket": want.bucket, "CORSConfiguration": dict(step.request)}
        request = Request(facts.account, facts.region, "s3", "PutBucketCors", parameters)
        yield request.fixes(resource, what)


@check(
    "template-location",
    "warning",
    "The Studio domain's tag does not name the place of the project template",
    f"Studio reads the place from the domain's tag {hosting.LOCATION_TAG}, and shows no template without it.",
)
def template_location(facts: Snapshot) -> Iterator[Place]:
    want = facts.hosted.want
    places = {d["DomainArn"]: facts.studio.tags.get(d["DomainId"], UNREAD) for d in facts.domains} if want else {}
    if not want or not all(known(tags) for tags in places.values()):
        return
    found = {arn: (tags or {}).get(hosting.LOCATION_TAG, "") for arn, tags in places.items()}
    if any(location.rstrip("/") == want.location.rstrip("/") for location in found.values()):
        return
    for arn, location in found.items():
        yield here(
            facts,
            f"domain {arn.rsplit('/', 1)[1]}",
            f"its tag says {location}" if location else "it has no such tag",
            f"aws sagemaker add-tags --resource-arn {arn} --tags Key={hosting.LOCATION_TAG},Value={want.location}",
        )


@check(
    "project-creator-missing",
    "error",
    "A data scientists' role lacks the policy for templates in S3",
    "It may neither see them nor create a project from one.",
)
def project_creator_missing(facts: Snapshot) -> Iterator[Place]:
    policy = f"arn:{facts.partition}:iam::{facts.account}:policy/{CREATOR}"
    for name, role in facts.hosted.people.items():
        if role and known(role.attached) and policy not in role.attached:
            attach = f"aws iam attach-role-policy --role-name {name.rsplit('/', 1)[-1]} --policy-arn {policy}"
            fix = attach if facts.data_science.hosting else facts.make_accounts
            yield here(facts, f"role {name}", f"{CREATOR} is not attached", fix)


@check(
    "template-role-pass",
    "error",
    "A data scientists' role may not pass the launch role to CloudFormation",
    "A user who creates a project from a template in S3 names the launch role, and must be allowed to pass it.",
)
def template_role_pass(facts: Snapshot) -> Iterator[Place]:
    want, policy = facts.hosted.want, f"arn:{facts.partition}:iam::{facts.account}:policy/{CREATOR}"
    for name, role in facts.hosted.people.items():
        if not want or not role or not known(role.attached) or policy not in role.attached:
            continue  # project-creator-missing
        if not may(role, "iam:PassRole", want.launch_role, PASSED_TO):
            yield here(
                facts,
                f"role {name}",
                f"its policies do not allow iam:PassRole on {want.launch_role}",
                f"aws cloudformation detect-stack-drift --stack-name {PEOPLE_STACK} shows whether {CREATOR} "
                "was changed; otherwise remove the Deny from the role's other policies",
            )
