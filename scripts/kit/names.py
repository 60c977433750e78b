"""Physical names: of what the kit's templates create, and of what SageMaker creates beside it."""

from __future__ import annotations

from scripts.kit.stages import Stage

# Stacks of `make accounts`, and the stack sets of template 20.
STUDIO_STACK = "multi-account-deployment-studio"  # where the environment file asks for a Studio domain
MODELS_STACK = "multi-account-deployment-models"
SHARED_STACK = "multi-account-deployment-shared"
ROLES_STACK = "multi-account-deployment"  # as in 0.1.0: the same roles after an upgrade (docs/guides/upgrading.md)
PEOPLE_STACK = "multi-account-deployment-people"
NOTICES_STACK = "multi-account-deployment-notices"
TARGET_STACK = "multi-account-deployment-target"
SELF_MANAGED_STACK = "multi-account-deployment-stack-sets"
# The roles of self-managed stack sets, by CloudFormation's own names: the administrator's, and each target's.
SELF_MANAGED_ROLES = ("AWSCloudFormationStackSetAdministrationRole", "AWSCloudFormationStackSetExecutionRole")

# Roles of the data science account, with their path.
STUDIO_ROLE = "service-role/AmazonSageMaker-ExecutionRole-MultiAccount"  # of the Studio domain that the kit makes
LAUNCH_ROLE = "service-role/AmazonSageMakerServiceCatalogProductsLaunchRole"  # AWS's own
S3_LAUNCH_ROLE = "service-role/AmazonSageMakerServiceCatalogProductsMultiAccountLaunchRole"

NETWORK_PARAMETERS = "/sagemaker-multi-account/endpoints/"  # of a target account's Parameter Store (50-endpoint.yaml)
APPROVER_POLICY = "sagemaker-multi-account-approver"
SCIENTIST_POLICY = "sagemaker-multi-account-data-scientist"
CREATOR_POLICY = "sagemaker-multi-account-project-creator"
OTHERS_POLICY = "sagemaker-multi-account-other-templates"  # of AWS's own roles for projects


def user_stack(user: str) -> str:
    """The stack of template 14 for a user of the Studio domain."""
    return f"{STUDIO_STACK}-{user}"


def target_set_name(stage: Stage) -> str:
    """The stack set of template 20 for a stage."""
    return f"{TARGET_STACK}-{stage.key}"


TARGET_SETS = (TARGET_STACK, *(target_set_name(stage) for stage in Stage))  # the first: of earlier versions


def target_role(suffix: str, path: str = "/") -> str:
    """The role with which a target account runs models, by the post's name, with its path where it has one."""
    return f"{path.lstrip('/')}sagemaker-role-{suffix}"


def bundle_bucket(account: str, region: str) -> str:
    """The bucket of what is published. account: the data science account"""
    return f"sagemaker-multi-account-bundle-{account}-{region}"


def model_bucket(account: str, region: str) -> str:
    """The bucket of a Region's models. account: the data science account"""
    return f"sagemaker-multi-account-models-{account}-{region}"


def default_bucket(account: str, region: str) -> str:
    """The bucket that SageMaker's SDK uses where none is named."""
    return f"sagemaker-{region}-{account}"
