"""Which test plays what `make rehearse` does not, and whether that uses the statements that say so.

A statement of a template that the story of tests/rehearsal/test_permissions.py does not use gives its reason ("Not
rehearsed", scripts/rehearsal/permissions.py). Where the reason is a feature, PLAYED names the test that plays it, and
the test ends with check_played: each of those statements allowed one of its requests. NO_REHEARSAL has the other
reasons: what AWS asks for and the embedded AWS does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from localaws.cloud import Cloud
from scripts.kit.bundle.pack import ROOT
from scripts.rehearsal.permissions import Holder, Reason, reasons
from scripts.rehearsal.policies_file import write_policies
from tests.support.recorded_decisions import report_of

EVERY_SETTING, BATCH = "tests/rehearsal/test_every_setting.py", "tests/rehearsal/test_batch.py"
# By the beginning of a reason.
PLAYED = {
    "endpoints that capture data, and asynchronous ones": EVERY_SETTING,
    "asynchronous endpoints": EVERY_SETTING,
    "endpoints in a VPC": EVERY_SETTING,
    "endpoints in the VPC that the account's Parameter Store names": EVERY_SETTING,
    "volumes with a key of your own": EVERY_SETTING,
    "endpoints with a monitor": EVERY_SETTING,
    "stages with a monitor": EVERY_SETTING,
    "stages with a dashboard": EVERY_SETTING,
    "stages of EndpointKind batch": BATCH,
    "a consumer": "tests/security/test_consumers.py",
    "an installation with stages between": "tests/security/test_stages.py",
    "an installation with a shadow": "tests/security/test_shadow.py",
    "images of your own": "tests/rehearsal/test_bring_your_own_model.py",
    "stages in several Regions": "tests/rehearsal/test_regions.py",
    "only a build on a push": "tests/security/test_training_build.py",
    "without an organization": "tests/kit/test_self_managed.py",
    "made where project templates are in S3": "tests/kit/test_hosting.py",
    "where models.life_cycle asks for it": "tests/rehearsal/test_approvals.py",
}
NO_REHEARSAL = (
    r"[Tt]he embedded AWS (asks|cancels|follows)|names (them|it)\.$|^as of SeeArtifactBuckets|registry schema|"
    r"the same schemas?|"
    r"an organization that gives up a tag|only an update that names its targets|AmazonSageMakerFullAccess|git itself|"
    r"Studio's pages ask|a project with capital letters|AWS names all of it|the same page|AWS grants it beside"
)


def played_by(reason: Reason) -> str:
    """The test that plays what a reason is about; "" for one that no rehearsal reaches. LookupError for neither."""
    found = [test for feature, test in PLAYED.items() if reason.text.startswith(feature)]
    if not found and not re.search(NO_REHEARSAL, reason.text):
        raise LookupError(reason.text)
    return found[0] if found else ""


def not_rehearsed() -> list[tuple[str, str, str, Reason]]:
    """Every such reason: template, logical id, Sid, reason."""
    return [
        (template.name, logical_id, sid, reason)
        for template in sorted((ROOT / "templates").glob("*.yaml"))
        for logical_id, statements in reasons(template.read_text(encoding="utf-8")).items()
        for sid, found in statements.items()
        for reason in until_whole(found)
        if reason.kind == "Not rehearsed"
    ]


def until_whole(found: Sequence[Reason]) -> Sequence[Reason]:
    """The reasons up to the first that is for all of the statement: one of its role comes after its own."""
    whole = [number for number, reason in enumerate(found) if not reason.actions]
    return found[: whole[0] + 1] if whole else found


def holders_of(cloud: Cloud) -> list[Holder]:
    """The roles and policies of a cloud that still runs, with what they were used for."""
    write_policies(cloud, cloud.folder / "policies.json")
    return report_of(cloud.folder)


def check_played(holders: Iterable[Holder], file: str) -> None:
    """Each statement that rests on this test allowed one of its requests. file: the test's own __file__"""
    test = Path(file).resolve().relative_to(ROOT).as_posix()
    holders = list(holders)
    known = {holder.logical_id for holder in holders}
    wanted = {
        (logical_id if logical_id in known else "", sid, action)  # a policy of its own is among those of its role
        for _, logical_id, sid, reason in not_rehearsed()
        if played_by(reason) == test
        for action in reason.actions or ("",)
    }
    assert wanted, f"no statement rests on {test}"
    used = {
        (role, granted.statement, action)
        for holder in holders
        for granted in holder.used
        for role in (holder.logical_id, "")
        for action in ("", granted.action)
    }
    missing = sorted(wanted - used)
    assert not missing, f"not used here: {missing}"
