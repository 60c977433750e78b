"""A team's repositories as folders, which are only read: what is wrong with them, before anything starts.

The settings and the golden payloads are judged by the pipeline's own reading of them, so that nothing passes here that
Build would refuse (docs/decisions/0065-a-team-rehearses-its-change.md).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from awslang.bounded import read_file
from pipeline import console, payloads, settings
from scripts.kit.bundle.pack import LEFT_OUT, ROOT, SEEDS, STAGE
from scripts.kit.console import UsageError, near
from scripts.rehearsal.names import EXAMPLES

DEPLOY, TRAINING = "--deploy-repository", "--training-repository"
SEED = {DEPLOY: ROOT / SEEDS["model-deploy.zip"], TRAINING: ROOT / SEEDS["model-build.zip"]}
MARKS = {DEPLOY: "staging-config.json", TRAINING: "project.toml"}  # a folder with this file is such a repository
NEEDED = ("start.py", "approve.py")  # what the story runs of a training repository
IGNORED = LEFT_OUT | {".git"}
LARGEST_FILE = 6 * 1024 * 1024  # bytes (CodeCommit User Guide, "Quotas": a file in one API request)
MOST_FILES = 2_000  # a checkout that has more holds an environment or a cache
IN_A_VPC = ("VpcSubnetIds", "VpcSecurityGroupIds")
IN_A_BUCKET = ("DataCaptureS3Uri", "AsyncOutputS3Uri")
DATA_KEY, VOLUME_KEY = "DataKmsKeyId", "VolumeKmsKeyId"  # aliases that each account has a key for
OWN = "account"  # stands for what is the account's own


@dataclass(frozen=True)
class Repositories:
    """The folders that are rehearsed, and those that they are compared with, by the option of the kind.

    stages: the settings of the deploy repository by stage
    """

    folders: Mapping[str, Path] = field(default_factory=dict)
    base: Mapping[str, Path] = field(default_factory=dict)
    stages: Mapping[str, settings.Stage] = field(default_factory=dict)
    model: str = ""  # that the training repository trains

    def uses(self, names: Sequence[str]) -> bool:
        """Whether a stage has one of these settings."""
        return bool(self.values(*names))

    def values(self, *names: str) -> tuple[str, ...]:
        """What the stages write for these settings, each value once."""
        given = (stage.parameters.get(name, "") for stage in self.stages.values() for name in names)
        return tuple(dict.fromkeys(filter(None, given)))


def read(
    folders: Mapping[str, Path], bases: Sequence[Path], region: str, regions: Sequence[str], example: str = "iris"
) -> Repositories:
    """The repositories; UsageError with all that is wrong with them.

    regions: of the project's stages; example: the model that is trained without a training repository
    """
    problems: list[str] = []
    for option, folder in folders.items():
        problems += [f"{option} {near(folder)}: {text}" for text in of_folder(option, folder)]
    stages: dict[str, settings.Stage] = {}
    if not problems and (deploy := folders.get(DEPLOY)):
        stages, wrong = read_deploy(deploy, region, regions)
        problems += [f"{DEPLOY} {near(deploy)}: {text}" for text in wrong]
    model = ""
    if not problems and (training := folders.get(TRAINING)):
        model, wrong = read_training(training)
        problems += [f"{TRAINING} {near(training)}: {text}" for text in wrong]
        if model and DEPLOY not in folders and model not in EXAMPLES.values():
            problems += [
                f"{TRAINING} trains {model}, and the seed's golden payloads are for {' and '.join(EXAMPLES.values())}: "
                f"add {DEPLOY} with payloads of {model}"
            ]
    if not problems and (deploy := folders.get(DEPLOY)):
        wrong = of_payloads(deploy, model or example)
        if not wrong and (training := folders.get(TRAINING)):
            wrong = of_requests(deploy, features_of(training))
        problems += [f"{DEPLOY} {near(deploy)}: {text}" for text in wrong]
    base = dict(SEED)
    for folder in bases:
        kinds = [option for option in folders if (folder / MARKS[option]).is_file()]
        wanted = " or ".join(MARKS[option] for option in folders)
        if len(kinds) != 1 or base[kinds[0]] != SEED[kinds[0]]:
            problems += [
                f"--base {near(folder)}: name one checkout, with {wanted}, of each repository that is rehearsed"
            ]
        else:
            base[kinds[0]] = folder
    if problems:
        raise UsageError("\n".join(problems))
    return Repositories(dict(folders), {option: base[option] for option in folders}, stages, model)


def of_folder(option: str, folder: Path) -> Iterator[str]:
    """What is wrong with a folder, whatever its files say."""
    if not folder.is_dir():
        yield "there is no such folder: name a checkout of the repository"
        return
    if not (folder / MARKS[option]).is_file():
        yield f"{MARKS[option]} is missing: name the folder that holds it, as {near(SEED[option])} does"
    for count, path in enumerate(paths(folder), 1):
        if count > MOST_FILES:
            yield f"it holds more than {MOST_FILES:,} files: name a clean checkout, without environments and caches"
            return
        if path.stat().st_size > LARGEST_FILE:
            inside = path.relative_to(folder)
            yield f"{inside} has more than {LARGEST_FILE:,} bytes, the most of a commit without git: leave it out"


def paths(folder: Path) -> Iterator[Path]:
    """The files that go into the project's repository: no symlinks, and not what packing leaves out."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in IGNORED and not Path(here, name).is_symlink())
        for name in sorted(files):
            path = Path(here, name)
            if name not in IGNORED and path.suffix != ".pyc" and path.is_file() and not path.is_symlink():
                yield path


