"""Try every CloudFormation template of a folder on the embedded AWS, and count how each one ends.

examples:
  make sweep ARGS=../aws-cloudformation-templates
  python -m benchmarks.sweep ../widdix --show refused
  python -m benchmarks.sweep ../sagemaker-custom-project-templates --projects

A template that AWS would run code of (functions, builds, state machines, nested stacks) is checked and not created.
Parameters without a default get sample values; what only fails for these is to be looked at by hand (--show).

  created        the stack was created
  checked        every check before the first resource passes, and nothing was created
  not supported  named before anything was created
  refused        as AWS refuses it: the message is AWS's
  no sample      no sample value fits a parameter: nothing else was checked
  failed         a resource failed: mostly for what a sample value names
  late           not supported, and said only after something was created: a fault of the embedded AWS
  broken         a traceback: a fault of the embedded AWS
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from awslang.errors import AwsError, NotSupported
from awslang.template.patterns import compiled
from awslang.template.template import S3_BYTES, Template
from localaws.cloud import Cloud
from localaws.cloudformation.deploy import StackResult, forget, run_stack
from localaws.cloudformation.goals import Goal, prepare, read
from localaws.cloudformation.stacks import find_stack, new_stack
from scripts.kit.console import UsageError, make_parser, run, say
from scripts.rehearsal.embedded import embedded_aws

OUTCOMES = ("created", "checked", "not supported", "refused", "no sample", "failed", "late", "broken")
FAULTS = ("late", "broken")
PROJECT = ("SageMakerProjectName", "SageMakerProjectId")  # the parameters that make a template one of projects
SUFFIXES = {".yaml", ".yml", ".json", ".template"}
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
REGION = "us-east-1"
RUNS_CODE = re.compile(
    r"Custom::|AWS::CloudFormation::|AWS::(Lambda|CodePipeline|StepFunctions|Events|SageMaker|ServiceCatalog)::"
)
SAMPLES = ("sample", "Sample1!", "a", "10.0.0.0/16", "111111111111", "arn:aws:iam::111111111111:role/sample", "1")
UNSUPPORTED = "Not supported by the embedded AWS"


def templates(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file that looks like a template, with its text."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file() and not path.is_symlink() and path.stat().st_size <= S3_BYTES:
            text = path.read_text(encoding="utf-8", errors="replace")
            if re.search(r'(?m)^\s*"?Resources"?\s*:', text) and re.search(r'"?Type"?\s*:\s*"?\'?(AWS|Custom)::', text):
                yield path, text


def sample(declared: dict[str, Any]) -> str:
    """A value for a parameter without a default: of its allowed values, or one that its pattern takes."""
    if allowed := declared.get("AllowedValues"):
        return str(allowed[0])
    if declared.get("Type") == "Number":
        return str(declared.get("MinValue", 1))
    pattern, least = compiled(str(declared.get("AllowedPattern", ".*"))), int(declared.get("MinLength", 0))
    for value in SAMPLES:
        padded = value + "a" * (least - len(value))
        if pattern.fullmatch(padded):
            return padded
    return SAMPLES[0]


def given(template: Template) -> dict[str, str]:
    return {name: sample(one) for name, one in template.parameters.items() if "Default" not in one}


def tried(cloud: Cloud, account: str, body: str) -> tuple[str, str]:
    """How a template ends, and why."""
    session, faults = cloud.root(account, REGION), len(cloud.faults)
    values: dict[str, str] = {}
    try:
        template = read(body)
        values = given(template)
        stack = new_stack(cloud, account, REGION, "checked")
        goal = prepare(cloud, session, stack, body, values, None, {}, CAPABILITIES)
        forget(cloud, stack)
        if runs_code(goal):
            return "checked", ""
        made = run_stack(
            cloud, session, account, REGION, "tried", body, values, {}, capabilities=CAPABILITIES, action="create"
        )
        if len(cloud.faults) > faults:
            return "broken", cloud.faults[-1].traceback
        return ended(cloud, account, made)
    except NotSupported as error:
        return "not supported", error.message
    except AwsError as error:
        unfit = re.match(r"Parameter '?([a-zA-Z0-9]+)", error.message)
        return "no sample" if unfit and unfit[1] in values else "refused", f"{error.code}: {error.message}"
    except Exception:  # whatever it is, it is what this looks for
        return "broken", traceback.format_exc()


def runs_code(goal: Goal) -> bool:
    return any(RUNS_CODE.match(goal.type(logical_id)) for logical_id in goal.evaluator.active())


def ended(cloud: Cloud, account: str, made: StackResult) -> tuple[str, str]:
    if made.succeeded:
        return "created", ""
    said = [event.reason for event in find_stack(cloud, account, REGION, made.stack_id).events]
    late = next((reason for reason in said if UNSUPPORTED in reason), "")
    return ("late", late) if late else ("failed", made.reason)


def needs(body: str, outcome: str, why: str) -> str:
    """What a project template needs besides its project: values, exports, and what is not supported."""
    template = read(body)
    values = [name for name in given(template) if name not in PROJECT]
    exports = sorted({json.dumps(one) for one in imported(template.resources)})
    looked_up = [name for name, one in template.parameters.items() if "::" in str(one.get("Type", ""))]
    text = why.partition(": ")[2]
    found = {
        "AWS refuses:": [text] if outcome in ("refused", "no sample") else [],
        "values of": values,
        "parameters of the account for": looked_up,
        "exports": [one.strip('"') for one in exports],
        "not supported:": sorted({part.split(" (")[0] for part in text.split("; ")})
        if outcome == "not supported"
        else [],
    }
    return "; ".join(f"{what} {', '.join(names)}" for what, names in found.items() if names) or "nothing"


def imported(value: Any) -> Iterator[Any]:
    """The names of all exports that a template takes."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from [inner] if key == "Fn::ImportValue" else imported(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from imported(inner)


def sweep(cloud: Cloud, folder: Path, shown: Sequence[str], projects: bool = False) -> Counter[str]:
    found: Counter[str] = Counter()
    for number, (path, body) in enumerate(templates(folder)):
        if projects and not all(re.search(rf"(?m)^\s*\"?{name}\"?\s*:", body) for name in PROJECT):
            continue
        outcome, why = tried(cloud, f"{200000000000 + number}", body)
        found[outcome] += 1
        if projects:
            print(f"| `{path.relative_to(folder)}` | {outcome} | {needs(body, outcome, why)} |")
        if outcome in FAULTS or outcome in shown:
            say(f"{outcome}: {path.relative_to(folder)}: {why}")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    made = make_parser("benchmarks.sweep", __doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("folder", type=Path, help="a collection of templates, e.g. a clone of a repository")
    made.add_argument("--show", action="append", default=[], choices=OUTCOMES, help="name each template that ends so")
    made.add_argument("--projects", action="store_true", help="only project templates, as rows of what each needs")
    args = made.parse_args(argv)
    if not args.folder.is_dir():
        raise UsageError(f"{args.folder} is not a folder")
    with tempfile.TemporaryDirectory() as folder, embedded_aws(Path(folder)) as cloud:
        found = sweep(cloud, args.folder, args.show, args.projects)
    print(f"{found.total()} templates: " + ", ".join(f"{found[outcome]} {outcome}" for outcome in OUTCOMES))
    return 1 if any(found[outcome] for outcome in FAULTS) else 0


if __name__ == "__main__":
    sys.exit(run(main))
