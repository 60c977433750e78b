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
from typing import Any

from botocore import xform_name

from tests.support import ROOT

FLOOR = "1.35.2"
PYTHON = (3, 11)  # of amazonlinux-x86_64-standard:5.0; the Lambda image has 3.13
KNOWN = Path(__file__).parent / "botocore.json"
SERVICES = (
    "cloudformation", "codepipeline", "ecr", "kms", "organizations", "pricing", "s3", "sagemaker", "sagemaker-runtime",
    "ssm", "sts",
)  # fmt: skip
Members = Mapping[
    str, list[list[str]]
]  # by the client's method: those of each service that has it; within one: ".Name"
ANY = ".*"  # what a map within a member takes


def requests(text: str, methods: frozenset[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Each request in a module: line, method, keywords. A paginator's are those of its operation.

    methods: that a client of any service has now. A method that is only named, to be called later, or as getattr's
    second argument, is a request without keywords. Keywords in a dict (**more) are read where the module writes it.
    """
    tree = ast.parse(text, feature_version=PYTHON)
    called = {id(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in methods and id(node) not in called:
            yield node.lineno, node.attr, []
        if not isinstance(node, ast.Call):
            continue
        method = called_method(node)
        if method in methods:
            names = [name for keyword in node.keywords for name in (*names_of(keyword, tree), *within(keyword))]
            yield node.lineno, method, names


def called_method(call: ast.Call) -> str:
    """The name of what is called, named by getattr, or asked for page by page; "" for anything else."""
    texts = [str(one.value) for one in call.args if isinstance(one, ast.Constant)]
    if isinstance(call.func, ast.Name):
        return next(iter(texts), "") if call.func.id == "getattr" else ""
    if not isinstance(call.func, ast.Attribute):
        return ""
    if call.func.attr == "paginate" and isinstance(call.func.value, ast.Call):
        return next((str(one.value) for one in call.func.value.args if isinstance(one, ast.Constant)), "")
    return call.func.attr


def names_of(keyword: ast.keyword, tree: ast.Module) -> list[str]:
    """The keyword's name; for **more, the keys that the module gives the dict, or one of its name."""
    if keyword.arg:
        return [keyword.arg]
    if not isinstance(keyword.value, ast.Name):
        return keys_of(keyword.value)
    name, found = keyword.value.id, list[str]()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name) and target.id == name:
                found += keys_of(node.value)
            elif isinstance(target, ast.Subscript) and ast.unparse(target.value) == name:
                found += [str(target.slice.value)] if isinstance(target.slice, ast.Constant) else []
    return found


def within(keyword: ast.keyword) -> list[str]:
    """The constant keys of the dicts that a keyword's value writes out, each as ".Name"; of a call's answer none."""
    value, written = keyword.value, list[ast.Dict]()
    waiting: list[ast.AST] = [value] if keyword.arg else list(getattr(value, "values", []))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Dict):
            written.append(node)
        if isinstance(node, ast.Dict | ast.List | ast.Tuple | ast.IfExp | ast.ListComp):
            waiting += ast.iter_child_nodes(node)
    return [f".{key}" for one in written for key in keys_of(one)]


def keys_of(value: ast.AST) -> list[str]:
    """The constant keys of a dict that is written out: {…}, {…} if x else {…}, dict(A=1)."""
    if isinstance(value, ast.IfExp):
        return [*keys_of(value.body), *keys_of(value.orelse)]
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "dict":
        return [keyword.arg for keyword in value.keywords if keyword.arg]
    keys = value.keys if isinstance(value, ast.Dict) else []
    return [str(key.value) for key in keys if isinstance(key, ast.Constant)]


def problems(texts: Mapping[str, str], known: Members, methods: frozenset[str]) -> Iterator[str]:
    """What the floor's botocore lacks. texts: of the modules, by name"""
    for name, text in texts.items():
        for line, method, keywords in requests(text, methods):
            services = known.get(method)
            if services is None:
                yield f"{name}, line {line}: {method} is not known to be in botocore {FLOOR} (botocore.json)"
            elif not any(has(members, keywords) for members in services):
                missing = sorted(set(keywords) - {member for members in services for member in members})
                yield f"{name}, line {line}: {method} has no {', '.join(missing)} in botocore {FLOOR}"


def has(members: list[str], keywords: list[str]) -> bool:
    """Whether a service's operation takes these names; below a map any is taken."""
    return all(name in members or (name.startswith(".") and ANY in members) for name in keywords)


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
                beneath = set[str]()
                for member in shape.get("members", {}).values():
                    add_beneath(model["shapes"], member["shape"], beneath, set())
                found.setdefault(method, []).append([*sorted(shape.get("members", {})), *sorted(beneath)])
    return dict(sorted(found.items()))


def add_beneath(shapes: Mapping[str, Any], name: str, found: set[str], seen: set[str]) -> None:
    """Add the names within a shape, at any depth."""
    if name in seen:
        return
    seen.add(name)
    shape = shapes[name]
    if shape["type"] == "map":
        found.add(ANY)
    found |= {f".{member}" for member in shape.get("members", {})}
    inner = [*shape.get("members", {}).values(), *(shape[key] for key in ("member", "value") if key in shape)]
    for one in inner:
        add_beneath(shapes, one["shape"], found, seen)


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
