"""Take the kit itself down: product and portfolio, the target accounts' roles, the data science account's stacks.

Only after every project. Service Catalog deletes a product only when nothing is made from it and no portfolio
has it, a portfolio only when it is empty (API Reference, DeleteProduct, DeletePortfolio: ResourceInUseException); IAM
deletes a policy only when nobody has it (API Reference, DeletePolicy: DeleteConflict). The organization, its units
and its accounts are never touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from scripts.bundle import teardown
from scripts.bundle.connect import Connection, enter
from scripts.bundle.console import UserError
from scripts.bundle.environment import Environment
from scripts.bundle.members import accounts_beneath, find_unit
from scripts.bundle.plan import Step
from scripts.bundle.projects import describe_stack, pages
from scripts.bundle.teardown import Asked, Part, deleted, elsewhere, kept, unless

DATA_SCIENCE, TARGET, MODELS = (
    "multi-account-deployment",
    "multi-account-deployment-target",
    "multi-account-deployment-models",
)
SELF_MANAGED = "multi-account-deployment-stack-sets"  # template 21, where there is no organization
SETS = (TARGET, f"{TARGET}-staging", f"{TARGET}-production")
APPROVER_POLICY = "sagemaker-multi-account-approver"
BUNDLE_BUCKET, MODEL_BUCKET = "sagemaker-multi-account-bundle", "sagemaker-multi-account-models"
MODEL_KEY = "alias/sagemaker-multi-account-models"
# In templates 10 and 11.
KEY_DESCRIPTIONS = ("Encrypts the models that projects train", "Encrypts the models that builds copy")
KEY_WINDOW = 30  # days in which the deletion of a key can be undone (KMS API Reference, ScheduleKeyDeletion: 7 to 30)
NOT_THERE = {"ResourceNotFoundException", "NoSuchEntity", "NotFoundException"}


def regions(settings: Environment) -> tuple[str, ...]:
    """Every region of the kit, the data science account's own first."""
    return tuple(dict.fromkeys([settings.region, *settings.regions.staging, *settings.regions.production]))


def kit_parts(by: Connection, home: Connection, settings: Environment, asked: Asked) -> list[Part]:
    """Everything but the projects. by: the credentials at hand; home: the data science account."""
    parts = [*catalog_parts(home, settings)]
    parts += target_parts(by, home, settings)
    for region in regions(settings)[1:]:
        parts += stack_part(elsewhere(home, region), MODELS)
    parts += policy_parts(home)
    parts += stack_part(home, SELF_MANAGED)
    parts += stack_part(home, DATA_SCIENCE)
    for region in regions(settings):
        parts += storage_parts(elsewhere(home, region), asked, first=region == home.region)
    return parts


def stack_part(connection: Connection, name: str) -> Iterator[Part]:
    stack = describe_stack(connection.client("cloudformation"), name)
    if stack is not None:
        place = f"{name} in {connection.account}, {connection.region}"
        yield deleted("stack", place, stack["StackStatus"], partial(teardown.delete_stack, connection, name))


# -- Service Catalog ---------------------------------------------------------------------------


def catalog_parts(home: Connection, settings: Environment) -> Iterator[Part]:
    catalog, names = home.client("servicecatalog"), settings.catalog
    listed = pages(catalog, "list_portfolios", "PortfolioDetails")
    portfolios = [p["Id"] for p in listed if p["DisplayName"] == names.portfolio and p["ProviderName"] == names.owner]
    ours = {id: name for id, name in products(catalog) if name == names.product}
    for portfolio in portfolios:
        inside = dict(products(catalog, PortfolioId=portfolio))
        for product in sorted(set(inside) & set(ours)):
            yield from membership(catalog, portfolio, product, names.product)
        if others := sorted(name for id, name in inside.items() if id not in ours):
            yield kept("portfolio", names.portfolio, f"it holds {', '.join(others)} too")
            continue
        shown = pages(catalog, "list_principals_for_portfolio", "Principals", PortfolioId=portfolio)
        for principal in shown:
            yield deleted(
                "principal", principal["PrincipalARN"], "",
                partial(
                    unless, NOT_THERE,
                    partial(
                        catalog.disassociate_principal_from_portfolio,
                        PortfolioId=portfolio, PrincipalARN=principal["PrincipalARN"],
                        PrincipalType=principal.get("PrincipalType", "IAM"),
                    ),
                ),
            )  # fmt: skip
    for product in ours:
        versions = catalog.list_provisioning_artifacts(ProductId=product)["ProvisioningArtifactDetails"]
        told = f"with {len(versions)} version(s)"
        do = partial(unless, NOT_THERE, partial(catalog.delete_product, Id=product))
        yield deleted("product", names.product, told, do)
    for portfolio in portfolios:
        if not set(dict(products(catalog, PortfolioId=portfolio))) - set(ours):
            do = partial(unless, NOT_THERE, partial(catalog.delete_portfolio, Id=portfolio))
            yield deleted("portfolio", names.portfolio, "", do)


