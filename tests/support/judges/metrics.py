"""Alarms and scaling policies on what nothing publishes, and values in the wrong unit.

SageMaker Developer Guide, "Amazon SageMaker AI metrics in Amazon CloudWatch" (metrics, units, statistics,
dimensions), and
"Alarms and logs for tracking metrics from asynchronous endpoints", and
"Auto-Rollback Configuration and Monitoring" (EndpointConfigName, which tells two fleets of one endpoint apart).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from awslang.template.intrinsics import Evaluator
from awslang.template.template import Template
from pipeline.monitors import METRICS
from tests.support.judges.values import evaluator, of_type, there, walk

# How long an update is watched, and how long the data of its last minute may take to arrive, which no page says: the
# metrics come "at a 1-minute frequency" (the page of metrics).
WAITS, ARRIVES = ("TerminationWaitInSeconds", "WaitIntervalInSeconds"), 60
OF_VARIANT = ({"EndpointName", "VariantName"}, {"EndpointName", "VariantName", "EndpointConfigName"})


@dataclass(frozen=True)
class Metric:
    """unit: of its values; statistics: those that make sense, p for percentiles."""

    unit: str
    statistics: tuple[str, ...]
    dimensions: tuple[set[str], ...] = OF_VARIANT


COUNTED, TIMED = ("Average", "Sum"), ("Average", "Sum", "Minimum", "Maximum", "SampleCount", "p")
PUBLISHED = {
    ("AWS/SageMaker", "Invocation4XXErrors"): Metric("Count", COUNTED),
    ("AWS/SageMaker", "Invocation5XXErrors"): Metric("Count", COUNTED),
    ("AWS/SageMaker", "InvocationModelErrors"): Metric("Count", COUNTED),
    ("AWS/SageMaker", "Invocations"): Metric("Count", ("Sum",)),
    ("AWS/SageMaker", "InvocationsPerInstance"): Metric("Count", ("Sum",)),
    ("AWS/SageMaker", "ModelLatency"): Metric("Microseconds", TIMED),
    ("AWS/SageMaker", "ModelSetupTime"): Metric("Microseconds", TIMED),
    ("AWS/SageMaker", "OverheadLatency"): Metric("Microseconds", TIMED[:-1]),
    **{
        ("AWS/SageMaker", name): Metric("Count", statistics, ({"EndpointName"},))
        for name, statistics in {
            "ApproximateBacklogSize": ("Average", "Maximum", "Minimum"),
            "ApproximateBacklogSizePerInstance": ("Average", "Maximum", "Minimum"),
            "HasBacklogWithoutCapacity": ("Average",),
        }.items()
    },
    # Step Functions Developer Guide, "Monitoring Step Functions metrics using Amazon CloudWatch".
    ("AWS/States", "ExecutionsFailed"): Metric("Count", ("Sum",), ({"StateMachineArn"},)),
    # EventBridge User Guide, "Monitoring Amazon EventBridge".
    ("AWS/Events", "FailedInvocations"): Metric("Count", ("Sum", "SampleCount"), ({"RuleName"},)),
    **{
        ("/aws/sagemaker/Endpoints", f"{name}Utilization"): Metric(
            "Percent", ("Average", "Minimum", "Maximum"), OF_VARIANT[:1]
        )
        for name in ("CPU", "Disk", "GPU", "GPUMemory", "Memory")
    },
}
# Of a monitor, for each column ("CloudWatch Metrics"; namespace and dimensions as AWS's samples have them).
OF_ANSWERS = "aws/sagemaker/Endpoints/model-metrics"  # "Model quality metrics and Amazon CloudWatch monitoring"
MEASURED = [name for names in METRICS.values() for name in names]
OF_A_COLUMN = ("aws/sagemaker/Endpoints/data-metrics", "feature_baseline_drift_")
DISTANCE = Metric("None", ("Average", "Maximum", "Minimum", "Sum"), ({"Endpoint", "MonitoringSchedule"},))
# The unit that the name of a property or of a parameter carries, longest first.
UNITS = (
    "Microseconds",
    "Milliseconds",
    "Seconds",
    "Minutes",
    "Hours",
    "Days",
    "Percentage",
    "InMB",
    "InGB",
    "PerMinute",
    "PerInstance",
)
SAME = {"InSeconds": "Seconds", "InMinutes": "Minutes"}
# Properties whose name carries none (CloudFormation Template Reference).
OF_PROPERTY = {
    ("AWS::CloudWatch::Alarm", "Period"): "Seconds",
    ("AWS::CodeBuild::Project", "TimeoutInMinutes"): "Minutes",
    ("AWS::CodeBuild::Project", "QueuedTimeoutInMinutes"): "Minutes",
    ("AWS::SageMaker::Endpoint", "StepSize.Value"): "Percentage",  # of the kind CAPACITY_PERCENT
}
# Numbers that say the unit by their size: outside of these another unit was meant, or AWS refuses them (CloudFormation
# Template Reference; API Reference, BlueGreenUpdatePolicy).
LIMITS = {
    "Cooldown": (60, 3_600, "seconds"),
    "MaximumExecutionTimeoutInSeconds": (600, 28_800, "seconds"),
    "QueuedTimeoutInMinutes": (5, 480, "minutes"),
    "TimeoutInMinutes": (5, 480, "minutes"),
}


def alarms(name: str, template: Template) -> Iterator[str]:
    """Alarms whose metric nothing publishes with these dimensions, or that are not of the template's endpoint."""
    made = evaluator(template)
    variants, endpoints, configs = set(), set(), set()
    for config in of_type(template, "AWS::SageMaker::EndpointConfig"):
        variants |= {one["VariantName"] for one in made.resource(config)["ProductionVariants"]}
        configs.add(f"<{config}.EndpointConfigName>")
    for endpoint in of_type(template, "AWS::SageMaker::Endpoint"):
        endpoints.add(made.resource(endpoint)["EndpointName"])
    machines = {f"<{machine}.Ref>" for machine in of_type(template, "AWS::StepFunctions::StateMachine")}
    rules = {f"<{rule}.Ref>" for rule in of_type(template, "AWS::Events::Rule")}
    schedules = of_type(template, "AWS::SageMaker::MonitoringSchedule")
    monitors = {made.resource(schedule)["MonitoringScheduleName"] for schedule in schedules}
    own = {
        "VariantName": variants, "EndpointName": endpoints, "EndpointConfigName": configs, "StateMachineArn": machines,
        "Endpoint": endpoints, "MonitoringSchedule": monitors, "RuleName": rules,
    }  # fmt: skip
    watching = dict(watched(template, of_type(template, "AWS::CloudWatch::Alarm")))
    for policy in of_type(template, "AWS::ApplicationAutoScaling::ScalingPolicy"):
        for path, node in walk(made.resource(policy)):
            if path[-1:] == ("CustomizedMetricSpecification",):
                watching[policy] = node
    for alarm, values in watching.items():
        metric = published(values)
        if metric is None:
            yield f"{name}: {alarm}: nothing publishes {values.get('MetricName')} in {values.get('Namespace')}"
            continue
        dimensions = {one["Name"]: one["Value"] for one in values.get("Dimensions", [])}
        if set(dimensions) not in metric.dimensions:
            wanted = " or ".join(", ".join(sorted(one)) for one in metric.dimensions)
            found = ", ".join(dimensions) or "none"
            yield f"{name}: {alarm}: {values['MetricName']} has the dimensions {wanted}, not {found}"
        for key, value in dimensions.items():
            if key in own and value not in own[key]:
                yield f"{name}: {alarm}: no {key} of this template is {value}"
        statistic = values.get("Statistic") or values.get("ExtendedStatistic", "")
        if (
            statistic if statistic in metric.statistics else re.sub(r"\d[\d.]*$", "", statistic)
        ) not in metric.statistics:
            others = ", ".join(metric.statistics)
            yield f"{name}: {alarm}: {statistic} of {values['MetricName']} says nothing ({others} do)"
        yield from (f"{name}: {alarm}: {said}" for said in _never(values, metric))
    yield from (f"{name}: {said}" for said in _rollback(template, made, watching))


