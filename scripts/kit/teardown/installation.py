"""Take the kit itself down: product and portfolio, the target accounts' roles, the data science account's stacks.

Only after every project. Service Catalog deletes a product only when nothing is made from it and no portfolio
has it, a portfolio only when it is empty and not shared (API Reference, DeleteProduct, DeletePortfolio:
ResourceInUseException); IAM deletes a policy only when it is attached to nothing (API Reference, DeletePolicy:
DeleteConflict).
The organization, its units and its accounts are never touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.kit.connect import Connection, enter, if_there, pages, whole_pages
from scripts.kit.console import UserError, counted
from scripts.kit.doctor.merge import without
from scripts.kit.names import (
    APPROVER_POLICY,
    CREATOR_POLICY,
    MODELS_STACK,
    NOTICES_STACK,
    OTHERS_POLICY,
    PEOPLE_STACK,
    ROLES_STACK,
    SCIENTIST_POLICY,
    SELF_MANAGED_STACK,
    SHARED_STACK,
    STUDIO_STACK,
    TARGET_SETS,
    TARGET_STACK,
    bundle_bucket,
    default_bucket,
    model_bucket,
)
from scripts.kit.organization.members import accounts_beneath, find_unit
from scripts.kit.projects import served, unused
from scripts.kit.projects.project import Project
from scripts.kit.publish import hosting, sharing
from scripts.kit.publish.catalog import STUDIO_TAG
from scripts.kit.settings.model import Settings
from scripts.kit.stacks import image_replication, model_regions
from scripts.kit.stacks.image_replication import Rules
from scripts.kit.stacks.stack import describe_stack, parameters
from scripts.kit.teardown import retained
from scripts.kit.teardown.parts import DeletionOptions, TeardownPart, deleted, kept, removal, unseen
from scripts.kit.teardown.stacks import delete_stack
from scripts.kit.teardown.stage_sets import ActiveAccounts, stage_parts
from scripts.kit.together import together

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3.type_defs import GetBucketCorsRequestTypeDef, GetBucketPolicyRequestTypeDef, TagTypeDef
    from mypy_boto3_servicecatalog import ServiceCatalogClient

CI_ROLES = "Lets GitHub Actions publish the bundle"  # in the description of template 60
POLICIES = {  # of template 13, and which of its roles its stack gives them to
    APPROVER_POLICY: False,
    SCIENTIST_POLICY: True,
    CREATOR_POLICY: True,
    OTHERS_POLICY: False,
}
READ_MODELS = "TargetAccountsReadModels"  # the statement that `make doctor` merges into the SDK's default bucket


def regions(settings: Settings) -> tuple[str, ...]:
    """Every Region of the kit, the data science account's own first."""
    return (settings.region, *model_regions.further(settings))


def kit_parts(by: Connection, home: Connection, settings: Settings, asked: DeletionOptions) -> list[TeardownPart]:
    """Everything but the projects. by: the caller's connection; home: the data science account."""
    parts = [*catalog_parts(home, settings)]
    parts += hosting_parts(home)
    parts += statement_parts(home)
    parts += target_parts(by, home, settings)
    parts += image_parts(home, settings)
    parts += policy_parts(home)
    for name in (NOTICES_STACK, PEOPLE_STACK, SELF_MANAGED_STACK, ROLES_STACK, SHARED_STACK):
        parts += stack_part(home, name)
    for region in reversed(regions(settings)):
        parts += stack_part(home.in_region(region), MODELS_STACK)
    for region in regions(settings):
        parts += storage_parts(home.in_region(region), asked)
    parts += others_parts(home, settings)
    return parts


def stack_part(connection: Connection, name: str) -> Iterator[TeardownPart]:
    stack = describe_stack(connection.client("cloudformation"), name)
    if stack is not None:
        place = f"{name} in {connection.account}, {connection.region}"
        yield deleted("stack", place, stack["StackStatus"], partial(delete_stack, connection, name))


def home_parameters(home: Connection) -> dict[str, str]:
    """The parameters of all stacks of the data science account's own Region, also where 0.1.0 made one of them all."""
    found = [describe_stack(home.client("cloudformation"), name) for name in (ROLES_STACK, SHARED_STACK, PEOPLE_STACK)]
    return {name: value for stack in found if stack for name, value in parameters(stack).items()}


