"""The organization: features, management account, trusted access, delegation, the data science account in it."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.kit.doctor.facts.organization import STACK_SETS
from scripts.kit.doctor.findings import Place, check
from scripts.kit.doctor.reader import known
from scripts.kit.doctor.snapshot import Snapshot
from scripts.kit.organization.members import state


@check(
    "organization-missing",
    "error",
    "The account is not in an organization",
    "Service-managed stack sets deploy to the accounts of organizational units.",
)
def organization_missing(facts: Snapshot) -> Iterator[Place]:
    if facts.organization.described is None:
        yield Place(
            facts.reader_account,
            "organization",
            f"account {facts.reader_account} does not belong to an organization",
            "aws organizations create-organization --feature-set ALL\n"
            "(in the account that will manage it), or write `administrator: self-managed` and `targets`",
        )


@check(
    "organization-features",
    "error",
    "The organization has only consolidated billing",
    "Trusted access for stack sets needs an organization with all features.",
)
def organization_features(facts: Snapshot) -> Iterator[Place]:
    described = facts.organization.described
    if described and described["Organization"]["FeatureSet"] != "ALL":
        yield Place(
            described["Organization"]["MasterAccountId"],
            described["Organization"]["Id"],
            f"FeatureSet is {described['Organization']['FeatureSet']}",
            "aws organizations enable-all-features\n(in the management account; invited accounts must agree)",
        )


@check(
    "organization-management",
    "error",
    "accounts.management is not the organization's management account",
    "Trusted access and delegation are set there, and the other accounts are entered from there.",
)
def organization_management(facts: Snapshot) -> Iterator[Place]:
    described = facts.organization.described
    if described and described["Organization"]["MasterAccountId"] != facts.settings.accounts.management:
        management = described["Organization"]["MasterAccountId"]
        yield Place(
            management,
            described["Organization"]["Id"],
            f"it is {management}, and the environment file says {facts.settings.accounts.management}",
            f"write accounts.management: '{management}' in the environment file",
        )


@check(
    "trusted-access",
    "error",
    "CloudFormation has no trusted access to the organization",
    "Without it no principal can create a stack set that deploys to OUs.",
)
def trusted_access(facts: Snapshot) -> Iterator[Place]:
    if known(facts.organization.trusted) and facts.organization.trusted != "ENABLED":
        yield Place(
            facts.settings.accounts.management,
            "trusted access for stack sets",
            f"its status is {facts.organization.trusted}",
            "aws cloudformation activate-organizations-access",
        )


@check(
    "delegation",
    "error",
    "The data science account may not create stack sets for the organization",
    "Each stage is a stack set that the data science account creates as a delegated administrator.",
)
def delegation(facts: Snapshot) -> Iterator[Place]:
    account = facts.settings.accounts.data_science
    delegates = facts.organization.delegates
    if facts.settings.administrator == "delegated" and known(delegates) and account not in delegates:
        yield Place(
            facts.settings.accounts.management,
            f"account {account}",
            f"delegated administrators of stack sets: {', '.join(delegates) or 'none'}",
            "aws organizations register-delegated-administrator "
            f"--service-principal {STACK_SETS} --account-id {account}",
        )


@check(
    "data-science-account",
    "error",
    "The data science account is not an active account of the organization",
    "Models are shared, and stack sets created, within one organization.",
)
def data_science_account(facts: Snapshot) -> Iterator[Place]:
    answer, account = facts.organization.data_science, facts.settings.accounts.data_science
    now = state(answer["Account"]) if answer else "not in the organization"
    if known(answer) and now != "ACTIVE":
        yield Place(
            account,
            f"account {account}",
            f"the account is {now}",
            f"invite it (aws organizations invite-account-to-organization --target Id={account},Type=ACCOUNT), "
            "or name another account in accounts.data_science",
        )
