"""Lineage: artifacts, actions, contexts and trial components, and the associations between them.

Create-, Describe-, Update-, Delete- and List- of artifacts, actions and contexts; AddAssociation, DeleteAssociation,
ListAssociations; DescribeTrialComponent and ListTrialComponents of what SageMaker itself made (SageMaker API Reference,
the page of each operation; Developer Guide, "Lineage Tracking Entities", "Manually Create Tracking Entities"). What
SageMaker makes by itself is in lineage_records.py, QueryLineage in lineage_queries.py. Experiments and trials are not
supported, nor are lineage groups that are shared with another account.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from awslang.errors import AwsError
from localaws.calls import Call
from localaws.cloud import Cloud, arn
from localaws.services.sagemaker import base
from localaws.services.sagemaker.base import invalid
from localaws.services.sagemaker.service import sagemaker

ARTIFACT, ACTION, CONTEXT, COMPONENT = "Artifact", "Action", "Context", "TrialComponent"
PATHS = {ARTIFACT: "artifact", ACTION: "action", CONTEXT: "context", COMPONENT: "experiment-trial-component"}
# Entities that people make (Developer Guide, "Manually Create Tracking Entities", Limits).
LIMITS = {ACTION: 3000, ARTIFACT: 6000, CONTEXT: 500}
ASSOCIATIONS = 6000


@dataclass(frozen=True)
class Entity:
    """An entity: its lineage type (Artifact, Action …), its ARN, what its Describe operation shows.

    manual: whether a person made it
    """

    lineage_type: str
    arn: str
    shown: dict[str, Any]
    manual: bool = False

    @property
    def name(self) -> str:
        return str(self.shown.get(f"{self.lineage_type}Name", ""))

    @property
    def type(self) -> str:
        """Its own type, such as DataSet; of a trial component SageMakerTrainingJob and so on."""
        source: Mapping[str, str] = self.shown.get("Source", {})
        of_job = source.get("SourceType", "") if self.lineage_type == COMPONENT else ""
        return of_job or str(self.shown.get(f"{self.lineage_type}Type", ""))


@dataclass
class Lineage:
    """The lineage of an account in a Region: entities by ARN, associations by the ARNs of source and destination."""

    entities: dict[str, Entity] = field(default_factory=dict)
    associations: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    by_hand: set[tuple[str, str]] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def of(self, lineage_type: str) -> list[Entity]:
        return [entity for entity in list(self.entities.values()) if entity.lineage_type == lineage_type]

    def put(self, cloud: Cloud, entity: Entity, tags: Iterable[Mapping[str, str]] = ()) -> Entity:
        """The entity of this ARN: the one that exists, else this one ("SageMaker AI reuses any existing entities")."""
        with self.lock:
            if entity.arn not in self.entities:
                self.entities[entity.arn] = entity
                base.put_tags(cloud, entity.arn, tags)
            return self.entities[entity.arn]

    def associate(
        self, source: Entity, destination: Entity, kind: str = "", by: Mapping[str, Any] | None = None
    ) -> None:
        """An association, where there is none yet. kind: ContributedTo and so on; by: who asks, None for SageMaker"""
        shown: dict[str, Any] = {"SourceArn": source.arn, "DestinationArn": destination.arn}
        shown |= {"SourceType": source.type, "DestinationType": destination.type}
        shown |= {"AssociationType": kind} if kind else {}
        shown |= {"SourceName": source.name} if source.name else {}
        shown |= {"DestinationName": destination.name} if destination.name else {}
        with self.lock:
            self.associations.setdefault(
                (source.arn, destination.arn), shown | {"CreationTime": base.now(), "CreatedBy": dict(by or {})}
            )


def known(cloud: Cloud, account: str, region: str) -> Lineage:
    return cloud.state(Lineage, account, region)


def artifact_arn(account: str, region: str, source_uri: str) -> str:
    """Its name is a hash of its source (Service Authorization Reference, artifact/${HashOfArtifactSource})."""
    return arn("sagemaker", region, account, f"artifact/{hashlib.md5(source_uri.encode()).hexdigest()}")


def group_arn(account: str, region: str) -> str:
    """Every entity is in the account's one group (Developer Guide, "Tracking Cross-Account Lineage")."""
    return arn("sagemaker", region, account, "lineage-group/sagemaker-default-lineage-group")


