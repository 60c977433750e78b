"""QueryLineage: what an entity comes from, and what came of it.

SageMaker API Reference, "QueryLineage", "QueryFilters"; Developer Guide, "Querying Lineage Entities". The answers that
AWS's own notebook keeps (aws/amazon-sagemaker-examples, sagemaker-lineage-multihop-queries_outputs.ipynb) show that the
start itself is no answer where no edges are asked for. A start and a direction must be given here, since no page says
what AWS takes without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from awslang.errors import NotSupported
from localaws.calls import Call
from localaws.services.sagemaker import base, lineage
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.lineage import Entity, Lineage
from localaws.services.sagemaker.service import sagemaker

DEEPEST = 10  # associations (Developer Guide, "Querying Lineage Entities", Limitations)
LARGEST = 50  # vertices of a page (API Reference, QueryLineage, MaxResults)
# Where the guide says that there are no queries (the same Limitations).
WITHOUT = {"af-south-1", "ap-southeast-3", "ap-northeast-3", "eu-south-1", "eu-south-2", "il-central-1"}
Step = tuple[str, str, tuple[str, str]]  # from, to, and the association's source and destination


@sagemaker.operation("QueryLineage")
def query_lineage(call: Call) -> dict[str, Any]:
    params = call.params
    check(call)
    known = lineage.known(call.cloud, call.account, call.region)
    start = params["StartArns"][0]
    if start not in known.entities:
        raise base.missing(f"{start} does not exist.")
    with known.lock:
        steps = list(walk(known, start, params["Direction"], params.get("MaxDepth", DEEPEST)))
        wanted = [arn for _, arn, _ in first_of(steps) if fits(known.entities[arn], params.get("Filters", {}))]
        edges = params.get("IncludeEdges", False)
        taken = on_the_way(steps, set(wanted)) if edges else []
        arns = list(dict.fromkeys([start, *(end for step in taken for end in step[2]), *wanted])) if edges else wanted
        page = base.page([vertex(known.entities[arn]) for arn in arns], params, "Vertices", LARGEST)
        if edges:
            shown = {one["Arn"] for one in page["Vertices"]}
            pairs = dict.fromkeys(pair for _, to, pair in taken if to in shown)
            page["Edges"] = [edge(known, pair) for pair in pairs]
    return page


def check(call: Call) -> None:
    params = call.params
    if call.region in WITHOUT:
        raise invalid(f"QueryLineage is not available in {call.region}.")
    if not params.get("StartArns") or "Direction" not in params:
        raise NotSupported("QueryLineage without StartArns or Direction")


def walk(known: Lineage, start: str, direction: str, depth: int) -> Iterator[Step]:
    """Every step from an entity to another that is at most so many associations away; with Both, from each that is
    visited in both directions."""
    near: dict[str, list[Step]] = {}
    for pair in known.associations:
        source, destination = pair
        if direction in ("Descendants", "Both"):
            near.setdefault(source, []).append((source, destination, pair))
        if direction in ("Ascendants", "Both"):
            near.setdefault(destination, []).append((destination, source, pair))
    seen, level = {start}, [start]
    for _ in range(depth):
        steps = [step for arn in level for step in near.get(arn, [])]
        yield from steps
        level = list(dict.fromkeys(to for _, to, _ in steps if to not in seen))
        seen.update(level)


def first_of(steps: Iterable[Step]) -> list[Step]:
    """The first step to each entity but the start."""
    found: dict[str, Step] = {}
    start = ""
    for step in steps:
        start = start or step[0]
        found.setdefault(step[1], step)
    found.pop(start, None)
    return list(found.values())


def on_the_way(steps: list[Step], wanted: set[str]) -> list[Step]:
    """The steps by which the entities that are wanted are reached."""
    needed, kept = set(wanted), []
    for step in reversed(steps):
        if step[1] in needed:
            kept.append(step)
            needed.add(step[0])
    return kept[::-1]


def fits(entity: Entity, filters: Mapping[str, Any]) -> bool:
    """Whether an entity passes every filter; of the properties any one suffices (API Reference, QueryFilters)."""
    created, modified = entity.shown["CreationTime"], entity.shown["LastModifiedTime"]
    properties = filters.get("Properties") or {}
    own = entity.shown.get("Properties", {})
    return all(
        (
            not filters.get("Types") or type_of(entity) in filters["Types"],
            not filters.get("LineageTypes") or entity.lineage_type in filters["LineageTypes"],
            "CreatedBefore" not in filters or created < base.aware(filters["CreatedBefore"]),
            "CreatedAfter" not in filters or created > base.aware(filters["CreatedAfter"]),
            "ModifiedBefore" not in filters or modified < base.aware(filters["ModifiedBefore"]),
            "ModifiedAfter" not in filters or modified > base.aware(filters["ModifiedAfter"]),
            not properties or any(own.get(key) == value for key, value in properties.items()),
        )
    )


def type_of(entity: Entity) -> str:
    """Its type as a query names it: TrainingJob for a trial component of SageMakerTrainingJob (the SDK's
    LineageSourceEnum, and the answers of AWS's notebook)."""
    return entity.type.removeprefix("SageMaker") if entity.lineage_type == lineage.COMPONENT else entity.type


def vertex(entity: Entity) -> dict[str, Any]:
    return {"Arn": entity.arn, "Type": type_of(entity), "LineageType": entity.lineage_type}


def edge(known: Lineage, pair: tuple[str, str]) -> dict[str, Any]:
    shown = known.associations[pair]
    members = ("SourceArn", "DestinationArn", "AssociationType")
    return {name: shown[name] for name in members if name in shown}