def watched(template: Template, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each metric of an alarm, with the alarm's properties; one of an expression by its id beside the alarm's name."""
    for name in names:
        properties = there(template, name)
        if "Metrics" not in properties:
            yield name, properties
        for query in properties.get("Metrics", []):
            if "MetricStat" in query:
                yield (
                    f"{name}.{query['Id']}",
                    {**query["MetricStat"]["Metric"], "Statistic": query["MetricStat"]["Stat"]},
                )


def published(values: dict[str, Any]) -> Metric | None:
    namespace, metric = values.get("Namespace", ""), values.get("MetricName", "")
    if namespace == OF_ANSWERS:  # a template may leave the choice to a parameter
        return DISTANCE if metric in MEASURED or isinstance(metric, dict) else None
    if namespace == OF_A_COLUMN[0] and metric.startswith(OF_A_COLUMN[1]):
        return DISTANCE
    return PUBLISHED.get((namespace, metric))


def _never(values: dict[str, Any], metric: Metric) -> Iterator[str]:
    """Why an alarm on a metric that exists never acts."""
    if (unit := values.get("Unit", metric.unit)) != metric.unit:
        yield f"{values['MetricName']} is in {metric.unit}, so no data point is in {unit}"
    if str(values.get("ActionsEnabled", "true")).lower() == "false":
        yield "its actions are switched off"


def _rollback(template: Template, made: Evaluator, watching: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Alarms of a rollback that are silent when all goes wrong, ring when all is well, or ring too late."""
    for endpoint in of_type(template, "AWS::SageMaker::Endpoint"):
        written = template.resources[endpoint]["Properties"].get("DeploymentConfig", {})
        used = {node["Ref"] for path, node in walk(written) if path[-1:] == ("AlarmName",) and "Ref" in node}
        waits = [_least(template, node) for path, node in walk(written) if path and path[-1] in WAITS]
        for alarm in sorted(used & set(watching)):
            values = watching[alarm]
            if not values["ComparisonOperator"].startswith("Greater"):
                yield f"{alarm}: {values['MetricName']} is low when all is well, so it is compared with Greater…"
            if values.get("TreatMissingData") == "breaching":
                yield f"{alarm}: without requests there is no data, and missing data rolls every update back"
            window = int(values["Period"]) * int(values["EvaluationPeriods"])
            if any(window + ARRIVES > wait for wait in waits):
                least = min(waits)
                yield f"{alarm}: needs {window} s and {ARRIVES} s for its data, and is watched for {least} s at least"


def _least(template: Template, node: Any) -> int:
    """The least seconds of a wait: of its parameter, or itself."""
    return int(template.parameters[parameter].get("MinValue", 0) if (parameter := _parameter(node)) else node)


def unit_of(text: str) -> str:
    """The unit at the end of a name; "" for none."""
    found = next((unit for unit in UNITS if text.endswith(unit)), "")
    return SAME.get(found, found)


def units(name: str, template: Template) -> Iterator[str]:
    """Parameters that reach a property of another unit than their own name says."""
    for logical_id, resource in template.resources.items():
        for path, node in walk(resource.get("Properties", {})):
            if not path or not (parameter := _parameter(node)):
                continue
            own, there = unit_of(parameter), _unit_there(resource, path)
            where = f"{name}: {logical_id}.{'.'.join(map(str, path))} is in {there}"
            if own and there and own != there:
                yield f"{where}, the parameter {parameter} is in {own}"
            if there and not own and not parameter.startswith("AWS::"):
                yield f"{where}; the name of {parameter} does not say so"
    yield from _constants(name, template)


def _parameter(node: Any) -> str:
    """What a node takes its whole value from, by Ref or by Fn::Sub; "" for anything else."""
    if not isinstance(node, dict) or len(node) != 1:
        return ""
    given = node.get("Ref", node.get("Fn::Sub"))
    found = re.fullmatch(r"\$\{([^}]+)\}", given) if "Fn::Sub" in node and isinstance(given, str) else None
    return found[1] if found else str(node.get("Ref", ""))


def _unit_there(resource: dict[str, Any], path: tuple[str | int, ...]) -> str:
    names = [part for part in path if isinstance(part, str) and not part.startswith("Fn::")]
    member = names[-1] if names else ""
    if len(names) > 1 and names[-2] in ("CanarySize", "LinearStepSize", "MaximumBatchSize"):
        member = f"StepSize.{member}"
    if resource["Type"] == "AWS::CloudWatch::Alarm" and member == "Threshold":
        values = resource["Properties"]
        metric = published(values)
        if metric is None or metric.unit == "None":
            return ""
        per_minute = values.get("Statistic") == "Sum" and str(values.get("Period")) == "60"
        return {"Count": "PerMinute" if per_minute else "Count"}.get(metric.unit, metric.unit)
    return OF_PROPERTY.get((resource["Type"], member)) or unit_of(member)


def _constants(name: str, template: Template) -> Iterator[str]:
    """Numbers that are no value of their property: a period that is no multiple of a minute, a build without time."""
    for logical_id, resource in template.resources.items():
        for path, node in walk(resource.get("Properties", {})):
            names = [part for part in path if isinstance(part, str) and not part.startswith("Fn::")]
            if not names or isinstance(node, bool) or not str(node).isdigit():
                continue
            member, where = names[-1], f"{name}: {logical_id}.{'.'.join(names)} is {node}"
            if resource["Type"] == "AWS::CloudWatch::Alarm" and member == "Period" and int(node) % 60:
                yield f"{where} seconds: SageMaker's metrics come once a minute"
            least, most, unit = LIMITS.get(member, (0, int(node), ""))
            if not least <= int(node) <= most:
                yield f"{where}, not {least:,} to {most:,} {unit}"
