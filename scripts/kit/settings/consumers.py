"""The section `consumers` of the environment file: who in which account may ask which project's endpoints, by stage.

A trust policy has at most 2,048 characters (IAM User Guide, "IAM and AWS STS quotas", "Role trust policies").
"""

from __future__ import annotations

from collections.abc import Iterable

from scripts.kit.settings.model import Consumer, PerStage
from scripts.kit.settings.sections import ACCOUNT, Section
from scripts.kit.stages import Stage

PROJECT = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}"  # SageMaker, ProjectEntityName
PRINCIPAL = rf"arn:aws[a-z-]*:iam::{ACCOUNT}:(role|user)/[a-zA-Z0-9_+=.@/-]{{1,576}}"  # a comma would end it in a list
ROOM = 1580  # characters that the trust policy in template 20 leaves of 2,048, counted by tests/kit/test_settings.py
OF_ACCOUNT = 2 * len('"arn:aws:iam::555555555555:root",')  # each is in two statements, and IAM writes it in full


def read_consumers(section: Section, stages: Iterable[Stage]) -> PerStage[tuple[Consumer, ...]]:
    found = PerStage({stage: read_stage(section, stage.key) for stage in stages})
    section.finish()
    return found


def read_stage(section: Section, key: str) -> tuple[Consumer, ...]:
    found = []
    for one in section.sections(key):
        project = one.text("project", PROJECT, "the name of a project, such as churn")
        form = "the ARN of a role or user, such as arn:aws:iam::555555555555:role/shop"
        found.append(Consumer(project, one.text("principal", PRINCIPAL, form)))
        one.finish()
    kept = tuple(dict.fromkeys(found))
    length = sum(len(pair) + 3 for pair in pairs(kept)) + OF_ACCOUNT * len(accounts(kept))
    if length > ROOM:
        section.complain(
            key,
            f"has {length:,} characters of projects and principals, and the role's trust policy has room for "
            f"{ROOM:,}. Give several callers of an account one role there that they become first",
        )
    return kept


def pairs(consumers: tuple[Consumer, ...]) -> list[str]:
    """As template 20 takes them."""
    return [f"{one.project}@{one.principal}" for one in consumers]


def accounts(consumers: tuple[Consumer, ...]) -> list[str]:
    return list(dict.fromkeys(account for one in consumers for account in one.principal.split(":")[4:5]))
