"""Properties that keep something closed and are no policy: mutants of policies do not touch them, nor does a rehearsal.

Each row has the values that are safe; a template that does not set the property has AWS's default, which is safe too,
but for the versions of buckets. Rules of tests/repository/guard/promises.guard have more, which a linter can say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from awslang.template.template import Template
from tests.support.judges.values import of_type, walk

LAUNCHED = "30-project.yaml"  # its bucket: AWS's launch role lacks s3:PutBucketVersioning


@dataclass(frozen=True)
class Protection:
    """A property, by the end of its path without numbers.

    safe: its values, () for no value at all
    why: what another value does, with the page that says it
    """

    type: str
    property: str
    safe: tuple[str, ...]
    why: str


PROTECTIONS = (
    Protection(
        "AWS::S3::Bucket",
        "OwnershipControls.Rules.ObjectOwnership",
        ("BucketOwnerEnforced",),
        "objects have access lists beside the bucket's policy (S3 User Guide, Controlling ownership of objects)",
    ),
    Protection(
        "AWS::S3::Bucket",
        "VersioningConfiguration.Status",
        ("Enabled",),
        "what is written over is lost (S3 User Guide, Retaining multiple versions of objects)",
    ),
    *(
        Protection(
            "AWS::S3::Bucket",
            f"LifecycleConfiguration.Rules.{one}",
            (),
            "models, bundles and the record expire (S3 User Guide, Expiring objects)",
        )
        for one in ("Expiration", "ExpirationDate", "ExpirationInDays", "NoncurrentVersionExpiration")
    ),
    Protection(
        "AWS::CodeBuild::Project",
        "Visibility",
        ("PRIVATE",),
        "builds and their logs can be read by everyone (CodeBuild User Guide, Get public build project URLs)",
    ),
    Protection(
        "AWS::CodePipeline::Pipeline",
        "Configuration.AllowOverrideForS3ObjectKey",
        ("false",),
        "who starts an execution chooses its code (CodePipeline User Guide, Amazon S3 source action reference)",
    ),
    Protection(
        "AWS::IAM::Role",
        "MaxSessionDuration",
        ("3600",),
        "a stolen session lasts longer than AWS's default of an hour (IAM API Reference, CreateRole)",
    ),
)


def protections(name: str, template: Template) -> Iterator[str]:
    """Properties with a value that opens what the kit keeps closed, in every case of a condition."""
    for protection in PROTECTIONS:
        *_, last = protection.property.split(".")
        for resource in of_type(template, protection.type):
            for path, node in walk(template.resources[resource].get("Properties", {})):
                names = ".".join(part for part in path if isinstance(part, str) and not part.startswith("Fn::"))
                if path[-1:] == (last,) and f".{names}".endswith(f".{protection.property}"):
                    for value in _cases(node):
                        if value not in protection.safe:
                            yield f"{name}: {resource}.{protection.property} is {value}: {protection.why}"
    for bucket in of_type(template, "AWS::S3::Bucket") if name != LAUNCHED else ():
        if "VersioningConfiguration" not in template.resources[bucket]["Properties"]:
            yield f"{name}: {bucket} keeps no versions, which a pipeline's S3 source and its models need"


def _cases(node: Any) -> Iterator[str]:
    """Every value that a node may have, without none."""
    if isinstance(node, dict) and "Fn::If" in node:
        for case in node["Fn::If"][1:]:
            yield from _cases(case)
    elif node != {"Ref": "AWS::NoValue"}:
        yield str(node).lower() if isinstance(node, bool) else str(node)