def image_parts(home: Connection, settings: Settings) -> Iterator[TeardownPart]:
    """Rules of another owner, which would go with the stack's own; images that replication brought, which stay."""
    further = regions(settings)[1:]
    found = home_parameters(home) if further else {}
    if ours := image_replication.made_by(found, home.account):
        there = home.client("ecr").describe_registry()["replicationConfiguration"].get("rules", [])
        if others := image_replication.besides(there, ours):
            detail = (
                "another owner's too: take them out first, CloudFormation would delete all of them with the stack's own"
            )
            yield deleted(
                "rules", f"by which {home.region} replicates images", detail, partial(refuse, home, ours, others)
            )
    prefix = settings.images.repository_prefix or found.get(image_replication.PREFIX, "")
    for region in further if prefix else ():
        listed = pages(home.in_region(region).client("ecr"), "describe_repositories", "repositories")
        if names := [one["repositoryName"] for one in listed if one["repositoryName"].startswith(f"{prefix}/")]:
            delete = f"aws ecr delete-repository --region {region} --repository-name {names[0]} --force"
            detail = f"images stay and cost their storage: `{delete}` deletes one"
            yield kept("repositories", f"{', '.join(names)} in {region}", detail)


def refuse(home: Connection, ours: Rules, others: Rules) -> None:
    raise UserError(
        f"the registry of {home.account} in {home.region} replicates images by rules of another owner too: "
        f"{json.dumps(others)}. CloudFormation would delete all rules with the stack's own. Take theirs out with "
        f"`{image_replication.command(home.region, ours)}`, run this command again, and put theirs back with "
        f"`{image_replication.command(home.region, others)}`"
    )


# -- what was published ------------------------------------------------------------------------


def catalog_parts(home: Connection, settings: Settings) -> Iterator[TeardownPart]:
    catalog, names = home.client("servicecatalog"), settings.catalog
    listed = pages(catalog, "list_portfolios", "PortfolioDetails")
    portfolios = [p["Id"] for p in listed if p["DisplayName"] == names.portfolio and p["ProviderName"] == names.owner]
    ours = {id for id, name in products(catalog) if name == names.product}
    alone = []
    for portfolio in portfolios:
        inside = dict(products(catalog, PortfolioId=portfolio))
        for product in sorted(set(inside) & ours):
            yield from membership(catalog, portfolio, product, names.product)
        if others := sorted(name for id, name in inside.items() if id not in ours):
            yield kept("portfolio", names.portfolio, f"it holds {', '.join(others)} too")
            continue
        alone.append(portfolio)
        for share in sharing.look(catalog, portfolio):
            detail = f"the portfolio is taken from this {share.type.lower().replace('_', ' ')}"
            take_back = partial(sharing.remove, catalog, home.account, portfolio, share)
            yield deleted("share", share.with_whom, detail, take_back)
        for principal in pages(catalog, "list_principals_for_portfolio", "Principals", PortfolioId=portfolio):
            who = {name: principal[name] for name in ("PrincipalARN", "PrincipalType") if name in principal}
            do = removal(catalog.disassociate_principal_from_portfolio, PortfolioId=portfolio, **who)
            yield deleted("principal", principal["PrincipalARN"], "", do)
    for product in sorted(ours):
        for option in catalog.describe_product_as_admin(Id=product).get("TagOptions", []):
            do = removal(catalog.disassociate_tag_option_from_resource, ResourceId=product, TagOptionId=option["Id"])
            yield deleted("tag option", f"{option['Key']}={option['Value']}", "is taken from the product", do)
        versions = catalog.list_provisioning_artifacts(ProductId=product)["ProvisioningArtifactDetails"]
        do = removal(catalog.delete_product, Id=product)
        yield deleted("product", names.product, f"with {counted(len(versions), 'version')}", do)
    for portfolio in alone:
        yield deleted("portfolio", names.portfolio, "", removal(catalog.delete_portfolio, Id=portfolio))


def products(catalog: ServiceCatalogClient, **request: str) -> Iterator[tuple[str, str]]:
    """Id and name of every product (of a portfolio)."""
    for view in pages(catalog, "search_products_as_admin", "ProductViewDetails", **request):
        yield view["ProductViewSummary"]["ProductId"], view["ProductViewSummary"]["Name"]


def membership(catalog: ServiceCatalogClient, portfolio: str, product: str, name: str) -> Iterator[TeardownPart]:
    """A product's constraints, and its place in the portfolio."""
    place = {"PortfolioId": portfolio, "ProductId": product}
    for constraint in pages(catalog, "list_constraints_for_portfolio", "ConstraintDetails", **place):
        do = removal(catalog.delete_constraint, Id=constraint["ConstraintId"])
        yield deleted("constraint", f"{constraint['Type'].lower()} of {name}", "", do)
    do = removal(catalog.disassociate_product_from_portfolio, **place)
    yield deleted("association", name, "leaves the portfolio", do)


