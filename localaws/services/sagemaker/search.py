"""Search (SageMaker API Reference, "Search", "SearchExpression", "Filter", "NestedFilters", "SearchRecord").

A record has what the resource's Describe operation shows, as far as SearchRecord has it, and the tags. Property names
and their types are those of SearchRecord in botocore's model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from moto.core.utils import get_service_model

from awslang.bounded import is_number
from awslang.errors import NotSupported
from localaws.calls import Call
from localaws.services.sagemaker import base, endpoints, models, pipelines, projects, registry, training
from localaws.services.sagemaker.service import sagemaker
from localaws.variants import variants_of

Record = dict[str, Any]
ELEMENTS = 50  # filters, nested filters and subexpressions of one expression
NUMBERS = {"integer", "long", "float", "double"}
ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": lambda found, wanted: bool(found > wanted),
    "GreaterThanOrEqualTo": lambda found, wanted: bool(found >= wanted),
    "LessThan": lambda found, wanted: bool(found < wanted),
    "LessThanOrEqualTo": lambda found, wanted: bool(found <= wanted),
}


@dataclass(frozen=True)
class Kind:
    """A kind of resource that is searched: its ARN's member, and what the account has of it."""

    arn: str
    found: Callable[[Call], Iterable[Record]]


def training_jobs(call: Call) -> Iterable[Record]:
    jobs = call.cloud.state(training.TrainingJobs, call.account, call.region).by_name
    return [job.shown for job in list(jobs.values())]


def all_endpoints(call: Call) -> Iterable[Record]:
    for name in list(endpoints.state(call).by_name):
        yield endpoints.describe_endpoint(replace(call, params={"EndpointName": name})) or {}


def all_models(call: Call) -> Iterable[Record]:
    """With the endpoints that serve them (API Reference, "ModelDashboardModel")."""
    members = shape_of("ModelDashboardEndpoint").members
    running = list(endpoints.state(call).by_name.values())
    for name, model in list(call.cloud.state(models.Models, call.account, call.region).by_name.items()):
        serving = [
            {member: endpoint.shown[member] for member in members if member in endpoint.shown}
            for endpoint in running
            if any(name == variant.get("ModelName") for variant in variants_of(endpoint.fleet.config))
        ]
        yield {"Model": with_tags(call, "Model", model.shown, "ModelArn"), "Endpoints": serving}


def packages(call: Call) -> Iterable[Record]:
    kept = call.cloud.state(registry.Registry, call.account, call.region)
    versions = [version for group in list(kept.groups.values()) for version in list(group.versions.values())]
    return [*versions, *kept.unversioned.values()]


def groups(call: Call) -> Iterable[Record]:
    kept = call.cloud.state(registry.Registry, call.account, call.region)
    return [group.shown for group in list(kept.groups.values())]


def executions(call: Call) -> Iterable[Record]:
    for one in list(pipelines.state(call).executions.values()):
        parameters = [{"Name": name, "Value": str(value)} for name, value in one.parameters.items()]
        yield one.shown | ({"PipelineParameters": parameters} if parameters else {})


def all_projects(call: Call) -> Iterable[Record]:
    for name in list(projects.projects_of(call).by_name):
        yield projects.describe_project(replace(call, params={"ProjectName": name})) or {}


KINDS: dict[str, Kind] = {
    "Endpoint": Kind("EndpointArn", all_endpoints),
    "Model": Kind("", all_models),
    "ModelPackage": Kind("ModelPackageArn", packages),
    "ModelPackageGroup": Kind("ModelPackageGroupArn", groups),
    "Pipeline": Kind("PipelineArn", lambda call: list(pipelines.state(call).by_name.values())),
    "PipelineExecution": Kind("PipelineExecutionArn", executions),
    "Project": Kind("ProjectArn", all_projects),
    "TrainingJob": Kind("TrainingJobArn", training_jobs),
}


def shape_of(name: str) -> Any:
    return get_service_model("sagemaker").shape_for(name)


def with_tags(call: Call, shape: str, shown: Mapping[str, Any], arn: str) -> Record:
    """The members that the shape has, and the resource's tags."""
    members = shape_of(shape).members
    record = {name: value for name, value in shown.items() if name in members}
    tags = base.tags_of(call.cloud, shown[arn]) if "Tags" in members else {}
    return record | ({"Tags": base.as_list(tags)} if tags else {})


