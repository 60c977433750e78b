"""CloudFormation's and SageMaker's quotas, and the stack sets that exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from scripts.kit.doctor.reader import UNREAD, Reader
from scripts.kit.settings.model import Settings
from scripts.kit.together import together

# AWS General Reference, "AWS CloudFormation endpoints and quotas": the names, and the code of each.
TRAINING = " for training job usage"
SETS, INSTANCES, OPERATIONS = "L-EC62D81A", "L-C8225BA5", "L-6A4B2F69"


@dataclass(frozen=True)
class Limits:
    """values: CloudFormation's quotas by code; codes: of SageMaker's quotas, by name.

    builds, training: the quotas of CodeBuild's builds and of instances for training, each by its name: code and value
    """

    values: Mapping[str, float] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)
    sets: Any = UNREAD
    builds: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    training: Mapping[str, tuple[str, float]] = field(default_factory=dict)


def gather(reader: Reader, settings: Settings) -> Limits:
    account, call_as = settings.accounts.data_science, settings.stack_set_administrator
    quotas, instances, builds, sets = together(
        [
            partial(
                reader.pages, account, "service-quotas", "ListServiceQuotas", "Quotas", ServiceCode="cloudformation"
            ),
            partial(reader.pages, account, "service-quotas", "ListServiceQuotas", "Quotas", ServiceCode="sagemaker"),
            partial(reader.pages, account, "service-quotas", "ListServiceQuotas", "Quotas", ServiceCode="codebuild"),
            partial(
                reader.pages, account, "cloudformation", "ListStackSets", "Summaries", Status="ACTIVE", CallAs=call_as
            ),
        ]
    )
    return Limits(
        values={quota["QuotaCode"]: quota["Value"] for quota in quotas or []},
        codes={quota["QuotaName"]: quota["QuotaCode"] for quota in instances or []},
        sets=sets,
        builds=by_name(builds),
        training={name: found for name, found in by_name(instances).items() if name.endswith(TRAINING)},
    )


def by_name(quotas: Any) -> dict[str, tuple[str, float]]:
    """Code and value of each quota; {} where they were not read."""
    return {quota["QuotaName"]: (quota["QuotaCode"], quota["Value"]) for quota in quotas or []}