def files_of(folder: Path) -> dict[str, bytes]:
    """Their content, by the path in the repository."""
    return {path.relative_to(folder).as_posix(): read_file(path, LARGEST_FILE) for path in paths(folder)}


# -- the deploy repository -----------------------------------------------------------------------


def read_deploy(
    folder: Path, region: str, regions: Sequence[str], judged: bool = True
) -> tuple[dict[str, settings.Stage], list[str]]:
    """The stages' settings, and what Build would refuse. judged: what the rehearsal lacks counts too"""
    known = settings.template_parameters(ROOT / STAGE)
    stages, problems = {}, []
    for name in settings.STAGES:
        file = folder / f"{name}-config.json"
        if name not in settings.NEEDED and not file.exists():
            continue
        project = {
            f"{name.upper()}_REGIONS": ",".join(regions or (region,)),
            f"EXECUTION_ROLE_{name.upper()}_NAME": "",
            "AWS_REGION": region,
        }
        stages[name], wrong = settings.read_stage(name, project, file, known)
        problems += wrong or (list(lacking(file.name, stages[name], {region, *regions})) if judged else [])
    return stages, problems


def of_payloads(folder: Path, model: str) -> list[str]:
    """What Build would refuse of the golden payloads for the first version of a model."""
    try:
        payloads.check_fits(payloads.read_golden(folder / payloads.GOLDEN), 1, model)
    except console.UserError as error:
        return [str(error).replace(f"{folder}{os.sep}", "")]
    return []


def of_requests(folder: Path, features: int) -> list[str]:
    """What a model of so many features, 0 for one not known, would not take of the requests in CSV."""
    golden = payloads.read_golden(folder / payloads.GOLDEN).of_version(1)
    return [f"{payloads.GOLDEN}: {text}" for text in payloads.of_other_width(golden, features)]


def features_of(training: Path) -> int:
    """How many values a request to the model has in CSV; 0 where the team's own code decides that."""
    whole = read_toml(training)
    table = whole[whole["model"]]
    answers = Path("steps/inference.py")
    own = not (training / answers).is_file() or files_differ(training / answers, SEED[TRAINING] / answers)
    if table.get("framework") != "xgboost" and (table.get("framework") != "sklearn" or own):
        return 0
    with (training / table["data"]).open(encoding="utf-8-sig", errors="replace", newline="") as data:
        first = next(payloads.rows_of(data), [])
    ignored = table.get("ignore")
    return max(0, len(first) - 1 - (len(ignored) if isinstance(ignored, list) else 0))


def files_differ(one: Path, other: Path) -> bool:
    return read_file(one, LARGEST_FILE) != read_file(other, LARGEST_FILE)


def lacking(file: str, stage: settings.Stage, prepared: set[str]) -> Iterator[str]:
    """What a stage's settings want of the accounts, and the rehearsal does not prepare."""
    if missing := [region for region in stage.regions if region not in prepared]:
        yield (
            f"{file}: Regions: the project is not prepared for {', '.join(missing)}: add "
            f"--regions {','.join(sorted(prepared | set(missing)))}, as regions of environment.yaml has them"
        )
    for name in (*IN_A_BUCKET, *IN_A_VPC):
        if stage.parameters.get(name, OWN) not in {OWN, ""}:
            yield f'{file}: Parameters.{name}: the rehearsal has what "{OWN}" stands for, nothing else: write that'
    if stage.parameters.get("EndpointKind") == "batch":
        yield f"{file}: Parameters.EndpointKind: the rehearsal of a repository asks endpoints, of which batch has none"


# -- the training repository ---------------------------------------------------------------------


def read_training(folder: Path) -> tuple[str, list[str]]:
    """The model that a training repository trains, and what is wrong. Its own checks follow once it is started."""
    problems = [
        f"{name} is missing: it is a part of {near(SEED[TRAINING])}" for name in NEEDED if not (folder / name).is_file()
    ]
    try:
        whole = read_toml(folder)
    except (OSError, ValueError) as error:
        return "", [*problems, f"project.toml cannot be read: {error}"]
    model = whole.get("model")
    table = whole.get(model) if isinstance(model, str) else None
    if not isinstance(table, dict):
        return "", [*problems, f"project.toml: model is {model!r}, and there is no such table: add it, or name another"]
    data = table.get("data")
    if not isinstance(data, str) or not (folder / data).is_file():
        problems += [f"project.toml, [{model}]: data is {data!r}, and there is no such file: add it"]
    return str(model), problems


def read_toml(folder: Path) -> dict[str, Any]:
    """project.toml. OSError or ValueError where it cannot be read."""
    return tomllib.loads(read_file(folder / MARKS[TRAINING], LARGEST_FILE).decode())
