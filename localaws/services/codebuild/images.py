"""The build images and machines that CodeBuild has, and the language runtimes that its images carry.

AWS CodeBuild User Guide, "EC2 compute images", "Lambda compute images", "Deprecated CodeBuild
images", "Available runtimes", "Build environment compute modes and types"; the runtimes of each
image as its definition (runtimes.yml) lists them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from awslang.errors import NotSupported
from localaws.cloud import refuse_unless

Runtimes = Mapping[str, tuple[str, ...]]

_AMAZON_LINUX_2023: Runtimes = {
    "python": ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14"),
    "nodejs": ("18", "20", "22", "24"),
    "java": ("corretto8", "corretto11", "corretto17", "corretto21", "corretto25"),
    "golang": ("1.20", "1.21", "1.22", "1.23", "1.24", "1.25", "1.26"),
    "ruby": ("3.1", "3.2", "3.3", "3.4", "4.0"),
    "php": ("8.2", "8.3", "8.4", "8.5"),
    "dotnet": ("6.0", "8.0", "10.0"),
}
_NEWEST: Runtimes = {
    "python": ("3.10", "3.11", "3.12", "3.13", "3.14"),
    "nodejs": ("22", "24"),
    "java": ("corretto8", "corretto11", "corretto17", "corretto21", "corretto25"),
    "golang": ("1.24", "1.25", "1.26"),
    "rust": ("1.93",),
    "ruby": ("3.3", "3.4", "4.0"),
    "php": ("8.2", "8.3", "8.4", "8.5"),
    "dotnet": ("8.0", "10.0"),
}
# Images that AWS maintains: (environment types, runtimes); None where their runtimes are not known here.
_X86, _ARM = ("LINUX_CONTAINER", "LINUX_GPU_CONTAINER", "LINUX_EC2"), ("ARM_CONTAINER", "ARM_EC2")
_LAMBDA = {"x86_64": ("LINUX_LAMBDA_CONTAINER",), "aarch64": ("ARM_LAMBDA_CONTAINER",)}
_LAMBDA_RUNTIMES = (
    "corretto11", "corretto17", "corretto21", "dotnet6", "dotnet8", "go1.21", "go1.24", "nodejs18", "nodejs20",
    "nodejs22", "python3.11", "python3.12", "python3.13", "ruby3.2", "ruby3.4",
)  # fmt: skip
MAINTAINED: dict[str, tuple[tuple[str, ...], Runtimes | None]] = {
    "amazonlinux-x86_64-standard:4.0": (_X86, None),
    "amazonlinux-x86_64-standard:5.0": (_X86, _AMAZON_LINUX_2023),
    "amazonlinux-x86_64-standard:6.0": (_X86, _NEWEST),
    "amazonlinux-x86_64-standard:corretto8": (_X86, None),
    "amazonlinux-x86_64-standard:corretto11": (_X86, None),
    "amazonlinux-aarch64-standard:2.0": (_ARM, None),
    "amazonlinux-aarch64-standard:3.0": (_ARM, _AMAZON_LINUX_2023),
    "amazonlinux-aarch64-standard:4.0": (_ARM, _NEWEST),
    "standard:5.0": (_X86, None),
    "standard:6.0": (_X86, None),
    "standard:7.0": (_X86, None),
    "standard:8.0": (_X86, _NEWEST),
    **{
        f"amazonlinux-{machine}-lambda-standard:{runtime}": (types, None)
        for machine, types in _LAMBDA.items()
        for runtime in _LAMBDA_RUNTIMES
    },
}
# No longer updated, but they can still be pulled.
DEPRECATED = {
    "standard:1.0": _X86, "standard:2.0": _X86, "standard:3.0": _X86, "standard:4.0": _X86,
    "amazonlinux-x86_64-standard:1.0": _X86, "amazonlinux-x86_64-standard:2.0": _X86,
    "amazonlinux-x86_64-standard:3.0": _X86, "amazonlinux-aarch64-standard:1.0": _ARM,
}  # fmt: skip
COMPUTE = (
    "BUILD_GENERAL1_SMALL", "BUILD_GENERAL1_MEDIUM", "BUILD_GENERAL1_LARGE", "BUILD_GENERAL1_XLARGE",
    "BUILD_GENERAL1_2XLARGE",
)  # fmt: skip
LAMBDA_COMPUTE = tuple(f"BUILD_LAMBDA_{size}GB" for size in (1, 2, 4, 8, 10))
# "Run builds on AWS Lambda compute", Which regions support AWS Lambda compute in CodeBuild?
LAMBDA_REGIONS = {
    "us-east-1", "us-east-2", "us-west-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1",
    "eu-central-1", "eu-west-1", "sa-east-1",
}  # fmt: skip
LAMBDA_MINUTES = 15  # the same page; DescribeProject shows them (go-to-k/cdk-real-drift#1625)
SUPPORTED_TYPES = {
    "LINUX_CONTAINER": COMPUTE,
    "ARM_CONTAINER": COMPUTE,
    "LINUX_GPU_CONTAINER": ("BUILD_GENERAL1_SMALL", "BUILD_GENERAL1_LARGE"),
    "LINUX_LAMBDA_CONTAINER": LAMBDA_COMPUTE,
}
OTHER_TYPES = (
    "WINDOWS_CONTAINER", "WINDOWS_SERVER_2019_CONTAINER", "WINDOWS_SERVER_2022_CONTAINER", "ARM_LAMBDA_CONTAINER",
    "LINUX_EC2", "ARM_EC2", "WINDOWS_EC2", "MAC_ARM",
)  # fmt: skip
DATED = re.compile(r"-[0-9]+(\.[0-9]+)+$")  # a release of an image: standard:7.0-24.10.29
# An image of Docker Hub needs no registry and no user: docker:dind (User Guide, "Docker in custom image sample").
REPOSITORY = re.compile(r"([a-z0-9.\-]+(:[0-9]+)?/)?[a-z0-9._\-]+(/[a-z0-9._\-]+)*([:@][a-zA-Z0-9_.\-:]+)?")


def curated(image: str) -> str:
    """The name of an image of AWS's, without prefix, release and its older alias; "" for any other image."""
    if not image.startswith("aws/codebuild/"):
        return ""
    name = DATED.sub("", image.removeprefix("aws/codebuild/"))
    return name.replace("amazonlinux2-", "amazonlinux-", 1)


