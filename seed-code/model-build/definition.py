"""The training pipeline as SageMaker takes it, made from project.toml.

short: train, register. full: preprocess, train, evaluate, register. Where a metric has a bound, a condition stands
before register, and what does not reach it is refused with its figures. Names and a project in, definition out;
nothing here talks to AWS. The form of a definition: SageMaker Developer Guide, "Pipelines steps", "Pass Data Between
Steps"; hyperparameters: "XGBoost hyperparameters", "Using Scikit-learn with the SageMaker Python SDK".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from card import content
from project import Project
from steps.baseline import named
from steps.metrics import GROUPS, READ_AS, monitored_as

# never `latest`: that alias is years old
# What SageMaker takes as an image; without a registry, the project's own.
ECR_IMAGE = re.compile(
    r"((?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/)?(?P<repository>[a-z0-9][a-z0-9._/-]*)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]*))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)
IMAGES = {"xgboost": "sagemaker-xgboost:3.0-5", "sklearn": "sagemaker-scikit-learn:1.9-0-cpu-py3"}
# The accounts that hold SageMaker's own images ("Docker Registry Paths and Example Code").
IMAGE_ACCOUNTS = {
    "af-south-1": "510948584623", "ap-east-1": "651117190479", "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698", "ap-northeast-3": "867004704886", "ap-south-1": "720646828776",
    "ap-south-2": "628508329040", "ap-southeast-1": "121021644041", "ap-southeast-2": "783357654285",
    "ap-southeast-3": "951798379941", "ap-southeast-4": "106583098589", "ca-central-1": "341280168497",
    "ca-west-1": "190319476487", "eu-central-1": "492215442770", "eu-central-2": "680994064768",
    "eu-north-1": "662702820516", "eu-south-1": "978288397137", "eu-south-2": "104374241257",
    "eu-west-1": "141502667606", "eu-west-2": "764974769150", "eu-west-3": "659782779980",
    "il-central-1": "898809789911", "me-central-1": "272398656194", "me-south-1": "801668240914",
    "sa-east-1": "737474898029", "us-east-1": "683313688378", "us-east-2": "257758044811",
    "us-west-1": "746614075791", "us-west-2": "246618743249",
}  # fmt: skip
PROCESSING = "/opt/ml/processing"
PARTS = ("train", "validation", "test")
VOLUME = 10  # GB
LONGEST = 3600  # seconds of one job
LESS_OR_MORE = {"maximize": ("GreaterThanOrEqualTo", "at least"), "minimize": ("LessThanOrEqualTo", "at most")}


@dataclass(frozen=True)
class Names:
    """What differs from project to project.

    model_group: the project's model group, named as the project
    bucket: where data and models lie; key: the ARN of its key or alias, which the accounts that
        serve the model may use (a model encrypted with the account's own S3 key cannot be shared)
    role: the ARN of the role that reads the data and writes the model
    data_hash, code_hash: of this data and of these steps, which lie under them
    on_push: of the build on a push, which has a pipeline and folders of its own
    """

    project: str
    project_id: str
    model_group: str
    account: str
    region: str
    bucket: str
    key: str
    role: str
    data_hash: str
    code_hash: str
    on_push: bool = False

    @property
    def pipeline(self) -> str:
        return f"{self.project}-{self.project_id}-{'on-push' if self.on_push else 'train'}"

    def folder(self, kind: str) -> str:
        """The S3 prefix of data or models; the build on a push may write into its own alone."""
        return f"s3://{self.bucket}/{self.project}-{self.project_id}/{kind}" + ("/on-push" if self.on_push else "")

    @property
    def data(self) -> str:
        """The S3 prefix of this data."""
        return f"{self.folder('data')}/{self.data_hash}"

    @property
    def code(self) -> str:
        """The S3 prefix of these steps."""
        return f"{self.folder('data')}/code/{self.code_hash}"


def names(
    project: str,
    project_id: str,
    account: str,
    region: str,
    role: str,
    data_hash: str,
    code_hash: str = "none",
    on_push: bool = False,
) -> Names:
    """The names that the kit gives."""
    return Names(
        project=project,
        project_id=project_id,
        model_group=project,
        account=account,
        region=region,
        bucket=f"sagemaker-multi-account-models-{account}-{region}",
        key=f"arn:aws:kms:{region}:{account}:alias/sagemaker-multi-account-models",
        role=role,
        data_hash=data_hash,
        code_hash=code_hash,
        on_push=on_push,
    )


def image(region: str, framework: str = "xgboost") -> str:
    """SageMaker's image of the framework in the Region; KeyError where SageMaker has none."""
    return f"{IMAGE_ACCOUNTS[region]}.dkr.ecr.{region}.amazonaws.com/{IMAGES[framework]}"


def image_of(account: str, region: str, project: Project) -> str:
    """The image that trains and serves the model. account: the project's"""
    if project.framework in IMAGES:
        return image(region, project.framework)
    own = f"{account}.dkr.ecr.{region}.amazonaws.com/"
    return project.image if project.image.partition("/")[0].endswith(".amazonaws.com") else own + project.image


def definition(these: Names, project: Project) -> dict[str, Any]:
    """The pipeline's definition."""
    full = project.pipeline == "full"
    last = bounded(these, project) if project.bounds else register_step(these, project)
    jobs = [preprocess_step(these, project)] if full else []
    jobs.append(training_step(these, project))
    jobs += [evaluate_step(these, project)] if full else []
    defaults: dict[str, str | int] = {
        "TrainingInstanceType": project.training_instance,
        "TrainingInstanceCount": 1,
        "DataUrl": these.data,
        "ModelApprovalStatus": "PendingManualApproval",
        "DataHash": "none",
        "Commit": "none",
        "Author": "none",
        "CapturedData": "none",  # where the requests are whose drift started this, s3://…
        **({"ProcessingInstanceType": project.processing_instance, "CodeUrl": these.code} if full else {}),
    }
    return {
        "Version": "2020-12-01",
        "Parameters": [
            {"Name": name, "Type": "Integer" if isinstance(value, int) else "String", "DefaultValue": value}
            for name, value in defaults.items()
        ],
        "Steps": [*jobs, last],
    }


# -- jobs --------------------------------------------------------------------------------------


def join(*values: Any, on: str = "") -> dict[str, Any]:
    return {"Std:Join": {"On": on, "Values": list(values)}}


def get(path: str) -> dict[str, str]:
    return {"Get": path}


def training_step(these: Names, project: Project) -> dict[str, Any]:
    hyperparameters: dict[str, Any] = {name: str(value) for name, value in project.hyperparameters.items()}
    algorithm: dict[str, Any] = {
        "TrainingImage": image_of(these.account, these.region, project),
        "TrainingInputMode": "File",
    }
    if project.framework == "sklearn":  # script mode: the toolkit fetches the steps and starts train.py
        values = {name: json.dumps(value) for name, value in project.hyperparameters.items()}
        hyperparameters = {
            **values,
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": join(get("Parameters.CodeUrl"), "sourcedir.tar.gz", on="/"),
            "sagemaker_region": these.region,
        }
        metric = "validation:r2" if project.task == "regression" else "validation:accuracy"
        algorithm["MetricDefinitions"] = [{"Name": metric, "Regex": metric + "=([-0-9.e]+);"}]
    if project.framework == "container":
        metrics = project.metrics.items()
        algorithm["MetricDefinitions"] = [{"Name": name, "Regex": metric["regex"]} for name, metric in metrics]
    return {
        "Name": "Train",
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": algorithm,
            "RoleArn": these.role,
            "HyperParameters": hyperparameters,
            "InputDataConfig": [channel("train", project), channel("validation", project)],
            "OutputDataConfig": {
                "S3OutputPath": these.folder("models"),
                "KmsKeyId": these.key,
            },
            "ResourceConfig": {
                "InstanceType": get("Parameters.TrainingInstanceType"),
                "InstanceCount": get("Parameters.TrainingInstanceCount"),
                "VolumeSizeInGB": VOLUME,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": LONGEST},
        },
    }


def channel(name: str, project: Project) -> dict[str, Any]:
    """One input channel: CSV files with the label in the first column, no header."""
    split_here = join(get("Parameters.DataUrl"), name, "", on="/")  # by start.py
    source = output_of("Preprocess", name) if project.pipeline == "full" else split_here
    return {
        "ChannelName": name,
        "ContentType": "text/csv",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": source,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


def output_of(step: str, name: str) -> dict[str, str]:
    return get(f"Steps.{step}.ProcessingOutputConfig.Outputs['{name}'].S3Output.S3Uri")


def preprocess_step(these: Names, project: Project) -> dict[str, Any]:
    data = join(get("Parameters.DataUrl"), "raw", "", on="/")
    step = processing_step(these, project, "preprocess", {"data": data}, PARTS)
    step["Arguments"]["Environment"] = {"CAPTURED_DATA": get("Parameters.CapturedData")}
    return step


def evaluate_step(these: Names, project: Project) -> dict[str, Any]:
    inputs = {"model": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}
    inputs |= {name: output_of("Preprocess", name) for name in ("test", "train")}
    step = processing_step(these, project, "evaluate", inputs, ("evaluation", "baseline"))
    written = {"PropertyFileName": "Evaluation", "OutputName": "evaluation", "FilePath": "evaluation.json"}
    return {**step, "PropertyFiles": [written]}


def processing_step(
    these: Names, project: Project, script: str, inputs: dict[str, Any], outputs: tuple[str, ...]
) -> dict[str, Any]:
    """A job that runs a script of steps/ in the framework's image. A baseline goes to the models, which are shared."""
    sources = {"code": join(get("Parameters.CodeUrl"), "files", "", on="/"), **inputs}
    runs, execution = f"{these.folder('data')}/runs", get("Execution.PipelineExecutionId")
    places = {name: join(runs, execution, name, on="/") for name in outputs}
    places["baseline"] = join(f"{these.folder('models')}/baselines", execution, on="/")
    return {
        "Name": script.capitalize(),
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {
                "ImageUri": image_of(these.account, these.region, project),
                "ContainerEntrypoint": ["python3", f"{PROCESSING}/input/code/{script}.py"],
            },
            "RoleArn": these.role,
            "ProcessingInputs": [
                {
                    "InputName": name,
                    "S3Input": {
                        "S3Uri": source,
                        "LocalPath": f"{PROCESSING}/input/{name}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                        "S3DataDistributionType": "FullyReplicated",
                    },
                }
                for name, source in sources.items()
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": name,
                        "S3Output": {
                            "S3Uri": places[name],
                            "LocalPath": f"{PROCESSING}/output/{name}",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                    for name in outputs
                ],
                "KmsKeyId": these.key,
            },
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceType": get("Parameters.ProcessingInstanceType"),
                    "InstanceCount": 1,
                    "VolumeSizeInGB": VOLUME,
                }
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": LONGEST},
        },
    }


