"""What one version changes against another: resources, parameters, permissions, seed code. Nothing is asked of AWS.

Resources are compared as CloudFormation does it ("Understand update behaviors of stack resources"): properties
are resolved with the project's parameters, and the registry's schemas say which of them mean a new resource.
"""

from __future__ import annotations

import difflib
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from awslang.template import parameters as cfn_parameters
from awslang.template import schemas, template
from awslang.template.intrinsics import Evaluator
from awslang.template.template import Template, TemplateError
from scripts.kit.bundle import pack
from scripts.kit.console import UserError
from scripts.kit.regions import partition, url_suffix

Effect = Literal["add", "remove", "change", "replace", "ignore"]
IGNORED = {"AWS::CodeCommit::Repository": {"Code"}}  # "Changes to this property are ignored after initial resource
# creation" (CloudFormation Template Reference, "AWS::CodeCommit::Repository Code")
POLICIES = {"PolicyDocument", "AssumeRolePolicyDocument", "ResourcePolicy", "KeyPolicy", "ModelPackageGroupPolicy"}
parsed_template = lru_cache(maxsize=64)(template.parse)  # of the product's template five things are asked
MADE_UP = {"SageMakerProjectName": "project", "SageMakerProjectId": "p-000000000000"}  # where no project is compared


@dataclass(frozen=True)
class ResourceChange:
    """One resource. properties: that differ; why: what the effect rests on."""

    effect: Effect
    logical_id: str
    type: str
    properties: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class ItemChange:
    """A parameter, statement or file: only in the newer (add), only in the older (remove), or different."""

    effect: Effect
    name: str
    old: str = ""
    new: str = ""


@dataclass(frozen=True)
class Differences:
    resources: tuple[ResourceChange, ...] = ()
    parameters: tuple[ItemChange, ...] = ()
    permissions: tuple[ItemChange, ...] = ()
    files: tuple[ItemChange, ...] = field(default=())
    code: tuple[ItemChange, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.resources or self.parameters or self.permissions or self.files or self.code)


def compare(
    old: pack.Bundle,
    new: pack.Bundle,
    account: str,
    region: str,
    values: Mapping[str, str] | None = None,
    template_now: str = "",
    values_after: Mapping[str, str] | None = None,
) -> Differences:
    """What the newer bundle changes.

    values: a project's parameters as they are; without them both products stand with their defaults
    template_now: the template of the project's stack, where it is not the older bundle's
    values_after: the project's parameters then, where they are not those of after_update
    """
    before = template_now or text(old)
    after = text(new)
    given = values if values is not None else defaults(before)
    kept = dict(values_after or after_update(given, declared(after))) if values is not None else defaults(after)
    return Differences(
        resources=tuple(compare_resources(before, given, after, kept, account, region)),
        parameters=tuple(compare_parameters(declared(before), declared(after))),
        permissions=tuple(compare_maps(all_statements(old), all_statements(new))),
        files=tuple(compare_files(seeds(old), seeds(new))),
        code=tuple(compare_files(pipeline_code(old), pipeline_code(new))),
    )


def text(bundle: pack.Bundle) -> str:
    return bundle.files[pack.PRODUCT].decode()


def declared(body: str) -> dict[str, dict[str, Any]]:
    return parsed_template(body).parameters


# -- parameters --------------------------------------------------------------------------------