def kind_of(call: Call) -> str:
    """The lineage type that an operation such as CreateArtifact is about."""
    return next(kind for kind in PATHS if kind in call.operation)


def arn_of(call: Call, kind: str) -> str:
    """The ARN of the entity that a request names: by its ARN, by its name, an artifact by its source as well."""
    params = call.params
    if kind == ARTIFACT:
        source = params.get("Source", {})
        if "ArtifactArn" not in params and "SourceUri" not in source:
            raise invalid("Either ArtifactArn or Source must be provided.")
        return str(params.get("ArtifactArn") or artifact_arn(call.account, call.region, source["SourceUri"]))
    name = params[f"{kind}Name"]
    return name if name.startswith("arn:") else arn("sagemaker", call.region, call.account, f"{PATHS[kind]}/{name}")


def find(call: Call, kind: str) -> Entity:
    whole = arn_of(call, kind)
    found = known(call.cloud, call.account, call.region).entities.get(whole)
    if found is None or found.lineage_type != kind:
        raise base.missing(f"{kind} {whole} does not exist.")
    return found


@sagemaker.operation("CreateArtifact", "CreateAction", "CreateContext")
def create_entity(call: Call) -> dict[str, Any]:
    """No page names the error for one that exists: the service's common one."""
    kind, params, lineage = kind_of(call), call.params, known(call.cloud, call.account, call.region)
    whole = arn_of(call, kind)
    with lineage.lock:
        if whole in lineage.entities:
            raise invalid(f"{kind} already exists: {whole}")
        if sum(entity.manual for entity in lineage.of(kind)) >= LIMITS[kind]:
            raise AwsError("ResourceLimitExceeded", f"The limit of {LIMITS[kind]} entities ({kind}) is reached.")
        shown = {name: value for name, value in params.items() if name != "Tags"}
        user = base.user(call.principal)
        new = made(kind, whole, shown | {"CreatedBy": user, "LastModifiedBy": user}, manual=True)
        lineage.put(call.cloud, new, params.get("Tags", []))
    return {f"{kind}Arn": whole}


def made(kind: str, whole: str, shown: Mapping[str, Any], *, manual: bool = False) -> Entity:
    """A new entity with the members that each has; SageMaker's own have no author."""
    moment = base.now()
    times = {"CreationTime": moment, "LastModifiedTime": moment}
    every = {f"{kind}Arn": whole, **times, "LineageGroupArn": group_arn(*base.owner(whole))}
    return Entity(kind, whole, {"CreatedBy": {}, "LastModifiedBy": {}, **shown, **every}, manual)


@sagemaker.operation("DescribeArtifact", "DescribeAction", "DescribeContext", "DescribeTrialComponent")
def describe_entity(call: Call) -> dict[str, Any]:
    return dict(find(call, kind_of(call)).shown)


@sagemaker.operation("UpdateArtifact", "UpdateAction", "UpdateContext")
def update_entity(call: Call) -> dict[str, Any]:
    kind, params = kind_of(call), call.params
    with known(call.cloud, call.account, call.region).lock:
        entity = find(call, kind)
        members = ("Description", "Status", *(["ArtifactName"] if kind == ARTIFACT else []))
        properties = {**entity.shown.get("Properties", {}), **params.get("Properties", {})}
        for key in params.get("PropertiesToRemove", []):
            properties.pop(key, None)
        entity.shown.update({name: params[name] for name in members if name in params})
        entity.shown.update(
            Properties=properties, LastModifiedTime=base.now(), LastModifiedBy=base.user(call.principal)
        )
    return {f"{kind}Arn": entity.arn}


@sagemaker.operation("DeleteArtifact", "DeleteAction", "DeleteContext")
def delete_entity(call: Call) -> dict[str, Any]:
    """Refused while it has associations: AWS's SDKs delete those first (sagemaker-python-sdk, `disassociate`)."""
    kind, lineage = kind_of(call), known(call.cloud, call.account, call.region)
    with lineage.lock:
        entity = find(call, kind)
        if any(entity.arn in pair for pair in lineage.associations):
            raise invalid(f"{kind} {entity.arn} has associations. Delete them first.")
        del lineage.entities[entity.arn]
        base.drop_tags(call.cloud, entity.arn)
    return {f"{kind}Arn": entity.arn}


