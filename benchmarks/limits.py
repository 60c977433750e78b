"""Compute which of AWS's limits a stage of so many accounts and Regions meets: the tables of docs/explanation/scale.md.

Every number of AWS stands here once, with the page it was read from; what the kit uses is computed from the kit's
own code and constants (tests/repository/test_scale.py holds both against each other and against the page).

examples:
  python -m benchmarks.limits
  python -m benchmarks.limits --accounts 400,2000 --regions 3
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from scripts.kit.console import UsageError, make_parser, run
from scripts.kit.doctor.checks import limits as kit
from scripts.kit.stages import Stage

GROUP = "arn:aws:sagemaker:us-east-1:111111111111:model-package-group/iris-multi-01"

# -- AWS's numbers -----------------------------------------------------------------------------
# CloudFormation User Guide, "Understand CloudFormation quotas"
PARAMETER_BYTES, INSTANCES_OF_A_SET, OPERATIONS_AT_ONCE, QUEUED = 4_096, 100_000, 10_000, 10_000
# AWS General Reference, "AWS CloudFormation endpoints and quotas"; CloudFormation API Reference, ListStackInstances
LIST_INSTANCES_A_SECOND, INSTANCES_OF_A_PAGE = 2, 100
HANDLER_HOURS = 36  # resource schema of AWS::CloudFormation::StackSet, handlers: timeoutInMinutes 2160
# Organizations User Guide, "Quotas and service limits for AWS Organizations"; API Reference, ListAccountsForParent
ORGANIZATION, ORGANIZATION_FIRST = 50_000, 10
LIST_ACCOUNTS_A_SECOND, ACCOUNTS_OF_A_PAGE, CREATE_ACCOUNT_A_SECOND = 5, 20, 0.1
# CodeBuild User Guide, "Quotas for AWS CodeBuild" and "Test report statuses"
CASES_OF_A_REPORT = 500
# CodePipeline User Guide, "Quotas in AWS CodePipeline"
ARTIFACT_BYTES = 256 * 1024**2
# Amazon S3 User Guide, "Best practices design patterns: optimizing Amazon S3 performance"
READS_A_SECOND = 5_500

# -- the kit's ---------------------------------------------------------------------------------
AT_ONCE, TEST_SECONDS = 16, 22 * 60  # pipeline/endpoints.py
BUILD_MINUTES = 15  # on Lambda compute (CodeBuild User Guide, "Run builds on AWS Lambda compute"); on EC2 it has more
ARTIFACT_BYTES_OF_A_PLACE = 400  # of the manifest, the stages' parameters and the card, rounded up

# -- assumed: AWS documents neither ------------------------------------------------------------
ENDPOINT_MINUTES = 10  # until an endpoint is in service
PLACE_SECONDS = 2  # to become the tester of one account and Region, four reads, six payloads
STACKS_AT_ONCE = 100  # that AWS's stack sets work on, where a stage lets it work on all


@dataclass(frozen=True)
class Limit:
    """use: of so many accounts in one stage, in so many Regions each, in the unit of most."""

    name: str
    most: float
    unit: str
    use: Callable[[int, int], float]
    does: str
    page: str

    def share(self, accounts: int, regions: int) -> float:
        return self.use(accounts, regions) / self.most


def group_policy(accounts: int) -> int:
    return kit.group_policy_size(GROUP, "", {Stage.STAGING: accounts, Stage.PROD: 0})


def build_seconds(accounts: int, regions: int) -> float:
    """What the Build step's lists take at the rates that AWS allows: the unit's accounts, and the stage's instances."""
    listed = math.ceil(accounts / ACCOUNTS_OF_A_PAGE) / LIST_ACCOUNTS_A_SECOND
    return listed + math.ceil(accounts * regions / INSTANCES_OF_A_PAGE) / LIST_INSTANCES_A_SECOND


def deploy_hours(accounts: int, regions: int, at_once: int = STACKS_AT_ONCE) -> float:
    """The Regions come one after the other; in each, so many accounts at once."""
    return regions * math.ceil(accounts / at_once) * ENDPOINT_MINUTES / 60


def least_at_once(accounts: int, regions: int) -> int:
    """How many accounts AWS must work on at once for the stage to end within the handler's time."""
    return next(n for n in range(1, accounts + 1) if deploy_hours(accounts, regions, n) <= HANDLER_HOURS)


def test_seconds(accounts: int, regions: int) -> float:
    return accounts * regions * PLACE_SECONDS / AT_ONCE


