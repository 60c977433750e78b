"""Script mode: what SageMaker's toolkits do with a team's own training script, and with its functions for serving.

SageMaker Developer Guide, "Train a Model with Amazon SageMaker AI", "Using the SageMaker Training and Inference
Toolkits"; what the script gets and how its failure is written is what the toolkits' public code does:
github.com/aws/sagemaker-training-toolkit (environment.py, mapping.py, errors.py), …/sagemaker-containers for XGBoost's
image. The script's archive is read from S3 with the job's role.

The toolkits install what requirements.txt names. Here nothing is installed: what the image's packages have in some
version is taken, and a name that they lack fails the job.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws.cloud import Session
from localaws.services.ecr.images import SKLEARN
from localaws.services.sagemaker import base, storage
from localaws.services.sagemaker.containers import ML, Container

PROGRAM, SUBMIT = "sagemaker_program", "sagemaker_submit_directory"
CODE = f"{ML}/code"
PREFIX = "sagemaker_"
MODULES = {SKLEARN: "sagemaker_sklearn_container.training:main"}
XGBOOST_MODULE = "sagemaker_xgboost_container.training:main"
TRACE = 640  # characters of a traceback that a FailureReason has room for, beside the command
NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)")


class NoScript(Exception):  # a reason
    """Why the script cannot run: the job's or the endpoint's."""


@dataclass(frozen=True)
class Script:
    """A team's script: its file, the archive or folder that holds it, the hyperparameters that are its own."""

    program: str
    source: str
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def module(self) -> str:
        return self.program.removesuffix(".py")


def of_job(params: Mapping[str, Any]) -> Script | None:
    """The script of a training job; None for one without."""
    given = {name: parsed(value) for name, value in params.get("HyperParameters", {}).items()}
    variables = params.get("Environment", {})
    program = given.get(PROGRAM) or variables.get(PROGRAM.upper(), "")
    if not program:
        return None
    source = given.get(SUBMIT) or variables.get(SUBMIT.upper(), CODE)
    return Script(str(program), str(source), {name: v for name, v in given.items() if not name.startswith(PREFIX)})


def of_model(environment: Mapping[str, str]) -> Script | None:
    """The script of a model's container, if any; the SDK writes an empty name for a built-in algorithm."""
    program = environment.get(PROGRAM.upper(), "")
    return Script(program, environment.get(SUBMIT.upper()) or CODE) if program else None


def parsed(text: str) -> Any:
    """A hyperparameter as the script gets it: the SDK writes JSON, others may not."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def fetch(script: Script, session: Session | None, ml: Path) -> Path:
    """The folder with the script's files; NoScript where they cannot be had."""
    folder, source = ml / "code", script.source.removeprefix("file://")
    if source.startswith("s3://"):
        if session is None:
            raise NoScript(f"{source} cannot be read with network isolation")
        bucket, key = storage.split(source)
        try:
            content = session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise NoScript(f"{source}: {error.response['Error']['Message']}") from error
        unpack(source, content, folder)
        return folder
    here = ml / source.removeprefix(f"{ML}/")
    if here.is_file():
        unpack(source, here.read_bytes(), folder)
    elif here.is_dir() and here != folder:
        shutil.copytree(here, folder, dirs_exist_ok=True)
    return folder


def unpack(source: str, content: bytes, folder: Path) -> None:
    try:
        storage.unpack(content, folder)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise NoScript(f"{source} is not a tar.gz archive: {error}") from error


