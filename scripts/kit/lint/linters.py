"""CloudFormation Guard and parliament, as scripts/lint.py calls them with the Python of .venv-lint.

Data comes as JSON on stdin; findings go to stdout, a line each. It imports nothing of the kit, which is
not installed there.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

# What parliament says of every star: tests/repository/test_templates.py asks for a reason beside each of them.
LEFT_TO_THE_TESTS = {"RESOURCE_STAR"}
# Actions that AWS documents on more resources than the table that parliament has: a model from another account's model
# package (SageMaker Developer Guide, "Deploy a Model Version from a Different Account"), and a connection under its
# service's newer name (Developer Tools console User Guide, "Connections rename"). StackSets asks for targets and types
# beside the stack set, which have statements of their own (CloudFormation User Guide, "Example IAM identity-based
# policies for CloudFormation"). Executions are standard or express ones, and express ones are not described.
ON_MORE_RESOURCES = {
    "sagemaker:CreateModel", "codestar-connections:UseConnection", "cloudformation:CreateStackInstances",
    "states:DescribeExecution", "cloudformation:DeleteStackInstances",
    "cloudformation:UpdateStackInstances", "cloudformation:UpdateStackSet",
}  # fmt: skip
# Keys that parliament does not know as such: global ones (IAM User Guide, "AWS global condition context keys"), one of
# KMS keys (KMS Developer Guide, "AWS KMS condition keys"), and a version's stage (Service Authorization Reference).
GLOBAL_KEYS = {
    "codebuild:BuildArn": "Arn", "codebuild:ProjectArn": "Arn", "kms:ResourceAliases": "String",
    "sagemaker:ModelLifeCycle:Stage": "String", "sagemaker:ModelLifeCycle:StageStatus": "String",
}  # fmt: skip
# A variable for a tag whose key has a colon: parliament takes that for a colon of the ARN. AWS's own policies have such
# variables (SageMakerStudioProjectRoleMachineLearningPolicy).
TAG_VARIABLE = re.compile(r"\$\{aws:PrincipalTag/[^}]*\}")


def guard(data: Any) -> Iterator[str]:
    """data: {"rules": text, "templates": {path: document}}

    One rule at a time: with several, Guard's binding answers nothing for some templates.
    """
    from cfn_guard_rs.cfn_guard_rs import run_checks_rs  # of .venv-lint

    head, *rules = re.split(r"^(?=rule )", data["rules"], flags=re.MULTILINE)
    for path, document in data["templates"].items():
        for rule in rules:
            text = run_checks_rs(json.dumps(document), head + rule, False)
            try:
                report = json.loads(text)
            except (
                ValueError
            ):  # the binding answers with the end alone of a long report, which is long of what is broken
                report = {"not_compliant": [{"Rule": {"name": rule.split()[1]}, "end": text}]}
            for broken in report["not_compliant"]:
                name = broken["Rule"]["name"]
                yield from (f"{path}: {name}: {place}" for place in sorted(set(places(broken))))


def places(report: Any) -> Iterator[str]:
    """Where a rule was broken, as Guard's report says it: Path=/Resources/…"""
    yield from re.findall(r"Path=(/[^\[]*)", json.dumps(report)) or ["somewhere in the template"]


def parliament(data: Any) -> Iterator[str]:
    """data: {where it stands: policy document}"""
    from parliament import analyze_policy_string, enhance_finding, statement  # of .venv-lint

    statement.GLOBAL_CONDITION_KEYS.update(GLOBAL_KEYS)
    for place, document in data.items():
        for finding in analyze_policy_string(TAG_VARIABLE.sub("*", json.dumps(document))).findings:
            known = finding.issue == "RESOURCE_MISMATCH" and {d["action"] for d in finding.detail} <= ON_MORE_RESOURCES
            if not known and finding.issue not in LEFT_TO_THE_TESTS:
                found = enhance_finding(finding)
                yield f"{place}: {found.severity} {found.title}: {json.dumps(found.detail)}"


if __name__ == "__main__":
    checks = {"guard": guard, "parliament": parliament}
    for line in checks[sys.argv[1]](json.load(sys.stdin)):
        print(line)