@sagemaker.operation("Search")
def search(call: Call) -> dict[str, Any]:
    params, name = call.params, call.params["Resource"]
    if name not in KINDS:
        raise NotSupported(f"sagemaker:Search of {name}")
    if params.get("CrossAccountFilterOption", "SameAccount") != "SameAccount":
        raise NotSupported("sagemaker:Search with CrossAccountFilterOption CrossAccount")
    kind = KINDS[name]
    expression = params.get("SearchExpression")
    query = Query(shape_of("SearchRecord").members[name])
    if expression is not None:
        query.check(expression)
    if "SortBy" in params:
        query.shape_at(params["SortBy"])
    shape = "ModelDashboardModel" if name == "Model" else name
    records = [with_tags(call, shape, shown, kind.arn) for shown in kind.found(call)]
    kept = [record for record in records if visible(record, params.get("VisibilityConditions", []))]
    if expression is not None:
        kept = [record for record in kept if query.holds(expression, record)]
    found = in_order(kept, params.get("SortBy"), params.get("SortOrder", "Descending") == "Descending")
    answer = base.page([{name: record} for record in found], params, "Results")
    return answer | {"TotalHits": {"Value": len(found), "Relation": "EqualTo"}}


def visible(record: Record, conditions: Iterable[Mapping[str, str]]) -> bool:
    """A resource without the tag is visible, one with another value of it is not."""
    return all(set(at(record, one["Key"])) <= {one["Value"]} for one in conditions)


def in_order(records: list[Record], by: str | None, descending: bool) -> list[Record]:
    """By LastModifiedTime where nothing else is asked for; a resource that was never changed counts as made then."""

    def key(record: Record) -> Any:
        whole = record.get("Model", record)
        return whole.get("LastModifiedTime", whole.get("CreationTime")) if by is None else next(at(record, by), None)

    known = [record for record in records if key(record) is not None]
    return sorted(known, key=key, reverse=descending) + [record for record in records if key(record) is None]


def at(value: Any, path: str) -> Iterator[Any]:
    """The values of a property: Tags.<key>, Metrics.<name>, or a path through structures, maps and lists."""
    name, _, rest = path.partition(".")
    if name == "Tags" and rest:
        yield from (tag["Value"] for tag in value.get("Tags", []) if tag["Key"] == rest)
    elif name == "Metrics" and rest:
        yield from (one["Value"] for one in value.get("FinalMetricDataList", []) if one["MetricName"] == rest)
    else:
        yield from values(value, path)


def values(value: Any, path: str) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from values(item, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping):
        name, _, rest = path.partition(".")
        if path in value:  # the key of a map may have full stops
            yield from values(value[path], "")
        elif name in value:
            yield from values(value[name], rest)