def check_requirements(folder: Path, packages: Sequence[str]) -> str:
    """What the log says of requirements.txt; NoScript for a package that the image's stand-in lacks."""
    file = folder / "requirements.txt"
    if not file.is_file():
        return ""
    known = {name.lower().replace("_", "-") for name in packages}
    lines = [line.split("#", 1)[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    wanted = [found[1].lower().replace("_", "-") for line in lines if (found := NAME.match(line))]
    if absent := sorted(set(wanted) - known):
        raise NoScript(
            f"requirements.txt names {', '.join(absent)}, which the rehearsal does not install. On SageMaker pip "
            "would: name them in rehearsal-images.yaml"
        )
    return f"requirements.txt: {', '.join(wanted)} are taken as they are installed; nothing is installed here\n"


def command(script: Script, image: str, folder: Path) -> list[str]:
    """How the toolkit runs the script: a module, a file or a command of the folder, with its hyperparameters."""
    given = arguments(script.own)
    if (folder / "setup.py").exists() or (image != SKLEARN and script.program.endswith(".py")):
        return ["python3", "-m", script.module, *given]
    if script.program.endswith(".py"):
        return ["python3", script.program, *given]
    return ["/bin/sh", "-c", shlex.join([f"./{script.program}", *given])]


def arguments(own: Mapping[str, Any]) -> list[str]:
    """Hyperparameters as a command line: --rate 0.1 -n 3."""
    found = []
    for name, value in sorted(own.items()):
        if isinstance(value, dict):
            value = ",".join(f"{key}={item}" for key, item in sorted(value.items()))
        found += [f"--{name}" if len(name) > 1 else f"-{name}", "" if value is None else str(value)]
    return found


def variables(script: Script, image: str, shown: Mapping[str, Any], channels: Mapping[str, Any]) -> dict[str, str]:
    """The SM_* variables of a training script."""
    framework = {
        name: parsed(value)
        for name, value in shown.get("HyperParameters", {}).items()
        if name.startswith(PREFIX) and name not in {PROGRAM, SUBMIT, "sagemaker_region", "sagemaker_job_name"}
    }
    instance = shown["ResourceConfig"]["InstanceType"]
    host = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
    places: dict[str, Any] = {
        "input_dir": f"{ML}/input",
        "input_config_dir": f"{ML}/input/config",
        "output_dir": f"{ML}/output",
        "output_data_dir": f"{ML}/output/data",
        "output_intermediate_dir": f"{ML}/output/intermediate",
        "model_dir": f"{ML}/model",
    }
    values: dict[str, Any] = {
        **places,
        **{name: host[name] for name in ("current_host", "hosts", "network_interface_name")},
        "hps": script.own,
        "user_entry_point": script.program,
        "framework_params": framework,
        "framework_module": MODULES.get(image, XGBOOST_MODULE),
        "resource_config": host,
        "input_data_config": channels,
        "channels": sorted(channels),
        "current_instance_type": instance,
        "current_instance_group": "homogeneousCluster",
        "module_name": script.module,
        "module_dir": script.source,
        "log_level": 20,
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": 0,
        "num_neurons": 0,
        "user_args": arguments(script.own),
        **{f"channel_{name}": f"{ML}/input/data/{name}" for name in channels},
        **{f"hp_{name}": value for name, value in script.own.items()},
    }
    environment = {
        "hyperparameters": script.own,
        "channel_input_dirs": {name: f"{ML}/input/data/{name}" for name in channels},
        "job_name": shown["TrainingJobName"],
        "module_name": script.module,
        "user_entry_point": script.program,
        **places,
    }
    found = {f"SM_{name.upper()}": written(value) for name, value in values.items()}
    return {**found, "SM_TRAINING_ENV": written(environment), "PYTHONPATH": CODE}


def written(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def failure(command: Sequence[str], image: str, status: int, output: str) -> str:
    """What the toolkit leaves in /opt/ml/output/failure, with the end of the log: the script's own traceback."""
    text = end_of(output)
    line = " ".join(command)[: TRACE // 4]
    if image == SKLEARN:
        return f'ExecuteUserScriptError:\nExitCode {status}\nErrorMessage "{text}"\nCommand "{line}"'
    return f'ExecuteUserScriptError:\nCommand "{line}"\n{text}'


def train(script: Script, container: Container, shown: Mapping[str, Any]) -> tuple[str, int]:
    """What the script printed, and its exit status; NoScript where it cannot be had. A failure is left in its file."""
    ml = container.ml
    for name in ("model", "code", "output/data", "input/data"):
        (ml / name).mkdir(parents=True, exist_ok=True)
    channels = json.loads((ml / "input" / "config" / "inputdataconfig.json").read_text(encoding="utf-8"))
    container.variables = {
        "TRAINING_JOB_NAME": shown["TrainingJobName"],
        **variables(script, container.image, shown, channels),
        **shown.get("Environment", {}),
    }
    folder = fetch(script, container.session, ml)
    said = check_requirements(folder, container.packages)
    line = command(script, container.image, folder)
    output, status = container.run(line, shown["StoppingCondition"].get("MaxRuntimeInSeconds", 86_400), CODE)
    if status:
        (ml / "output" / "failure").write_text(failure(line, container.image, status, output), encoding="utf-8")
    return f"{said}Invoking user script\n{shlex.join(line)}\n{output}", status


def train_own(container: Container, shown: Mapping[str, Any]) -> tuple[str, int]:
    """What a team's own image printed, run with `train`, and its exit status."""
    for name in ("model", "output/data", "input/data"):
        (container.ml / name).mkdir(parents=True, exist_ok=True)
    names = {"TRAINING_JOB_NAME": shown["TrainingJobName"], "TRAINING_JOB_ARN": shown["TrainingJobArn"]}
    container.variables = {**names, **shown.get("Environment", {})}
    seconds = shown["StoppingCondition"].get("MaxRuntimeInSeconds", 86_400)
    output, status = container.run(container.entry("train"), seconds)
    file = container.ml / "output" / "failure"
    if status and not file.exists():
        file.write_text(end_of(output), encoding="utf-8")
    return output, status


def end_of(output: str) -> str:
    """The traceback in which a log ends, or its last lines, as far as a FailureReason has room for them."""
    lines = output.rstrip().splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    return "\n".join(lines[starts[-1] :] if starts else lines[-10:])[-TRACE:]


def metrics(output: str, definitions: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """The last value of each metric in the log: the first group of its expression (API Reference,
    "MetricDefinition"); one that the log does not show is left out."""
    moment, found = base.now(), []
    for definition in definitions:
        matches = [match for match in re.finditer(definition["Regex"], output, re.MULTILINE) if match.groups()]
        if matches:
            with suppress(ValueError):
                value = float(matches[-1].group(1))
                found.append({"MetricName": definition["Name"], "Value": value, "Timestamp": moment})
    return found