def hosting_parts(home: Connection) -> Iterator[TeardownPart]:
    """What shows the template in S3 to Studio: domains' tags, the template's tag, the bucket's CORS rule."""
    sagemaker, s3 = home.client("sagemaker"), home.client("s3")
    bucket = bundle_bucket(home.account, home.region)
    for domain in pages(sagemaker, "list_domains", "Domains"):
        listed = pages(sagemaker, "list_tags", "Tags", ResourceArn=domain["DomainArn"])
        where = next((tag["Value"] for tag in listed if tag["Key"] == hosting.LOCATION_TAG), "")
        if where.startswith(f"s3://{bucket}/"):
            request = {"ResourceArn": domain["DomainArn"], "TagKeys": [hosting.LOCATION_TAG]}
            do = removal(sagemaker.delete_tags, **request)
            yield deleted("domain tag", f"{hosting.LOCATION_TAG} of {domain['DomainId']}", where, do)
    place: GetBucketCorsRequestTypeDef = {"Bucket": bucket, "ExpectedBucketOwner": home.account}
    for key, shown in (if_there(hosting.templates, connection=home, bucket=bucket) or {}).items():
        if STUDIO_TAG[0] in shown:
            rest: list[TagTypeDef] = [
                {"Key": name, "Value": value} for name, value in shown.items() if name != STUDIO_TAG[0]
            ]
            do = removal(s3.put_object_tagging, **place, Key=key, Tagging={"TagSet": rest})
            yield deleted("tag", f"{STUDIO_TAG[0]} of {key}", "Studio no longer shows it", do)
    answer = if_there(s3.get_bucket_cors, **place)
    rules = answer["CORSRules"] if answer else []
    others = [rule for rule in rules if rule.get("ID") != hosting.RULE_ID]
    if others != rules:
        do = removal(s3.put_bucket_cors, **place, CORSConfiguration={"CORSRules": others})
        do = do if others else removal(s3.delete_bucket_cors, **place)
        yield deleted(
            "cors rule", f"{hosting.ORIGIN} on {bucket}", f"{counted(len(others), 'other stays', 'others stay')}", do
        )


def statement_parts(home: Connection) -> Iterator[TeardownPart]:
    """The statement that `make doctor ARGS=--fix` merged into the policy of the SageMaker SDK's default bucket."""
    s3, bucket = home.client("s3"), default_bucket(home.account, home.region)
    place: GetBucketPolicyRequestTypeDef = {"Bucket": bucket, "ExpectedBucketOwner": home.account}
    answer = if_there(s3.get_bucket_policy, **place)
    policy = answer["Policy"] if answer else ""
    rest = without(policy, READ_MODELS)
    if rest != policy:
        anything = json.loads(rest)["Statement"]
        do = (
            removal(s3.put_bucket_policy, **place, Policy=rest)
            if anything
            else removal(s3.delete_bucket_policy, **place)
        )
        yield deleted("statement", f"{READ_MODELS} of {bucket}", "what else its policy says stays", do)


# -- the target accounts -----------------------------------------------------------------------


def target_parts(by: Connection, home: Connection, settings: Settings) -> Iterator[TeardownPart]:
    """Template 20, and 21 where there is no organization: stack sets, then stacks of single accounts."""
    organization = ActiveAccounts()
    for name in TARGET_SETS:
        yield from stage_parts(home, name, settings.stack_set_administrator, organization, "account")
    yield from in_targets(by, home, settings, account_parts, "stacks of the kit")


def account_parts(there: Connection) -> list[TeardownPart]:
    return [*stack_part(there, TARGET_STACK), *stack_part(there, SELF_MANAGED_STACK)]


def in_targets(
    by: Connection, home: Connection, settings: Settings, look: Callable[[Connection], list[TeardownPart]], what: str
) -> list[TeardownPart]:
    """What look() finds in every target account, side by side. what: it is that look() looks for"""

    def one(account: str) -> list[TeardownPart]:
        try:
            there = enter(by, account, settings.roles.access)
        except UserError as error:
            return [unseen(what, f"in {account}", error)]
        return look(there)

    jobs = [partial(one, account) for account in target_accounts(home, settings)]
    return [part for parts in together(jobs, what="accounts looked at") for part in parts]


def target_accounts(home: Connection, settings: Settings) -> list[str]:
    """The accounts of the stages; those that run the kit itself are none."""
    own = {settings.accounts.management, settings.accounts.data_science}
    if settings.targets:
        return sorted({account for stage in settings.stages for account in settings.targets.of(stage)} - own)
    organizations = home.client("organizations")
    units = [unit for stage in settings.stages if (unit := find_unit(organizations, settings.units.of(stage)))]
    return sorted({account.id for unit in units for account in accounts_beneath(organizations, unit)} - own)