class Query:
    """The expressions of a search of one kind. shape: the kind's, from SearchRecord."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape

    def check(self, expression: Mapping[str, Any]) -> None:
        """ValidationException for an expression that no search may have."""
        filters = list(self._filters(expression))
        for prefix, one in filters:
            self._check_filter(one, prefix)
        if self._count(expression) > ELEMENTS:
            raise base.invalid(f"The search expression has more than {ELEMENTS} elements.")
        if sum(one.get("Operator") == "Contains" for _, one in filters) > 1:
            raise base.invalid("'CONTAINS' operator usage limit of 1 exceeded.")

    def _filters(self, expression: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        parts = [expression.get(name) for name in ("Filters", "NestedFilters", "SubExpressions")]
        if not any(parts):
            raise base.invalid("A search expression needs at least one subexpression, filter, or nested filter.")
        yield from (("", one) for one in parts[0] or [])
        for nested in parts[1] or []:
            self.shape_at(nested["NestedPropertyName"])
            yield from ((nested["NestedPropertyName"], one) for one in nested["Filters"])
        for inner in parts[2] or []:
            yield from self._filters(inner)

    def _count(self, expression: Mapping[str, Any]) -> int:
        own = sum(len(expression.get(name) or []) for name in ("Filters", "NestedFilters", "SubExpressions"))
        return own + sum(self._count(inner) for inner in expression.get("SubExpressions") or [])

    def _check_filter(self, one: Mapping[str, Any], prefix: str) -> None:
        name, operator = one["Name"], one.get("Operator", "Equals")
        if prefix and not name.startswith(f"{prefix}."):
            raise base.invalid(f"The property {name} of a nested filter is not in {prefix}.")
        kind = self.kind_of(name)
        if operator in ("Exists", "NotExists"):
            return
        if "Value" not in one:
            raise base.invalid(f"The filter on {name} needs a value for the operator {operator}.")
        if operator in ORDERED and kind == "string" and not name.startswith("HyperParameters."):
            raise base.invalid(f"The operator {operator} is not supported for the text property {name}.")
        if operator in ("Contains", "In") and kind != "string":
            raise base.invalid(f"The operator {operator} is supported only for text properties, and {name} is none.")
        self.wanted(one)

    def shape_at(self, name: str) -> Any:
        """The shape of a property; ValidationException for one that the kind lacks."""
        first, _, rest = name.partition(".")
        if rest and first == "Metrics" and "FinalMetricDataList" in self.shape.members:
            return shape_of("MetricValue")
        if rest and first == "Tags" and first in self.shape.members:
            return shape_of("TagValue")
        shape, path = self.shape, name
        while path:
            while shape.type_name == "list":
                shape = shape.member
            first, _, rest = path.partition(".")
            if shape.type_name == "map":
                return shape.value
            if shape.type_name != "structure" or first not in shape.members:
                raise base.invalid(f"{name} is not a valid property of {self.shape.name}.")
            shape, path = shape.members[first], rest
        return shape

    def kind_of(self, name: str) -> str:
        shape = self.shape_at(name)
        while shape.type_name == "list":
            shape = shape.member
        return "number" if shape.type_name in NUMBERS else str(shape.type_name)

    def wanted(self, one: Mapping[str, Any]) -> Any:
        """The filter's value as the property's type; ValidationException where it is none."""
        kind, text = self.kind_of(one["Name"]), str(one["Value"])
        ordered = one.get("Operator") in ORDERED
        try:
            if kind == "number" or (ordered and kind == "string"):
                return int(text) if is_number(text.removeprefix("-")) else float(text)
            if kind == "timestamp":
                return base.aware(datetime.fromisoformat(text.replace("Z", "+00:00")))
        except ValueError:
            raise base.invalid(f"{text} is not a valid value of {one['Name']}, which is a {kind}.") from None
        return text.lower() if kind == "boolean" else text

    def holds(self, expression: Mapping[str, Any], record: Record) -> bool:
        parts: list[bool] = [self.fits(one, record) for one in expression.get("Filters") or []]
        for nested in expression.get("NestedFilters") or []:
            name = nested["NestedPropertyName"]
            inner = [one | {"Name": one["Name"][len(name) + 1 :]} for one in nested["Filters"]]
            own = Query(self.item(name))
            parts.append(any(all(own.fits(one, item) for one in inner) for item in values(record, name)))
        parts += [self.holds(inner, record) for inner in expression.get("SubExpressions") or []]
        return any(parts) if expression.get("Operator", "And") == "Or" else all(parts)

    def item(self, name: str) -> Any:
        shape = self.shape_at(name)
        while shape.type_name == "list":
            shape = shape.member
        return shape

    def fits(self, one: Mapping[str, Any], record: Record) -> bool:
        operator = str(one.get("Operator", "Equals"))
        found = list(at(record, one["Name"]))
        if operator in ("Exists", "NotExists"):
            return bool(found) == (operator == "Exists")
        wanted = self.wanted(one)
        if operator == "NotEquals":
            return not any(same(value, wanted) for value in found)
        return any(compared(operator, value, wanted) for value in found)


def same(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool):
        return bool(str(value).lower() == wanted)
    return bool((base.aware(value) if isinstance(value, datetime) else value) == wanted)


def compared(operator: str, value: Any, wanted: Any) -> bool:
    if operator in ORDERED:
        try:  # a hyperparameter is text; an integer compares it as an integer
            number = float(value) if isinstance(value, str) else value
        except ValueError:
            return False
        if isinstance(value, str) and isinstance(wanted, int):
            number = int(number)
        return bool(ORDERED[operator](base.aware(number) if isinstance(number, datetime) else number, wanted))
    if operator == "Contains":
        return str(wanted) in str(value)
    if operator == "In":
        return str(value) in [part.strip() for part in str(wanted).split(",")]
    return same(value, wanted)