def runtimes(image: str) -> Runtimes | None:
    """The language runtimes of an image; None where they are not known."""
    return MAINTAINED.get(curated(image), ((), None))[1]


def is_amazon_linux(image: str) -> bool:
    """True where /bin/sh is bash (Amazon Linux); Ubuntu's is dash."""
    return curated(image).startswith("amazonlinux-")


def is_lambda(environment: Mapping[str, Any]) -> bool:
    return str(environment["type"]).endswith("_LAMBDA_CONTAINER")


def programs_of(image: str) -> tuple[str, ...]:
    """The names of an image's Python. AWS's sample for Lambda compute has `python3`; `python` is not documented."""
    if "-lambda-standard:" not in curated(image):
        return ("python", "python3")
    runtime = curated(image).rpartition(":")[2]
    return ("python3", runtime) if runtime.startswith("python") else ("python3",)


def check_environment(environment: Mapping[str, Any]) -> None:
    """InvalidInputException where a project's environment is one that CodeBuild does not have."""
    kind, compute, image = environment["type"], environment["computeType"], environment["image"]
    if kind in OTHER_TYPES:
        raise NotSupported(f"a CodeBuild environment of type {kind}")
    code = "InvalidInputException"
    refuse_unless(kind in SUPPORTED_TYPES, code, f"Invalid environment type: {kind}")
    refuse_unless(
        compute in SUPPORTED_TYPES[kind],
        code,
        f"Compute type {compute} is not available for environment type {kind}: {', '.join(SUPPORTED_TYPES[kind])}",
    )
    name = curated(image)
    credentials = environment.get("imagePullCredentialsType", "CODEBUILD")
    if not name:
        refuse_unless(REPOSITORY.fullmatch(image), code, f"Invalid image: {image}")
        return
    types = MAINTAINED[name][0] if name in MAINTAINED else DEPRECATED.get(name)
    known = ", ".join(f"aws/codebuild/{known}" for known in MAINTAINED)
    refuse_unless(types, code, f"Invalid image: CodeBuild has no image {image}. It maintains {known}")
    refuse_unless(kind in (types or ()), code, f"The image {image} does not run in environment type {kind}")
    refuse_unless(
        credentials == "CODEBUILD",
        code,
        "Cannot use a CodeBuild curated image with imagePullCredentialsType SERVICE_ROLE",
    )


def select_runtime(image: str, name: str, version: str) -> str:
    """The version that a buildspec's `runtime-versions` entry stands for; ValueError as CodeBuild words it."""
    known = runtimes(image)
    if known is None:
        return version
    if name not in known:
        raise ValueError(f"Unknown runtime named '{name}'. This build image has the following runtimes: "
                         f"{', '.join(sorted(known))}")  # fmt: skip
    versions = known[name]
    if version == "latest":
        return versions[-1]
    if version.endswith(".x"):
        matching = [found for found in versions if found.split(".")[0] == version.removesuffix(".x")]
        version = matching[-1] if matching else version
    if version not in versions:
        raise ValueError(
            f"Unknown runtime version named '{version}' of {name}. "
            f"This build image has the following versions: {', '.join(versions)}"
        )
    return version
