"""Decide who could get past the approver in an account of many principals: seconds of the processor for each number.

The account is made up in this process, without the embedded AWS: its answer to GetAccountAuthorizationDetails holds
roles of data scientists, of applications and of administrators, and as many projects as are asked for.

examples:
  python -m benchmarks.who_could --principals 1000 --projects 20
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from scripts.kit.bundle import template_policies
from scripts.kit.console import make_parser, run
from scripts.kit.doctor.checks import reach
from scripts.kit.doctor.facts import access, protected
from scripts.kit.doctor.facts.organization import Organization

ACCOUNT, REGION = template_policies.ACCOUNT, template_policies.REGION


def allowed(actions: str, resource: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions.split(), "Resource": resource, **more}


STOCK = [  # what of AmazonSageMakerFullAccess touches the kit
    allowed("codebuild:BatchGetBuilds codebuild:StartBuild", "arn:aws:codebuild:*:*:project/sagemaker*"),
    allowed("s3:GetObject s3:PutObject s3:DeleteObject", "arn:aws:s3:::*sagemaker*"),
    allowed(
        "iam:PassRole",
        "arn:aws:iam::*:role/*AmazonSageMaker*",
        Condition={"StringEquals": {"iam:PassedToService": ["glue.amazonaws.com", "states.amazonaws.com"]}},
    ),
]


def document(statements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}


def scientists() -> Any:
    """The policy of template 13."""
    template = protected.read("13-people")
    return next(one.document for one in template_policies.policies(template) if one.resource == "DataScientist")


def role(number: int, name: str = "", service: str = "sagemaker.amazonaws.com") -> dict[str, Any]:
    """One role of three kinds: a data scientist's, an application's, and each twentieth an administrator's."""
    own = [
        allowed("s3:*Object logs:*", f"arn:aws:s3:::data-{number}/*"),
        allowed("sts:AssumeRole", "arn:aws:iam::*:role/shared-*"),
    ]
    policies = [document(own)]
    if number % 20 == 0 and not name:
        policies.append(document([allowed("*", "*")]))
    elif number % 2:
        policies += [document(STOCK), scientists()]
    trusted = {"Service": service} if number % 3 or name else {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    return {
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name or f'role-{number}'}",
        "RolePolicyList": [{"PolicyName": f"p{n}", "PolicyDocument": one} for n, one in enumerate(policies)],
        "AssumeRolePolicyDocument": document([{"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}]),
    }


def facts(principals: int, projects: int) -> Any:
    """The facts that reach.py looks at."""
    details = access.Details(SimpleNamespace(), ACCOUNT, {}, {})  # type: ignore[arg-type]  # nothing is read
    kit = [
        role(0, f"service-role/{one.name}", one.services[0]) for one in protected.kit_roles(protected.PASSED).values()
    ]
    entities = tuple(details.entity(one) for one in [*map(role, range(1, principals + 1)), *kit])
    named = [SimpleNamespace(name=f"churn-{number}", id=f"p-{number:012}") for number in range(projects)]
    found = {}
    for file in ("11-shared-resources", "30-project"):
        for one in template_policies.policies(protected.read(file)):
            if one.resource in ("BundleBucketPolicy", "ArtifactsPolicy"):
                found[file] = json.dumps(one.document)
    bundle = f"sagemaker-multi-account-bundle-{ACCOUNT}-{REGION}"
    texts = {bundle: found["11-shared-resources"].replace("BundleBucket", bundle)}
    texts |= {
        f"sagemaker-project-{p.id}": found["30-project"].replace("Artifacts", f"sagemaker-project-{p.id}")
        for p in named
    }
    policies = {name: access.parsed({"Policy": text}, name, ACCOUNT) for name, text in texts.items()}
    documents = {name: json.loads(text) for name, text in texts.items()}
    settings = SimpleNamespace(
        accounts=SimpleNamespace(management="999999999999"),
        roles=SimpleNamespace(publishers=("role/role-20",), access="OrganizationAccountAccessRole"),
        publishing=SimpleNamespace(to="both"),
        studio=SimpleNamespace(execution_roles=()),
    )
    return Facts(
        account=ACCOUNT, region=REGION, partition="aws", settings=settings, projects=named, targets=(),
        access=access.Access(entities, len(entities), policies, documents), organization=Organization(),
        catalog=SimpleNamespace(product="prod-1", portfolio="port-1"),
    )  # fmt: skip


class Facts(SimpleNamespace):
    """A snapshot's facts; as a snapshot, each is equal to itself alone."""

    __hash__ = object.__hash__  # type: ignore[assignment]


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("benchmarks.who_could", __doc__)
    parser.add_argument("--principals", type=int, default=1000, help="number of roles (default: %(default)s)")
    parser.add_argument("--projects", type=int, default=20, help="number of projects (default: %(default)s)")
    args = parser.parse_args(argv)
    made = facts(args.principals, args.projects)
    start = time.process_time()
    found = reach.paths(made)
    seconds = round(time.process_time() - start, 1)
    figures = {"principals": args.principals, "projects": args.projects, "seconds": seconds, "paths": len(found)}
    print(json.dumps({**figures, "principals_with_one": len({path.entity.arn for path in found})}))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
