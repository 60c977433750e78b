"""The build specification of CodeBuild, version 0.2: read and checked, nothing run.

AWS CodeBuild User Guide, "Build specification reference for CodeBuild". Stricter than AWS in one
thing: a key that the reference does not name is refused, because it is a mistake that would
otherwise show up as nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from awslang.bounded import SURROGATE, BoundedYaml

PHASES = ("install", "pre_build", "build", "post_build")
TOP_KEYS = ("version", "env", "phases", "reports", "artifacts", "cache")
ENV_KEYS = ("shell", "variables", "parameter-store", "secrets-manager", "exported-variables", "git-credential-helper")
PHASE_KEYS = ("on-failure", "commands", "finally")
REPORT_KEYS = ("files", "base-directory", "discard-paths", "file-format")
ARTIFACT_KEYS = ("files", "name", "discard-paths", "base-directory", "exclude-paths", "enable-symlinks", "s3-prefix")
# In the reference, but not supported here: refused by name.
NOT_SUPPORTED_KEYS = {"run-as", "proxy", "batch", "exclude-paths", "enable-symlinks", "s3-prefix"}
TEST_FORMATS = ("CUCUMBERJSON", "JUNITXML", "NUNITXML", "NUNIT3XML", "TESTNGXML", "VISUALSTUDIOTRX")
COVERAGE_FORMATS = ("CLOVERXML", "COBERTURAXML", "JACOCOXML", "SIMPLECOV")
MAX_REPORT_GROUPS = 5
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class BuildspecError(ValueError):
    """The buildspec cannot be used: CodeBuild's YAML_FILE_ERROR."""


@dataclass(frozen=True)
class Phase:
    """The commands of one phase. on_failure: "" where the buildspec says nothing."""

    commands: tuple[str, ...] = ()
    last: tuple[str, ...] = ()  # `finally`
    on_failure: str = ""


@dataclass(frozen=True)
class Files:
    """Which files to take: patterns relative to base (itself a path or a pattern)."""

    patterns: tuple[str, ...]
    base: str = ""
    discard_paths: bool = False


@dataclass(frozen=True)
class Artifact:
    files: Files
    name: str = ""


@dataclass(frozen=True)
class Buildspec:
    """A whole buildspec.

    runtimes: for example {"python": "3.12"}
    variables, parameters, secrets: by the name of the environment variable
    reports: by report group name or ARN
    """

    phases: Mapping[str, Phase]
    runtimes: Mapping[str, str] = field(default_factory=dict)
    shell: str = "/bin/sh"
    variables: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    exported: tuple[str, ...] = ()
    artifact: Artifact | None = None
    secondary: Mapping[str, Artifact] = field(default_factory=dict)
    reports: Mapping[str, Files] = field(default_factory=dict)


def refuse_on_lambda(spec: Buildspec) -> None:
    """BuildspecError for what Lambda compute has not.

    CodeBuild User Guide, "Lambda compute images": `on-failure` works with EC2 images alone. Each image is for one
    runtime; no page says what CodeBuild makes of `runtime-versions` there.
    """
    for name, phase in spec.phases.items():
        if phase.on_failure:
            raise BuildspecError(f"on-failure in phases/{name} is not supported when using Lambda compute")
    if spec.runtimes:
        raise BuildspecError("Not supported by the embedded AWS: runtime-versions on Lambda compute")