LIMITS = (
    Limit(
        "policy of a model group",
        kit.GROUP_POLICY,
        "characters",
        lambda accounts, _: group_policy(accounts),
        "the Build step fails before anything is sent, with the number; `make doctor` reports it earlier"
        " ([decision 7](../decisions/0007-how-a-model-group-reaches-a-thousand-accounts.md))",
        "SageMaker API Reference, PutModelPackageGroupPolicy",
    ),
    Limit(
        f"{kit.ACCOUNTS_PER_STAGE // 315} parameters of {PARAMETER_BYTES:,} bytes",
        kit.ACCOUNTS_PER_STAGE,
        "accounts",
        lambda accounts, _: accounts,
        "the same ([decision 6](../decisions/0006-a-list-in-eight-parameters.md))",
        "CloudFormation User Guide, “Understand CloudFormation quotas”",
    ),
    Limit(
        "time of the tests",
        TEST_SECONDS,
        "seconds",
        test_seconds,
        "an endpoint that was not tested in time is a failure; the stage fails, nothing is rolled back",
        "the kit's own; CodeBuild allows 36 hours, CodePipeline a test action 8",
    ),
    Limit(
        "reads of one prefix in S3 in a second",
        READS_A_SECOND,
        "endpoints of a Region",
        lambda accounts, _: accounts,
        "only if all start within one second; S3 then answers *Slow Down*",
        "Amazon S3 User Guide, “Best practices design patterns”",
    ),
    Limit(
        "stack instances worked on at once",
        OPERATIONS_AT_ONCE,
        "accounts, one Region at a time",
        lambda accounts, _: accounts,
        "`make doctor` reports it; the others wait",
        "CloudFormation User Guide, “Understand CloudFormation quotas”",
    ),
    Limit(
        "operations that wait for a stack set",
        QUEUED,
        "accounts that join an OU at once",
        lambda accounts, _: accounts,
        "each account that joins is one operation on the target roles' stack set (template 20), one after the other",
        "the same; “StackSets concepts”, status QUEUED",
    ),
    Limit(
        "time of the stack set's handler",
        HANDLER_HOURS,
        "hours",
        deploy_hours,
        "the stage fails and returns to the version before; the action itself has three days",
        "schema of AWS::CloudFormation::StackSet; “Quotas in AWS CodePipeline”",
    ),
    Limit(
        "stack instances of a stack set",
        INSTANCES_OF_A_SET,
        "accounts times Regions",
        lambda accounts, regions: accounts * regions,
        "`make doctor` reports it; never reached",
        "CloudFormation User Guide, “Understand CloudFormation quotas”",
    ),
    Limit(
        "accounts of an organization",
        ORGANIZATION,
        "accounts",
        lambda accounts, _: accounts,
        f"AWS begins with {ORGANIZATION_FIRST} and raises it on request",
        "Organizations User Guide, “Quotas and service limits”",
    ),
    Limit(
        "time of the Build step",
        BUILD_MINUTES * 60,
        "seconds of lists",
        build_seconds,
        "a throttled list is requested again; only thousands of nested OUs would come near it",
        "Organizations User Guide, “Throttling limits”; “AWS CloudFormation endpoints and quotas”",
    ),
    Limit(
        "input of a CloudFormation action",
        ARTIFACT_BYTES,
        "bytes",
        lambda accounts, regions: accounts * regions * ARTIFACT_BYTES_OF_A_PLACE,
        "never reached",
        "CodePipeline User Guide, “Quotas in AWS CodePipeline”",
    ),
)


def table(accounts: Sequence[int], regions: int) -> str:
    """The limits as a table of Markdown, the one that the first number of accounts comes nearest to first."""
    heads = ["limit", "AWS's number", *(f"at {number:,} accounts" for number in accounts), "what the kit does there"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for limit in sorted(LIMITS, key=lambda limit: -limit.share(accounts[0], regions)):
        uses = (cell(limit, number, regions) for number in accounts)
        lines.append(f"| {limit.name} | {limit.most:,.0f} {limit.unit} | {' | '.join(uses)} | {limit.does} |")
    return "\n".join(lines)


def cell(limit: Limit, accounts: int, regions: int) -> str:
    use, share = limit.use(accounts, regions), limit.share(accounts, regions)
    text = f"{use:,.0f} ({'below 1' if share < 0.005 else f'{share * 100:,.0f}'} %)"
    return f"**{text}**" if share > 1 else text


def sources() -> Iterable[str]:
    return (f"- {limit.name}: {limit.page}" for limit in LIMITS)


def most_accounts(limit: Limit, regions: int) -> int:
    """How many accounts a limit holds."""
    low, high = 1, 10**7
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if limit.share(middle, regions) <= 1 else (low, middle - 1)
    return low


def numbers(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise UsageError(f"--accounts {text}: numbers with commas between them are needed, e.g. 1000,10000")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("benchmarks.limits", __doc__)
    parser.add_argument(
        "--accounts", default="1000,10000", help="numbers of accounts of a stage (default: %(default)s)"
    )
    parser.add_argument(
        "--regions", type=int, default=2, choices=range(1, 5), help="number of Regions of the stage (default: 2)"
    )
    args = parser.parse_args(argv)
    print(table(numbers(args.accounts), args.regions))
    print("", *sources(), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