def products(catalog: Any, **request: str) -> Iterator[tuple[str, str]]:
    """Id and name of every product (of a portfolio)."""
    for view in pages(catalog, "search_products_as_admin", "ProductViewDetails", **request):
        yield view["ProductViewSummary"]["ProductId"], view["ProductViewSummary"]["Name"]


def membership(catalog: Any, portfolio: str, product: str, name: str) -> Iterator[Part]:
    """The product's constraints in a portfolio, and its place in it."""
    found = pages(
        catalog, "list_constraints_for_portfolio", "ConstraintDetails", PortfolioId=portfolio, ProductId=product
    )
    for constraint in found:
        do = partial(unless, NOT_THERE, partial(catalog.delete_constraint, Id=constraint["ConstraintId"]))
        yield deleted("constraint", f"{constraint['Type'].lower()} of {name}", "", do)
    request = partial(catalog.disassociate_product_from_portfolio, ProductId=product, PortfolioId=portfolio)
    yield deleted("association", name, "leaves the portfolio", partial(unless, NOT_THERE, request))


# -- the target accounts -----------------------------------------------------------------------


def target_parts(by: Connection, home: Connection, settings: Environment) -> Iterator[Part]:
    """Template 20: stack sets, then stacks of single accounts."""
    cloudformation, call_as = home.client("cloudformation"), settings.stack_set_administrator
    for name in SETS:
        found = teardown.instances(cloudformation, name, call_as)
        if found is not None:
            told = f"the roles of {len({i['Account'] for i in found})} account(s)"
            yield deleted("stack set", name, told, partial(teardown.delete_stack_set, cloudformation, name, call_as))
    for account in target_accounts(home, settings):
        try:
            there = enter(by, account, settings.roles.access)
        except UserError as error:
            yield Part(Step("keep", "stack", f"{TARGET} in {account}", f"not looked at: {error}"))
            continue
        yield from stack_part(there, TARGET)
        yield from stack_part(there, SELF_MANAGED)


def target_accounts(home: Connection, settings: Environment) -> list[str]:
    """The accounts of both stages; those that run the kit itself are none."""
    own = {settings.accounts.management, settings.accounts.data_science}
    if settings.targets:
        return sorted({*settings.targets.staging, *settings.targets.production} - own)
    organizations = home.client("organizations")
    names = (settings.units.staging, settings.units.production)
    units = [unit for name in names if (unit := find_unit(organizations, name))]
    return sorted({account.id for unit in units for account in accounts_beneath(organizations, unit)} - own)


# -- the data science account ------------------------------------------------------------------


def policy_parts(home: Connection) -> Iterator[Part]:
    """The approvers' policy, taken from whom people gave it to."""
    iam = home.client("iam")
    arn = f"arn:{home.partition}:iam::{home.account}:policy/{APPROVER_POLICY}"
    holders = unless(NOT_THERE, lambda: iam.list_entities_for_policy(PolicyArn=arn)) or {}
    for kind, member in (("Role", "PolicyRoles"), ("User", "PolicyUsers"), ("Group", "PolicyGroups")):
        for holder in holders.get(member, []):
            name = holder[f"{kind}Name"]
            detach = getattr(iam, f"detach_{kind.lower()}_policy")
            request = partial(detach, PolicyArn=arn, **{f"{kind}Name": name})
            told = f"is taken from the {kind.lower()} {name}"
            yield deleted("policy", APPROVER_POLICY, told, partial(unless, NOT_THERE, request))


def storage_parts(connection: Connection, asked: Asked, first: bool) -> Iterator[Part]:
    """What template 10 (and 11 in further regions) retains: buckets, and the models' key."""
    place = f"{connection.account}-{connection.region}"
    for name in (BUNDLE_BUCKET, MODEL_BUCKET) if first else (MODEL_BUCKET,):
        yield from teardown.bucket(connection, f"{name}-{place}", asked)
    kms = connection.client("kms")
    for key in kept_keys(connection):
        if not asked.empty_buckets:
            yield kept("key", key, "retained: $1 a month; without it no model can be read; --empty-buckets deletes")
            continue
        request = partial(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=KEY_WINDOW)
        yield deleted("key", key, f"in {KEY_WINDOW} days; until then `cancel-key-deletion` keeps it", request)


def kept_keys(connection: Connection) -> Iterator[str]:
    """The models' keys that are in use: by their description, because the alias goes with the stack."""
    kms = connection.client("kms")
    for key in pages(kms, "list_keys", "Keys"):
        try:
            found = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        except ClientError:
            continue  # a key whose policy lets nobody look is not the kit's
        ours = found.get("Description", "").startswith(KEY_DESCRIPTIONS)
        if ours and found["KeyManager"] == "CUSTOMER" and found["KeyState"] == "Enabled":
            yield key["KeyId"]
