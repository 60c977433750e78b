"""Deploy what the accounts need: templates/10 in the data science account, templates/20 in every target account.

Run with credentials of the management account or of the data science account, which enter the other
accounts through the role roles.access. Plan, show, apply; what is up to date is left alone.

examples:
  make accounts ARGS="--profile management --dry-run"
  python -m scripts.accounts --profile management
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence

from botocore.exceptions import ClientError

from scripts.bundle import environment, members, pack, plan, stacks
from scripts.bundle.connect import Connection, add_options, assume, connect
from scripts.bundle.console import UserError, run, say
from scripts.bundle.environment import Environment
from scripts.bundle.plan import Step

DATA_SCIENCE_STACK, TARGET_STACK = "multi-account-deployment", "multi-account-deployment-target"
DATA_SCIENCE_TEMPLATE, TARGET_TEMPLATE = pack.TEMPLATES[0], pack.TEMPLATES[1]
MODELS = ("ModelBucketName", "ModelKeyArn", "TestRoleArn")  # outputs of the first that the second needs


def template(name: str) -> str:
    return (pack.ROOT / name).read_text(encoding="utf-8")


def enter(connection: Connection, account: str, role: str) -> Connection:
    """A connection to the account: this one where it is of that account already, otherwise through the role."""
    if connection.account == account:
        return connection
    try:
        return assume(connection, account, role, "multi-account-deployment")
    except ClientError as error:
        raise UserError(
            f"account {account} cannot be entered through the role {role} (roles.access) from account "
            f"{connection.account}: {error.response['Error'].get('Message', error)}"
        ) from error


def data_science_stack(settings: Environment, organizations_of: Connection) -> stacks.Wanted:
    organizations = organizations_of.client("organizations")
    paths = [
        members.unit_path(organizations, settings.units.staging, "units.staging"),
        members.unit_path(organizations, settings.units.production, "units.production"),
    ]
    parameters = {
        "OrganizationalUnitPaths": ",".join(paths),
        "StudioExecutionRoleNames": ",".join(role.rsplit("/", 1)[-1] for role in settings.studio.execution_roles),
        "ApprovalEmail": settings.notifications.approval_email,
        "ExternalId": settings.tester_external_id,
    }
    account = settings.accounts.data_science
    return stacks.Wanted(
        account, DATA_SCIENCE_STACK, template(DATA_SCIENCE_TEMPLATE), parameters, DATA_SCIENCE_TEMPLATE
    )


def target_stacks(
    settings: Environment, organizations_of: Connection, outputs: Mapping[str, str]
) -> list[stacks.Wanted]:
    """The stack of every target account; the management account is none, as stack sets never deploy to it."""
    organizations = organizations_of.client("organizations")
    body = template(TARGET_TEMPLATE)
    found: dict[str, stacks.Wanted] = {}
    for stage, unit, suffix in (
        ("staging", settings.units.staging, settings.roles.suffix.staging),
        ("production", settings.units.production, settings.roles.suffix.production),
    ):
        accounts = members.accounts_beneath(organizations, unit)
        if not accounts:
            say(f"  note: the {stage} unit {unit} holds no active account yet. Run `make accounts` again when it does")
        for account in accounts:
            if account.id in {settings.accounts.management, settings.accounts.data_science}:
                say(f"  note: {account.id} ({account.name}) is in the {stage} unit but runs no models: left out")
                continue
            if account.id in found:
                raise UserError(f"account {account.id} ({account.name}) is in both units, one beneath the other")
            parameters = {
                "SageMakerRoleSuffix": suffix,
                "PipelineExecutionRoleArn": outputs["TestRoleArn"],
                "ExternalId": settings.tester_external_id,
                "ModelBucketName": outputs["ModelBucketName"],
                "ModelKeyArn": outputs["ModelKeyArn"],
            }
            found[account.id] = stacks.Wanted(account.id, TARGET_STACK, body, parameters, TARGET_TEMPLATE)
    return list(found.values())


def outputs_of(connection: Connection, name: str) -> dict[str, str]:
    """A stack's outputs; {} when it does not exist."""
    try:
        stack = connection.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return {}
        raise
    return stacks.outputs(stack)


def deploy(connection: Connection, want: stacks.Wanted, role: str, dry_run: bool) -> tuple[Step, dict[str, str]]:
    """Plan one stack, show it, and (unless dry_run) apply it: the step and the stack's outputs."""
    there = enter(connection, want.account, role)
    cloudformation = there.client("cloudformation")
    step = stacks.make_plan(want, stacks.look(cloudformation, want))
    say(plan.line(step))
    if dry_run or (step.action == "keep" and not step.detail):
        return step, outputs_of(there, want.name)
    return step, stacks.apply(cloudformation, want, step, lambda message: say(f"  … {message}"))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.accounts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    args = parser.parse_args(argv)
    settings = environment.load(args.environment)
    connection = connect(settings, args.profile, args.region)
    if connection.account not in {settings.accounts.management, settings.accounts.data_science}:
        raise UserError(
            f"these credentials are of account {connection.account}. Sign in to the management account "
            f"({settings.accounts.management}) or the data science account ({settings.accounts.data_science})"
        )
    say(f"accounts of {args.environment}, {connection.region}:")
    role = settings.roles.access
    first, outputs = deploy(connection, data_science_stack(settings, connection), role, args.dry_run)
    steps = [first]
    if missing := [name for name in MODELS if name not in outputs]:
        if not args.dry_run:
            raise UserError(f"the stack {DATA_SCIENCE_STACK} has no outputs {', '.join(missing)}")
        say("  the target accounts are planned once the data science account's stack exists")
    else:
        for want in target_stacks(settings, connection, outputs):
            step, _ = deploy(connection, want, role, args.dry_run)
            steps.append(step)
    done = "planned" if args.dry_run else "deployed" if plan.writes(steps) else "up to date already: nothing to do"
    say(f"{len(steps)} stacks {done}")
    if args.json:
        print(json.dumps({"steps": plan.as_data(steps), "applied": not args.dry_run}, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