# -- what is registered, and what is refused ---------------------------------------------------


def measured(name: str, project: Project) -> dict[str, Any]:
    """The value of a metric: of the evaluation, or in a short pipeline of the training."""
    if project.pipeline == "short":
        return get(f"Steps.Train.FinalMetricDataList['{name}'].Value")
    file = get("Steps.Evaluate.PropertyFiles.Evaluation")
    return {"Std:JsonGet": {"PropertyFile": file, "Path": f"{GROUPS[project.task]}.{name}.value"}}


def bounded(these: Names, project: Project) -> dict[str, Any]:
    """The condition in front of register: every metric is within its bound."""
    conditions: list[dict[str, Any]] = []
    said: list[Any] = []
    for name, (goal, bound) in project.bounds.items():
        kind, words = LESS_OR_MORE[goal]
        value = measured(name, project)
        conditions.append({"Type": kind, "LeftValue": value, "RightValue": bound})
        said += [f"{'; ' if said else ''}{name} is ", value, f", its bound is {words} {bound:g}"]
    why = join("Not registered, since a bound of project.toml is not reached: ", *said)
    return {
        "Name": "Bounds",
        "Type": "Condition",
        "Arguments": {
            "Conditions": conditions,
            "IfSteps": [register_step(these, project)],
            "ElseSteps": [{"Name": "Refused", "Type": "Fail", "Arguments": {"ErrorMessage": why}}],
        },
    }


