"""A candidate in production's shadow: whether there is one, and production's parameters with it and without. Pure.

A shadow variant gets copies of the endpoint's requests, and its answers go to no caller (SageMaker Developer Guide,
"Testing models with shadow variants"). Everything else of the endpoint stays as it is: the parameters are those of
production's stack, never those that the deploy repository asks for. docs/decisions/0090-*.md

So does the number of instances: without RetainAllVariantProperties, an update begins with InitialInstanceCount, however
many autoscaling has come to (SageMaker Developer Guide, "Update endpoints that use auto scaling").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.live import LiveStage, differences
from pipeline.settings import ACCOUNT_PARAMETERS, Settings

PACKAGE, COPIES, AT_ONCE = "ShadowModelPackageName", "ShadowCopyModelPackageNames", "MoveAtOnce"  # of 40-stage.yaml
NONE = {PACKAGE: "", COPIES: "none,none,none", AT_ONCE: "false"}
KEEPS = "KeepInstanceCount"  # of 40-stage.yaml: how an update is made, and nothing of what is deployed
WITH, WITHOUT = "shadow-parameters.json", "live-parameters.json"  # in the artifact of Build
CODE = "SAGEMAKER_SUBMIT_DIRECTORY"  # where SageMaker's own framework containers have the code of script mode from
Parameters = Mapping[str, str]


def without(parameters: Parameters) -> dict[str, str]:
    """The parameters of production's stack without the shadow that it may have, or that was taken away.

    The update keeps the instances that there are, as a shadow's did before.
    """
    return {**parameters, KEEPS: "true", **{name: value for name, value in NONE.items() if name in parameters}}


@dataclass(frozen=True)
class Both:
    """What is known of the two versions besides production's parameters.

    candidate, live: their containers, as the registry has them
    taken_back: whether SageMaker took production's last update back, so that it serves no more what its stack says
    """

    candidate: Sequence[Mapping[str, Any]] = ()
    live: Sequence[Mapping[str, Any]] = ()
    taken_back: bool = False


def excluded(both: Both) -> str:
    """Why SageMaker has no shadow variant of such versions, or beside them ("Shadow tests"); "" for nothing.

    A shadow's container is isolated from the network (50-endpoint.yaml), so it fetches no code either.
    """
    for which, containers in (("the version", both.candidate), ("production's version", both.live)):
        if len(containers) > 1:
            return f"SageMaker has no shadow variants with several containers, which {which} has"
        if any("ProductId" in container for container in containers):
            return f"SageMaker has no shadow variants with containers of AWS Marketplace, of which {which} is"
    if any(str(one.get("Environment", {}).get(CODE, "")).startswith("s3://") for one in both.candidate):
        return f"the version's container fetches its code from Amazon S3 ({CODE}), and a shadow's has no network"
    return ""


def why_none(version: str, now: Parameters, wanted: Parameters, asked: bool, both: Both) -> str:
    """Why the candidate cannot be production's shadow; "" where it can.

    version: the candidate's ARN; now, wanted: the parameters of production's stack
    asked: whether an approver is asked for the deployment
    """
    if not asked:
        return "production goes back to a version that was let through before"
    if not now:
        return "production serves no version yet"
    if now.get("ModelPackageName") == version:
        return "production serves this version already"
    if both.taken_back:
        return "SageMaker took production's last update back: the update of a shadow would bring it again"
    if now.get("EndpointKind", "real-time") != "real-time":
        return "only a real-time endpoint has a shadow, and production's is none"
    if now.get("InstanceType", "").startswith("ml.inf1."):
        return "SageMaker has no shadow variants on ml.inf1, on which production runs"
    if why := excluded(both):
        return why
    if not now.get("DataCaptureS3Uri") or now.get("DataCapturePercentage") == "0":
        return "production captures no data, by which answers are compared (DataCaptureS3Uri in prod-config.json)"
    if PACKAGE not in now or now.get("EndpointTemplateUrl") != wanted.get("EndpointTemplateUrl"):
        return "production was deployed by another version of the kit; its next deployment has a shadow"
    if set(places(now)) - set(places(wanted)):
        return "an account or a Region leaves production"
    return ""


def places(parameters: Parameters) -> list[tuple[str, str]]:
    """The accounts and Regions that the parameters of a stack name."""
    listed = "".join(parameters.get(name, "") for name in ACCOUNT_PARAMETERS)
    accounts, regions = (text.split(",") for text in (listed, parameters.get("Regions", "")))
    return sorted((account, region) for account in accounts for region in regions if account and region)


def plan(
    settings: Settings, version: str, now: Parameters, wanted: Parameters, asked: bool, both: Both
) -> dict[str, Any]:
    """What the manifest says of the shadow: how long, and where; or why there is none. {} where none is asked for."""
    if not settings.shadow_minutes:
        return {}
    if why := why_none(version, now, wanted, asked, both):
        return {"why": why}
    return {
        "minutes": settings.shadow_minutes,
        "requests": settings.shadow_requests,
        "live": now["ModelPackageName"],
        "places": [list(place) for place in places(now)],
        "endpoint": f"{settings.project}-{settings.project_id}-{settings.stages[-1].name}",
        "capture": now["DataCaptureS3Uri"],
    }


def is_planned(manifest: Mapping[str, Any]) -> bool:
    return "minutes" in (manifest.get("shadow") or {})


def with_candidate(now: Parameters, version: str, arns: Parameters) -> dict[str, str]:
    """The parameters of production's stack with the candidate as its shadow. arns: of it in each Region"""
    copies = [arns.get(region, "none") for region in now.get("CopyRegions", "none,none,none").split(",")]
    return {**now, PACKAGE: version, COPIES: ",".join(copies)}


def files(now: Parameters, version: str, arns: Parameters, tags: Parameters) -> dict[str, dict[str, Any]]:
    """By name the template configurations of production's stack with the shadow, and without it again.

    Without it nothing is new that could be watched: the version that answers stays. So that update waits for nothing.
    """
    live = without(now)
    found = {WITH: with_candidate(live, version, arns), WITHOUT: {**live, AT_ONCE: "true"}}
    return {name: {"Parameters": parameters, "Tags": dict(tags)} for name, parameters in found.items()}


def problems(manifest: Mapping[str, Any], given: Mapping[str, Parameters], production: LiveStage) -> Iterator[str]:
    """Why production must not get what Build wrote. given: by file the parameters that Build wrote"""
    package, live = manifest["model_package"], without(given[WITHOUT])
    if given[WITH] != with_candidate(live, package["arn"], package["regions"]):
        yield "what is to be deployed is not production as it is with the shadow alone"
    was = {"parameters": live, "places": manifest["shadow"]["places"]}
    now = LiveStage(production.status, without(production.parameters), production.places)
    if other := differences(was, now, "when Build looked"):
        yield f"production has changed since: {'; '.join(other)}"