@sagemaker.operation("ListArtifacts", "ListActions", "ListContexts")
def list_entities(call: Call) -> dict[str, Any]:
    kind, params = kind_of(call), call.params
    members = [f"{kind}{part}" for part in ("Arn", "Name", "Type")]
    members += ["Source", "Status", "CreationTime", "LastModifiedTime"]
    found = [entity.shown for entity in known(call.cloud, call.account, call.region).of(kind)]
    if "SourceUri" in params:
        found = [shown for shown in found if shown["Source"]["SourceUri"] == params["SourceUri"]]
    if f"{kind}Type" in params:
        found = [shown for shown in found if shown[f"{kind}Type"] == params[f"{kind}Type"]]
    return listed(found, params, members, f"{kind}Name", f"{kind}Summaries")


@sagemaker.operation("ListTrialComponents")
def list_trial_components(call: Call) -> dict[str, Any]:
    params, within = call.params, ("CreatedAfter", "CreatedBefore", "SortBy", "SortOrder", "MaxResults", "NextToken")
    base.only(params, "ListTrialComponents", "SourceArn", *within)
    members = (
        "TrialComponentName", "TrialComponentArn", "DisplayName", "TrialComponentSource", "Status", "StartTime",
        "EndTime", "CreationTime", "CreatedBy", "LastModifiedTime", "LastModifiedBy",
    )  # fmt: skip
    components = known(call.cloud, call.account, call.region).of(COMPONENT)
    found = [entity.shown | {"TrialComponentSource": entity.shown["Source"]} for entity in components]
    if "SourceArn" in params:
        found = [shown for shown in found if shown["Source"]["SourceArn"] == params["SourceArn"]]
    return listed(found, params, members, "TrialComponentName", "TrialComponentSummaries")


def listed(
    found: list[dict[str, Any]], params: Mapping[str, Any], members: Iterable[str], name: str, answer: str
) -> dict[str, Any]:
    """A page of summaries, the newest first where the request says nothing. name: the member that is its name"""
    kept = base.selected(found, params, name)
    return base.page([{key: item[key] for key in members if key in item} for item in kept], params, answer)


@sagemaker.operation("AddAssociation")
def add_association(call: Call) -> dict[str, Any]:
    """Not between two entities of experiments (Developer Guide, "Manually Create Tracking Entities", Limits). That one
    which exists is refused is AWS's SDK's word; its error is not documented: the service's common one."""
    params, lineage = call.params, known(call.cloud, call.account, call.region)
    with lineage.lock:
        source, destination = (both(lineage, params[name]) for name in ("SourceArn", "DestinationArn"))
        if source.lineage_type == destination.lineage_type == COMPONENT:
            raise invalid("An association between two experiment entities cannot be created.")
        if (source.arn, destination.arn) in lineage.associations:
            raise invalid(f"An association between {source.arn} and {destination.arn} already exists.")
        if len(lineage.by_hand) >= ASSOCIATIONS:
            raise AwsError("ResourceLimitExceeded", f"The limit of {ASSOCIATIONS} associations is reached.")
        lineage.associate(source, destination, params.get("AssociationType", ""), base.user(call.principal))
        lineage.by_hand.add((source.arn, destination.arn))
    return {"SourceArn": source.arn, "DestinationArn": destination.arn}


def both(lineage: Lineage, whole: str) -> Entity:
    """An end of an association; ResourceNotFound where there is none."""
    if whole not in lineage.entities:
        raise base.missing(f"{whole} does not exist.")
    return lineage.entities[whole]


@sagemaker.operation("DeleteAssociation")
def delete_association(call: Call) -> dict[str, Any]:
    pair = (call.params["SourceArn"], call.params["DestinationArn"])
    lineage = known(call.cloud, call.account, call.region)
    with lineage.lock:
        if lineage.associations.pop(pair, None) is None:
            raise base.missing(f"There is no association between {pair[0]} and {pair[1]}.")
        lineage.by_hand.discard(pair)
    return {"SourceArn": pair[0], "DestinationArn": pair[1]}


@sagemaker.operation("ListAssociations")
def list_associations(call: Call) -> dict[str, Any]:
    filters = ("SourceArn", "DestinationArn", "SourceType", "DestinationType", "AssociationType")
    found = list(known(call.cloud, call.account, call.region).associations.values())
    for name in filters:
        if name in call.params:
            found = [shown for shown in found if shown.get(name) == call.params[name]]
    return base.page(base.selected(found, call.params, "SourceArn"), call.params, "AssociationSummaries")