def baseline_files(folder: str) -> dict[str, Any]:
    """The two files of a baseline, in a folder of what the evaluation writes."""
    place = output_of("Evaluate", "baseline")
    return {
        name.capitalize(): {"ContentType": "application/json", "S3Uri": join(place, f"{folder}{name}.json", on="/")}
        for name in ("constraints", "statistics")
    }


def register_step(these: Names, project: Project) -> dict[str, Any]:
    image, artifact = image_of(these.account, these.region, project), get("Steps.Train.ModelArtifacts.S3ModelArtifacts")
    container: dict[str, Any] = {"Image": image, "ModelDataUrl": artifact}
    environment = dict(project.environment)
    if project.framework == "sklearn":
        # train.py puts the code into the model
        environment |= {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    if environment:
        container["Environment"] = environment
    metrics = {name: measured(name, project) for name in project.metrics}
    filled = {
        "author": get("Parameters.Author"),
        "artifact": artifact,
        "training": get("Steps.Train.TrainingJobArn"),
        "data": get("Parameters.DataUrl"),
        "data-hash": get("Parameters.DataHash"),
        "commit": get("Parameters.Commit"),
    }
    card = join(*content(project, image, metrics, filled))
    types = ["text/csv"] if project.framework == "xgboost" else ["text/csv", "application/json"]
    arguments: dict[str, Any] = {
        "ModelPackageGroupName": these.model_group,
        "ModelPackageDescription": project.description,
        "ModelApprovalStatus": get("Parameters.ModelApprovalStatus"),
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": types,
            "SupportedResponseMIMETypes": ["text/csv", "application/json"],
            "SupportedRealtimeInferenceInstanceTypes": list(project.serving_instances),
            "SupportedTransformInstanceTypes": [project.training_instance],
        },
        "CustomerMetadataProperties": {
            **{name: join(value) for name, value in metrics.items()},
            "model": project.name,  # the golden payloads of the deploy repository name it too
            **({"columns": str(len(project.features))} if project.framework == "xgboost" else {}),  # of a row in CSV
            "training-job": get("Steps.Train.TrainingJobName"),
            **{name: filled[name] for name in ("data", "data-hash", "commit", "author")},
            "captured-data": get("Parameters.CapturedData"),
        },
        "ModelCard": {"ModelCardContent": card, "ModelCardStatus": "Draft"},
    }
    if project.pipeline == "full":
        written = join(output_of("Evaluate", "evaluation"), "evaluation.json", on="/")
        quality = {"Statistics": {"ContentType": "application/json", "S3Uri": written}}
        arguments["ModelMetrics"] = {"ModelQuality": quality}
        arguments["DriftCheckBaselines"] = {"ModelDataQuality": baseline_files("")}
        arguments["CustomerMetadataProperties"]["baseline-columns"] = named(project.features)
        if project.hyperparameters.get("objective") != "multi:softprob":  # whose answer is no class
            arguments["DriftCheckBaselines"]["ModelQuality"] = baseline_files("quality/")
            read_as = READ_AS[monitored_as(project.framework, project.task)]
            arguments["CustomerMetadataProperties"]["quality-answers"] = read_as
    return {"Name": "Register", "Type": "RegisterModel", "Arguments": arguments}