def after_update(values: Mapping[str, str], new: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The parameters that a project has after its upgrade.

    What it has stays, the keys of its seed code too: they say what the repositories began with, and with other
    keys CloudFormation would touch the repositories (docs/decisions). The version and the pipeline's code are the new
    ones; a parameter that is new takes its default.
    """
    replaced = {pack.VERSION_PARAMETER, *pack.CODE_KEYS}
    kept = {name: value for name, value in values.items() if name in new and name not in replaced}
    fresh = {name: str(item["Default"]) for name, item in new.items() if name not in kept and "Default" in item}
    return {**fresh, **kept}


def missing(values: Mapping[str, str], new: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The new parameters without a default, which a person must give."""
    return [name for name in new if name not in values]


def defaults(body: str) -> dict[str, str]:
    """Values to compare a product with where there is no project: defaults, and made-up ones that fit."""
    found = {}
    for name, item in declared(body).items():
        found[name] = str(item["Default"]) if "Default" in item else MADE_UP.get(name, name)
    return found


def compare_parameters(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ItemChange]:
    """Declarations that differ; what packing sets in every version (seed code, version) is left out."""
    fixed = {*pack.SEED_KEYS, *pack.CODE_KEYS, pack.VERSION_PARAMETER}
    yield from compare_maps(*({n: shown(i) for n, i in of.items() if n not in fixed} for of in (old, new)))


def shown(declaration: Mapping[str, Any]) -> str:
    wanted = {k: v for k, v in declaration.items() if k not in {"Description", "ConstraintDescription"}}
    return json.dumps(wanted, sort_keys=True, default=str)


def compare_maps(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[ItemChange]:
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield ItemChange("remove", name, old=old[name])
        elif name not in old:
            yield ItemChange("add", name, new=new[name])
        elif old[name] != new[name]:
            yield ItemChange("change", name, old[name], new[name])


# -- resources ---------------------------------------------------------------------------------


def compare_resources(
    before: str,
    given: Mapping[str, str],
    after: str,
    kept: Mapping[str, str],
    account: str,
    region: str,
) -> list[ResourceChange]:
    """The changes; what refers to a resource that is replaced changes with it."""
    old, replaced = resolve(before, given, account, region), set[str]()
    while True:
        new = resolve(after, kept, account, region, frozenset(replaced))
        found = [change for i in {**old, **new} if (change := changed(before, i, old, new, region))]
        now = {change.logical_id for change in found if change.effect == "replace"}
        if now == replaced:
            return found
        replaced = now


Resolved = dict[str, tuple[str, dict[str, Any]]]  # type and properties by logical id


def changed(before: str, logical_id: str, old: Resolved, new: Resolved, region: str) -> ResourceChange | None:
    if logical_id not in new:
        return ResourceChange("remove", logical_id, old[logical_id][0], why=policy_of(before, logical_id))
    type, properties = new[logical_id]
    if logical_id not in old:
        return ResourceChange("add", logical_id, type)
    if old[logical_id][0] != type:
        return ResourceChange("replace", logical_id, type, why=f"was {old[logical_id][0]}: CloudFormation refuses that")
    return modified(logical_id, type, old[logical_id][1], properties, region)


def modified(
    logical_id: str, type: str, old: dict[str, Any], new: dict[str, Any], region: str
) -> ResourceChange | None:
    names = tuple(name for name in {**old, **new} if old.get(name) != new.get(name))
    if not names:
        return None
    if set(names) <= IGNORED.get(type, set()):
        return ResourceChange("ignore", logical_id, type, names, "AWS uses it at creation only")
    known = schemas.schema(type, region)
    replaced = known.replaced_by(old, new)
    if not replaced:
        return ResourceChange("change", logical_id, type, names)
    why = f"{', '.join(replaced)} cannot be changed in place"
    kept = [path for path in known.primary_identifier if path in new and new.get(path) == old.get(path)]
    if kept:
        why += f"; its name {new[kept[0]]} stays, so CloudFormation refuses the update"
    return ResourceChange("replace", logical_id, type, names, why)


def policy_of(body: str, logical_id: str) -> str:
    policy = parsed_template(body).resources[logical_id].get("DeletionPolicy", "Delete")
    return "it is kept (DeletionPolicy)" if policy != "Delete" else ""


def resolve(
    body: str, values: Mapping[str, str], account: str, region: str, replaced: frozenset[str] = frozenset()
) -> Resolved:
    """Type and resolved properties of each resource; a value from the deployment is shown as ${Resource:Attribute}.

    replaced: the resources whose references give something new
    """
    parsed = parsed_template(body)
    try:
        evaluator = evaluate(parsed, values, account, region, replaced)
        return {
            i: (
                type := str(evaluator.template.resources[i]["Type"]),
                schemas.coerce(type, evaluator.resource(i), region),
            )
            for i in evaluator.active()
        }
    except TemplateError as error:
        raise UserError(f"the product's template does not go with these parameters: {error}") from error


def evaluate(
    parsed: Template, values: Mapping[str, str], account: str, region: str, replaced: frozenset[str]
) -> Evaluator:
    def unasked(*what: str) -> str:
        return "${" + ":".join(what) + "}"

    pseudo: dict[str, Any] = {
        "AWS::AccountId": account,
        "AWS::Region": region,
        "AWS::Partition": partition(region),
        "AWS::URLSuffix": url_suffix(region),
        "AWS::StackName": "${AWS::StackName}",
        "AWS::StackId": "${AWS::StackId}",
        "AWS::NotificationARNs": [],
    }
    wanted = {name: value for name, value in values.items() if name in parsed.parameters}
    return Evaluator(
        parsed,
        cfn_parameters.resolve(lenient(parsed), wanted, None, unasked),
        pseudo,
        unasked,
        lambda logical_id, attribute: unasked(logical_id, attribute, *(["new"] if logical_id in replaced else [])),
        unasked,
    )


def lenient(parsed: Template) -> Template:
    """The template without the parameters' constraints, which the values of another version need not meet."""
    kept = {
        name: {k: v for k, v in item.items() if k in {"Type", "Default", "NoEcho"}}
        for name, item in parsed.parameters.items()
    }
    return Template(parsed.body, {**parsed.document, "Parameters": kept}, parsed.lines)


# -- permissions -------------------------------------------------------------------------------


def all_statements(bundle: pack.Bundle) -> dict[str, str]:
    """Every policy statement of the bundle's templates, by TEMPLATE RESOURCE SID, as its JSON."""
    found: dict[str, str] = {}
    for name in sorted(n for n in bundle.files if n.endswith(".yaml")):
        document = parsed_template(bundle.files[name].decode()).document
        for logical_id, resource in document.get("Resources", {}).items():
            for property, statement in statements(resource.get("Properties", {})):
                sid = statement.get("Sid", hashlib.sha256(shown(statement).encode()).hexdigest()[:8])
                kind = "trust " if property == "AssumeRolePolicyDocument" else ""
                found[f"{name.removeprefix('templates/')} {logical_id} {kind}{sid}"] = shown(statement)
            for arn in resource.get("Properties", {}).get("ManagedPolicyArns", []):
                found[f"{name.removeprefix('templates/')} {logical_id} {shown({'ManagedPolicy': arn})}"] = "attached"
    return found


def statements(value: Any, inside: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The statements within a value, each with the name of the property that holds them."""
    if isinstance(value, list):
        for item in value:
            yield from statements(item, inside)
    elif isinstance(value, dict):
        if inside in POLICIES and "Statement" in value:
            listed = value["Statement"]
            yield from ((inside, item) for item in (listed if isinstance(listed, list) else [listed]))
            return
        for name, item in value.items():
            yield from statements(item, name)


# -- seed code and the pipeline's code -----------------------------------------------------------


def unzip(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}


def seeds(bundle: pack.Bundle) -> dict[str, bytes]:
    """Every seed file as REPOSITORY/PATH (model-deploy/buildspec.yml)."""
    return {
        f"{archive.removesuffix('.zip')}/{path}": content
        for archive in pack.SEEDS
        if archive in bundle.files
        for path, content in unzip(bundle.files[archive]).items()
    }


def pipeline_code(bundle: pack.Bundle) -> dict[str, bytes]:
    """Every file of the code that pipelines run; none in bundles before it was published apart."""
    return unzip(bundle.files[pack.PIPELINE_CODE]) if pack.PIPELINE_CODE in bundle.files else {}


def compare_files(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[ItemChange]:
    yield from compare_maps(*({name: pack.sha256(body) for name, body in of.items()} for of in (before, after)))


def patch(old: pack.Bundle, new: pack.Bundle, repository: str) -> str:
    """The seed code's changes for one repository (model-deploy), for `git apply --3way` in a clone of it.

    The index lines name git's blobs, so that git finds what the repository began with in its history and merges
    the user's own commits.
    """
    before, after = seeds(old), seeds(new)
    lines: list[str] = []
    for item in compare_files(before, after):
        folder, _, path = item.name.partition("/")
        if folder == repository:
            lines += file_patch(path, before.get(item.name), after.get(item.name))
    return "".join(lines)


def file_patch(path: str, old: bytes | None, new: bytes | None) -> Iterator[str]:
    yield f"diff --git a/{path} b/{path}\n"
    if old is None:
        yield "new file mode 100644\n"
    if new is None:
        yield "deleted file mode 100644\n"
    mode = " 100644" if old is not None and new is not None else ""
    yield f"index {blob(old)}..{blob(new)}{mode}\n"
    before, after = ((b or b"").decode().splitlines(keepends=True) for b in (old, new))
    names = ("/dev/null" if old is None else f"a/{path}", "/dev/null" if new is None else f"b/{path}")
    for line in difflib.unified_diff(before, after, *names):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def blob(content: bytes | None) -> str:
    """The id that git gives to a file's content (Pro Git, "Git Objects"); zeros for none."""
    if content is None:
        return "0" * 40
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


# -- what it looks like ------------------------------------------------------------------------


SIGNS = {"add": "+", "remove": "-", "change": "~", "replace": "!", "ignore": "="}
WORDS = {
    "add": "add",
    "remove": "remove",
    "change": "in place",
    "replace": "REPLACE",
    "retag": "tags",
    "ignore": "no effect",
}


def lines(found: Differences, detail: bool = True) -> Iterator[str]:
    """The differences for people. detail: with the statements and defaults themselves."""
    yield from resource_lines(found)
    for title, rows in (
        ("parameters", found.parameters),
        ("permissions", found.permissions),
        ("pipeline's code", found.code),
        ("seed code", found.files),
    ):
        yield f"{title}: {len(rows) or 'none'}"
        for item in rows:
            yield f"  {SIGNS[item.effect]} {item.name}"
            if detail and "code" not in title:
                yield from (f"      {sign} {value}" for sign, value in (("-", item.old), ("+", item.new)) if value)


def resource_lines(found: Differences) -> Iterator[str]:
    yield f"resources: {len(found.resources) or 'none'}"
    for change in found.resources:
        what = f" ({', '.join(change.properties)})" if change.properties else ""
        why = f": {change.why}" if change.why else ""
        yield f"  {SIGNS[change.effect]} {WORDS[change.effect]:9} {change.logical_id} {change.type}{what}{why}"