def endpoint_logs(by: Connection, home: Connection, settings: Settings, project: Project) -> list[TeardownPart]:
    """The log groups of a project's endpoints, which SageMaker makes in every target account."""
    prefix = f"/aws/sagemaker/Endpoints/{project.name}-{project.id}-"

    def look(there: Connection) -> list[TeardownPart]:
        places = [there.in_region(region) for region in regions(settings)]
        return [part for place in places for part in retained.log_groups(place, prefix, DeletionOptions(logs=True))]

    return in_targets(by, home, settings, look, "log groups")


def leftovers(by: Connection, home: Connection, settings: Settings, project: Project) -> list[TeardownPart]:
    """The models and endpoint configurations that outlived an update of their stack, in every target account.

    None where these credentials do not enter the accounts: they cost nothing, and --orphans lists them.
    """
    if served.looker(by, settings) is None:
        return []

    def look(there: Connection) -> list[TeardownPart]:
        places = [there.in_region(region) for region in regions(settings)]
        found = [thing for place in places for thing in unused.in_region(place, project, whole=False)]
        detail = f"{counted(len(found), 'model or configuration', 'models and configurations')} of former updates"
        do = partial(delete_leftovers, places, project)
        return [deleted("leftovers", there.account, detail, do)] if found else []

    return in_targets(by, home, settings, look, "models")


def delete_leftovers(places: list[Connection], project: Project) -> None:
    """Everything of the project that is left once its stacks are gone."""
    for place in places:
        for thing in unused.in_region(place, project, whole=True):
            unused.remove(place, thing)


# -- the data science account ------------------------------------------------------------------


def entities(iam: IAMClient, policy: str) -> list[dict[str, Any]]:
    """Every page of what a managed policy is attached to."""
    return list(whole_pages(iam, "list_entities_for_policy", PolicyArn=policy))


def policy_parts(home: Connection) -> Iterator[TeardownPart]:
    """The managed policies of template 13, detached wherever people or `make accounts` attached them.

    Those of the roles that its parameters name go with the stack.
    """
    iam = home.client("iam")
    studio = set(home_parameters(home).get("StudioExecutionRoleNames", "").split(","))
    for policy, by_stack in POLICIES.items():
        arn = f"arn:{home.partition}:iam::{home.account}:policy/{policy}"
        listed = if_there(entities, iam, arn) or []
        for kind, member in (("Role", "PolicyRoles"), ("User", "PolicyUsers"), ("Group", "PolicyGroups")):
            for holder in (holder for page in listed for holder in page.get(member, [])):
                name = holder[f"{kind}Name"]
                if by_stack and kind == "Role" and name in studio:
                    continue
                detach = getattr(iam, f"detach_{kind.lower()}_policy")
                do = removal(detach, PolicyArn=arn, **{f"{kind}Name": name})
                yield deleted("policy", policy, f"is taken from the {kind.lower()} {name}", do)


def storage_parts(connection: Connection, asked: DeletionOptions) -> Iterator[TeardownPart]:
    """What templates 10 and 11 retain: the buckets, and the models' key."""
    for name in (
        bundle_bucket(connection.account, connection.region),
        model_bucket(connection.account, connection.region),
    ):
        yield from retained.bucket(connection, name, asked)
    yield from retained.keys(connection, asked)


def others_parts(home: Connection, settings: Settings) -> Iterator[TeardownPart]:
    """What the kit made or had made, and leaves to people."""
    if settings.administrator != "self-managed":
        detail = "trusted access, delegated administrator, units and accounts stay, free of charge: others may use them"
        yield kept("organization", f"of {settings.accounts.management}", detail)
    for stack in pages(home.client("cloudformation"), "list_stacks", "StackSummaries"):
        if stack["StackName"].startswith(STUDIO_STACK) and stack["StackStatus"] != "DELETE_COMPLETE":
            command = (
                f"`aws cloudformation delete-stack --stack-name {stack['StackName']}` deletes it, the users' first"
            )
            yield kept("stack", stack["StackName"], f"people work in Studio; {command}")
        if CI_ROLES in stack.get("TemplateDescription", "") and stack["StackStatus"] != "DELETE_COMPLETE":
            command = f"`aws cloudformation delete-stack --stack-name {stack['StackName']}` deletes it"
            yield kept("stack", stack["StackName"], f"template 60, made by hand: roles are free of charge; {command}")