class TextLoader(BoundedYaml, yaml.BaseLoader):
    """Every scalar stays text, so that `python: 3.10` is not 3.1; a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                problem = f'found duplicate key "{key.value}"'
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:
        if SURROGATE.search(str(node.value)):
            raise yaml.MarkedYAMLError(problem="found half of a character", problem_mark=node.start_mark)
        return super().construct_scalar(node)


def parse(text: str) -> Buildspec:
    """The buildspec in text; BuildspecError says what is wrong and where."""
    try:
        tree = yaml.load(text, Loader=TextLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise BuildspecError(f"{error.problem or error.context} at line {line}") from error
    except yaml.YAMLError as error:
        raise BuildspecError(str(error)) from error
    if isinstance(tree, dict):  # of no meaning to CodeBuild, and written by samples of the CDK
        tree.pop("environment", None)
    top = _mapping(tree, "The buildspec", TOP_KEYS)
    if "version" not in top:
        raise BuildspecError("The buildspec has no version: write `version: 0.2` at its top")
    version = _text(top["version"], "version")
    if version == "0.1":
        raise BuildspecError("Not supported by the embedded AWS: buildspec version 0.1 (use 0.2)")
    if version != "0.2":
        raise BuildspecError(f"Invalid buildspec version: {version}. Expecting: 0.1, 0.2")
    if "phases" not in top:
        raise BuildspecError("The buildspec has no phases")
    env = _mapping(top.get("env", {}), "env", ENV_KEYS)
    phases = _mapping(top["phases"], "phases")
    for name in phases:
        if name not in PHASES:
            raise BuildspecError(f"Invalid buildspec phase name found: {name}. Expecting: {','.join(PHASES)}")
    artifacts = _mapping(top.get("artifacts", {}), "artifacts", (*ARTIFACT_KEYS, "secondary-artifacts"))
    secondary = _mapping(artifacts.get("secondary-artifacts", {}), "artifacts/secondary-artifacts")
    return Buildspec(
        phases={name: _phase(name, body) for name, body in phases.items()},
        runtimes=_runtimes(phases.get("install", {})),
        shell=_one_of(env.get("shell", "/bin/sh"), "env/shell", ("bash", "/bin/sh")),
        variables=_variables(env, "variables"),
        parameters=_variables(env, "parameter-store"),
        secrets=_variables(env, "secrets-manager"),
        exported=_strings(env.get("exported-variables", []), "env/exported-variables"),
        artifact=_artifact("artifacts", artifacts) if artifacts else None,
        secondary={
            name: _artifact(f"artifacts/secondary-artifacts/{name}", _mapping(body, name, ARTIFACT_KEYS))
            for name, body in secondary.items()
        },
        reports=_reports(_mapping(top.get("reports", {}), "reports")),
    )


def _mapping(node: Any, where: str, known: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(node, dict):
        raise BuildspecError(f"{where} must be a mapping, found {_kind(node)}")
    for key in node if known else ():
        if key in NOT_SUPPORTED_KEYS:
            raise BuildspecError(f"Not supported by the embedded AWS: {key} in {where}")
        if key not in known:
            raise BuildspecError(f"Unknown key {key} in {where}. Expecting: {', '.join(known)}")
    return dict(node)


def _kind(node: Any) -> str:
    if isinstance(node, dict | list):
        return "a mapping" if isinstance(node, dict) else "a list"
    return "text" if node else "nothing"


def _text(node: Any, where: str) -> str:
    if not isinstance(node, str):
        raise BuildspecError(f"Expected {where} to be of string type: found subkeys instead")
    return node


def _strings(node: Any, where: str) -> tuple[str, ...]:
    if not isinstance(node, list):
        raise BuildspecError(f"{where} must be a list, found {_kind(node)}")
    return tuple(_text(item, f"{where}[{number}]") for number, item in enumerate(node))


def _one_of(value: Any, where: str, allowed: tuple[str, ...]) -> str:
    text = _text(value, where)
    if text not in allowed:
        raise BuildspecError(f"Invalid value {text} for {where}. Expecting: {', '.join(allowed)}")
    return text


def _yes(node: Any, where: str) -> bool:
    return _one_of(node, where, ("yes", "no", "true", "false")) in {"yes", "true"}


def _variables(env: Mapping[str, Any], kind: str) -> dict[str, str]:
    found = {name: _text(value, f"env/{kind}/{name}") for name, value in _mapping(env.get(kind, {}), kind).items()}
    for name in found:
        if not VARIABLE.fullmatch(name):
            raise BuildspecError(f"env/{kind}: {name} is no name of an environment variable")
        if name.startswith("CODEBUILD_"):
            raise BuildspecError(f"env/{kind}: {name}: the prefix CODEBUILD_ is reserved")
    return found


def _phase(name: str, node: Any) -> Phase:
    where = f"phases/{name}"
    extra = ("runtime-versions",) if name == "install" else ()
    body = _mapping(node, where, (*PHASE_KEYS, *extra))
    if "commands" not in body and not (name == "install" and "runtime-versions" in body):
        raise BuildspecError(f"{where} has no commands")
    on_failure = _text(body.get("on-failure", ""), f"{where}/on-failure")
    if on_failure.startswith("RETRY"):
        raise BuildspecError(f"Not supported by the embedded AWS: on-failure {on_failure} in {where}")
    if on_failure:
        _one_of(on_failure, f"{where}/on-failure", ("ABORT", "CONTINUE"))
    return Phase(
        commands=_strings(body.get("commands", []), f"{where}/commands"),
        last=_strings(body.get("finally", []), f"{where}/finally"),
        on_failure=on_failure,
    )


def _runtimes(install: Any) -> dict[str, str]:
    where = "phases/install/runtime-versions"
    if not isinstance(install, dict) or "runtime-versions" not in install:
        return {}
    versions = _mapping(install["runtime-versions"], where)
    if not versions:
        raise BuildspecError(f"{where} names no runtime")
    return {name: _text(version, f"{where}/{name}") for name, version in versions.items()}


def _files(where: str, body: Mapping[str, Any]) -> Files:
    if not body.get("files"):
        raise BuildspecError(f"{where} has no files")
    return Files(
        patterns=_strings(body["files"], f"{where}/files"),
        base=_text(body.get("base-directory", ""), f"{where}/base-directory"),
        discard_paths=_yes(body.get("discard-paths", "no"), f"{where}/discard-paths"),
    )


def _artifact(where: str, body: Mapping[str, Any]) -> Artifact:
    return Artifact(_files(where, body), _text(body.get("name", ""), f"{where}/name"))


def _reports(groups: Mapping[str, Any]) -> dict[str, Files]:
    if len(groups) > MAX_REPORT_GROUPS:
        raise BuildspecError(f"A project can have a maximum of {MAX_REPORT_GROUPS} report groups")
    found = {}
    for name, node in groups.items():
        body = _mapping(node, f"reports/{name}", REPORT_KEYS)
        form = _text(body.get("file-format", "JUNITXML"), f"reports/{name}/file-format").upper()
        _one_of(form, f"reports/{name}/file-format", TEST_FORMATS + COVERAGE_FORMATS)
        if form != "JUNITXML":
            raise BuildspecError(f"Not supported by the embedded AWS: report format {form} in reports/{name}")
        found[name] = _files(f"reports/{name}", body)
    return found


# -- choosing files ----------------------------------------------------------------------------


def pattern(glob: str) -> re.Pattern[str]:
    """The expression for a location: `*` stays within one folder, `**` crosses folders."""

    def pieces() -> Iterator[str]:
        for piece in re.split(r"(\*\*/|\*\*|\*|\?)", glob.removeprefix("./")):
            yield {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(piece, re.escape(piece))

    return re.compile("".join(pieces()))


def choose(paths: list[str], globs: tuple[str, ...]) -> list[str]:
    """The paths (relative, with slashes) that one of the globs matches, in order."""
    patterns = [pattern(glob) for glob in globs]
    return sorted(path for path in paths if any(p.fullmatch(path) for p in patterns))
