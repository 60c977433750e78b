"""What the pipeline's steps ask of the image of their builds: its Python, and a boto3 that knows every request.

The images install the newest boto3 of the day on which they were built, which no page states. So the steps hold to a
floor that is older than any image that they name: botocore 1.35.2 of August 2024, the first whose PutObject takes
IfNoneMatch (boto/botocore, CHANGELOG.rst); the image for Lambda's Python 3.13 cannot be older than that Python
(October 2024). botocore.json holds the members of each operation in that version. A new operation is added by

    pip install --target FOLDER --no-deps botocore==1.35.2
    python -m tests.judges.build_image FOLDER
"""

from __future__ import annotations

import ast
import gzip
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from botocore import xform_name

from tests.support import ROOT

FLOOR = "1.35.2"
PYTHON = (3, 11)  # of amazonlinux-x86_64-standard:5.0; the Lambda image has 3.13
KNOWN = Path(__file__).parent / "botocore.json"
SERVICES = (
    "cloudformation", "codepipeline", "ecr", "kms", "organizations", "pricing", "s3", "sagemaker", "sagemaker-runtime",
    "ssm", "sts",
)  # fmt: skip
Members = Mapping[str, list[list[str]]]  # by the client's method: those of each service that has it


def requests(text: str, methods: frozenset[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Each request in a module: line, method, keywords. A paginator's are those of its operation.

    methods: that a client of any service has now
    """
    for call in ast.walk(ast.parse(text, feature_version=PYTHON)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        method, made_by = call.func.attr, call.func.value
        if method == "paginate" and isinstance(made_by, ast.Call):
            method = next((str(one.value) for one in made_by.args if isinstance(one, ast.Constant)), method)
        if method in methods:
            yield call.lineno, method, [keyword.arg for keyword in call.keywords if keyword.arg]


def problems(texts: Mapping[str, str], known: Members, methods: frozenset[str]) -> Iterator[str]:
    """What the floor's botocore lacks. texts: of the modules, by name"""
    for name, text in texts.items():
        for line, method, keywords in requests(text, methods):
            services = known.get(method)
            if services is None:
                yield f"{name}, line {line}: {method} is not known to be in botocore {FLOOR} (botocore.json)"
            elif not any(set(keywords) <= set(members) for members in services):
                missing = sorted(set(keywords) - {member for members in services for member in members})
                yield f"{name}, line {line}: {method} has no {', '.join(missing)} in botocore {FLOOR}"


def modules() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "pipeline").glob("*.py"))}


def members(folder: Path, wanted: set[str]) -> dict[str, list[list[str]]]:
    """Of the wanted methods, the members in the botocore that is installed in the folder."""
    found: dict[str, list[list[str]]] = {}
    for service in SERVICES:
        newest = max((folder / "botocore/data" / service).iterdir())
        model = json.loads(gzip.decompress((newest / "service-2.json.gz").read_bytes()))
        for name, operation in model["operations"].items():
            if (method := xform_name(name)) in wanted:
                shape = model["shapes"][operation["input"]["shape"]] if "input" in operation else {}
                found.setdefault(method, []).append(sorted(shape.get("members", {})))
    return dict(sorted(found.items()))


def methods_now() -> frozenset[str]:
    """The methods of the services' clients in the botocore that runs."""
    import botocore.session  # heavy: for this question alone

    session = botocore.session.Session()
    names = (name for service in SERVICES for name in session.get_service_model(service).operation_names)
    return frozenset(map(xform_name, names))


if __name__ == "__main__":
    methods = methods_now()
    asked = {method for text in modules().values() for _, method, _ in requests(text, methods)}
    KNOWN.write_text(json.dumps(members(Path(sys.argv[1]), asked), indent=1) + "\n", encoding="utf-8")
