"""What the environment file (environment.yaml) says, in frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Literal, TypeVar, get_args

from scripts.kit.regions import partition
from scripts.kit.stages import Stage

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import CallAsType

Value = TypeVar("Value")

Administrator = Literal["delegated", "management", "self-managed"]
Purpose = Literal["staging", "qa", "uat", "preprod", "production", "data_science"]  # of an account
ADMINISTRATORS = get_args(Administrator)
PURPOSES = get_args(Purpose)


@dataclass(frozen=True)
class Accounts:
    """management: empty without Organizations; data_science: empty while it is one of new_accounts."""

    management: str
    data_science: str


@dataclass(frozen=True)
class PerStage(Generic[Value]):
    """A value for each stage of the installation."""

    by_stage: Mapping[Stage, Value]

    def of(self, stage: Stage) -> Value:
        """The value of a stage; KeyError for one that the installation is without."""
        return self.by_stage[stage]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Those that have a value, in the order of deployment."""
        return tuple(stage for stage in Stage if stage in self.by_stage)


@dataclass(frozen=True)
class Units(PerStage[str]):
    """data_science: where a data science account goes that is made or invited; empty: it stays where it is."""

    data_science: str = ""


@dataclass(frozen=True)
class Targets(PerStage[tuple[str, ...]]):
    """The accounts of each stage, where no unit says them."""


@dataclass(frozen=True)
class NewAccount:
    """An account that `make accounts` makes when asked, and the unit that it goes to."""

    name: str
    email: str
    stage: Purpose


@dataclass(frozen=True)
class InvitedAccount:
    """An account outside the organization that `make accounts` invites when asked, and the unit that it goes to."""

    id: str
    stage: Purpose


@dataclass(frozen=True)
class Regions(PerStage[tuple[str, ...]]):
    """Where each stage runs its endpoints."""


@dataclass(frozen=True)
class Roles:
    """suffix: of sagemaker-role-SUFFIX in each target account; access: the role by which they are entered.

    publishers: of the data science account, who may write the bundle bucket: role/PATH/NAME or user/NAME
    permissions_boundary: the policy (with its path) that bounds every role of the kit, in its own account; "" for none
    path: of the roles whose place AWS leaves to the kit (decision 33)
    """

    suffix: PerStage[str]
    access: str
    publishers: tuple[str, ...]
    permissions_boundary: str = ""
    path: str = "/"


@dataclass(frozen=True)
class Domain:
    """A Studio domain that `make accounts` makes: the VPC of its users' home directories, and a profile for each."""

    name: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    users: tuple[str, ...]


@dataclass(frozen=True)
class Studio:
    """execution_roles: names, with the path where there is one (service-role/Name); the first is that of `domain`.

    domain: None where the account has one already
    """

    execution_roles: tuple[str, ...]
    domain_id: str = ""
    domain: Domain | None = None


@dataclass(frozen=True)
class Catalog:
    portfolio: str
    product: str
    owner: str
    principals: tuple[str, ...]
    share_with: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notifications:
    """notice_email: of every notice (template 15)"""

    approval_email: str
    notice_email: str = ""


@dataclass(frozen=True)
class Approval:
    """four_eyes: the person who approved a version may not approve its deployment to production.

    before: the optional stages that a version enters once an approver allows it, as it always is with production
    """

    four_eyes: bool = False
    before: tuple[Stage, ...] = ()


@dataclass(frozen=True)
class Builds:
    """compute: what the short builds run on; lambda means AWS Lambda where CodeBuild has it, EC2 elsewhere.

    on_push: whether a push to a training repository trains and registers a version
    """

    compute: Literal["lambda", "ec2"] = "lambda"
    on_push: bool = False


@dataclass(frozen=True)
class Publishing:
    to: Literal["service-catalog", "s3", "both"] = "service-catalog"


@dataclass(frozen=True)
class Source:
    """Where the projects' repositories are; the ARN and the owner are empty for CodeCommit."""

    provider: Literal["codecommit", "connection"] = "codecommit"
    connection_arn: str = ""
    repository_owner: str = ""


@dataclass(frozen=True)
class Images:
    """repository_prefix: of the ECR repositories PREFIX/… whose images go to the further Regions; empty: none do."""

    repository_prefix: str = ""


@dataclass(frozen=True)
class Models:
    """untagged: whether target accounts may read models that no deployment has tagged; empty: as it is.

    life_cycle: whether the stage of each version is written into the registry
    """

    untagged: Literal["", "allow", "refuse"] = ""
    life_cycle: bool = False


@dataclass(frozen=True)
class Shadow:
    """minutes: how long a version gets copies of production's requests before its deployment is approved, 0 for never

    requests: after how many of them at each endpoint it is enough, 0 for all that time
    """

    minutes: int = 0
    requests: int = 0


@dataclass(frozen=True)
class Endpoints:
    """What the roles in the target accounts allow endpoints beside models; every stage's settings choose among it.

    data_bucket: of captured data and of asynchronous and batch requests; "account" for endpoint-data-ACCOUNT-REGION,
        "" for none
    data_key: the alias of each account's key for what is kept there, "" for none
    vpc: whether they may run in a VPC of their account; batch: whether stages may run transform jobs
    """

    data_bucket: str = ""
    vpc: bool = False
    batch: bool = False
    data_key: str = ""
    shadow: Shadow = Shadow()


@dataclass(frozen=True)
class Consumer:
    """Who may ask the endpoints of a project in a stage's accounts. principal: the ARN of a role or user"""

    project: str
    principal: str


@dataclass(frozen=True)
class Settings:
    """units: ids or paths of names, all empty without Organizations, where targets says the accounts instead."""

    region: str
    administrator: Administrator
    accounts: Accounts
    units: Units
    regions: Regions
    roles: Roles
    tester_external_id: str
    studio: Studio
    catalog: Catalog
    notifications: Notifications
    consumers: PerStage[tuple[Consumer, ...]]
    targets: Targets | None = None
    new_accounts: tuple[NewAccount, ...] = ()
    invited_accounts: tuple[InvitedAccount, ...] = ()
    target_roles: Literal["stack-set", "one-by-one"] = "stack-set"
    approval: Approval = Approval()
    builds: Builds = Builds()
    publishing: Publishing = Publishing()
    source: Source = Source()
    images: Images = Images()
    models: Models = Models()
    endpoints: Endpoints = Endpoints()
    tags: Mapping[str, str] = field(default_factory=dict)  # of everything that the kit creates

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the installation, in the order of deployment."""
        return self.units.stages

    @property
    def remark(self) -> str:
        """What the first line of a plan says of the stages; "" with staging."""
        return "" if Stage.STAGING in self.stages else ", without staging: nothing is tested before production"

    @property
    def stack_set_administrator(self) -> CallAsType:
        """The value of CallAs in a stack set's requests."""
        return "DELEGATED_ADMIN" if self.administrator == "delegated" else "SELF"

    @property
    def permission_model(self) -> str:
        """The value of PermissionModel in a stack set's requests."""
        return "SELF_MANAGED" if self.administrator == "self-managed" else "SERVICE_MANAGED"

    @property
    def portfolio_principals(self) -> tuple[str, ...]:
        """Who sees the portfolio: the Studio execution roles and the principals named besides them."""
        account = self.accounts.data_science
        roles = [f"arn:{partition(self.region)}:iam::{account}:role/{name}" for name in self.studio.execution_roles]
        return tuple(dict.fromkeys([*roles, *self.catalog.principals]))
