"""What the rehearsal of another team's template found, as data and in words.

The data is what --json prints:
  outcome: succeeded, waiting (only for a person), failed, refused (nothing was created)
  refused: what is not supported, or what AWS would refuse, each with type, logical id and line where it has one
  stack: why the project's stack failed, where that is the stack's own (an export that does not exist)
  resources: every resource of the project's stack, with its status and reason
  denied: requests that were refused because a permission is missing, with the statement that is missing
  not_supported: requests at run time to operations that the embedded AWS lacks
  pipelines: stages and actions with their status and error; the end of a failed build's log
  waiting: what a person must do next
  trouble: why the rehearsal broke off before its end
  failed_deliveries: events that reached their rule and not its target
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from awslang.template.template import Template
from localaws.services.events.service import deliveries
from scripts.kit.connect import pages
from scripts.kit.console import paint, say
from scripts.kit.projects.history import ENDED
from scripts.kit.stacks.stack import failures
from scripts.rehearsal.other_templates.pipelines import (
    open_approvals,
    pending_models,
    pipeline_names,
    pipeline_state,
    waits,
)
from scripts.rehearsal.other_templates.project import all_stacks
from scripts.rehearsal.other_templates.run import Run

COLOURS = {"succeeded": "32", "waiting": "33", "failed": "31", "refused": "31"}
LONGEST_LOG = 15  # lines of a failed build's log that are shown, beside CodeBuild's own
LONGEST_LINE = 300
LOOKING_ON = "cloudformation:DescribeStackEvents"  # asked by the pipeline for its message, and not needed
CODEBUILD = re.compile(r"\[Container\] \S+ \S+ (Phase|Entering phase|Command did not exit)")
OURS = ("setting", "publishing", "model")  # chapters whose requests are not the template's


def report(run: Run, seconds: float) -> dict[str, Any]:
    """Everything that is worth knowing after the rehearsal."""
    found: dict[str, Any] = {
        "outcome": "",
        "template": str(run.options.template),
        "style": run.options.style,
        "project": {"name": run.options.project, "id": run.project_id, "status": run.project_status},
        "message": run.message,
        "stack": own_reasons(run),
        "refused": refusals(run),
        "resources": resources(run),
        "denied": denied(run.cloud.folder),
        "not_supported": not_supported(run.cloud.folder),
        "pipelines": [pipeline(run, name) for name in pipelines(run)],
        "waiting": waiting(run),
        "failed_deliveries": [
            {"rule": d.rule, "target": d.target, "reason": d.failed} for d in deliveries(run.cloud, failed=True)
        ],
        "notes": run.notes,
        "trouble": run.trouble,
        "seconds": round(seconds, 3),
    }
    found["outcome"] = outcome(run, found)
    return found


def outcome(run: Run, found: dict[str, Any]) -> str:
    if run.refused:
        return "refused"
    broken = run.project_status != "CreateCompleted" or run.trouble or found["failed_deliveries"]
    newest = [p["executions"][0]["status"] if p["executions"] else "NotStarted" for p in found["pipelines"]]
    if broken or any(status not in {"Succeeded", "Waiting"} for status in newest):
        return "failed"
    return "waiting" if found["waiting"] else "succeeded"


def refusals(run: Run) -> list[dict[str, Any]]:
    if run.refused is None:
        return []
    whole = [{"type": "", "logical_id": "", "line": 0, "reason": str(run.refused)}] if str(run.refused) else []
    lacking = "not supported by the embedded AWS"
    return whole + [
        {"type": part.type, "logical_id": part.logical_id, "line": part.line, "reason": f"{lacking}: {part.what}"}
        for part in run.refused.parts
    ]


# -- the stack ---------------------------------------------------------------------------------


def resources(run: Run) -> list[dict[str, Any]]:
    """Every resource; a failed one with the reason that its event gave."""
    if not run.stack_id:
        return []
    cloudformation = run.cloud.root(run.account, run.options.region).client("cloudformation")
    reasons: dict[tuple[str, str], str] = {}
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    stacks = [run.stack_id]
    for stack in stacks:
        for event in reversed(cloudformation.describe_stack_events(StackName=stack)["StackEvents"]):
            place, physical = (stack, event["LogicalResourceId"]), event.get("PhysicalResourceId", "")
            if physical == stack:
                continue
            if event["ResourceStatus"].endswith("_FAILED"):
                reasons.setdefault(place, event.get("ResourceStatusReason", ""))
            if event["ResourceType"] == "AWS::CloudFormation::Stack" and physical and physical not in stacks:
                stacks.append(physical)
            failed = seen.get(place, {}).get("status", "").endswith("_FAILED")
            seen[place] = {
                "logical_id": event["LogicalResourceId"],
                "type": event["ResourceType"],
                "physical_id": physical,
                "status": seen[place]["status"] if failed else event["ResourceStatus"],
                "line": line_of(run.parsed, event["LogicalResourceId"]) if stack == run.stack_id else 0,
            }
    return [{**resource, "reason": reasons.get(place, "")} for place, resource in seen.items()]


def own_reasons(run: Run) -> list[str]:
    """What the events of the project's stack say of its failure, apart from its resources."""
    if not run.stack_id:
        return []
    cloudformation = run.cloud.root(run.account, run.options.region).client("cloudformation")
    events = pages(cloudformation, "describe_stack_events", "StackEvents", StackName=run.stack_id)
    return [reason for id, reason in failures(events) if not id]


def line_of(parsed: Template | None, logical_id: str) -> int:
    return parsed.line("Resources", logical_id) if parsed else 0


# -- requests ----------------------------------------------------------------------------------


def entries(folder: Path) -> list[dict[str, Any]]:
    """The requests that the template's resources and pipelines caused."""
    with (folder / "requests.jsonl").open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    return [entry for entry in found if entry.get("chapter") not in OURS]


def denied(folder: Path) -> list[dict[str, Any]]:
    """Each refused action once for each principal and resource, with what is missing."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for entry in entries(folder):
        if entry.get("decision") == "denied" and entry.get("action") not in {"", LOOKING_ON}:
            who = entry.get("role") or entry["principal"]
            found[who, entry["action"], entry["resource"]] = {
                "principal": who,
                "action": entry["action"],
                "resource": entry["resource"],
                "missing": entry.get("statement", ""),
                "statement": {"Effect": "Allow", "Action": entry["action"], "Resource": entry["resource"]},
            }
    return list(found.values())


def not_supported(folder: Path) -> dict[str, int]:
    """Operations that were called and are not supported, with the number of calls."""
    counted = Counter(f"{e['service']}:{e['operation']}" for e in entries(folder) if e.get("error") == "NotSupported")
    return dict(sorted(counted.items()))


# -- pipelines ---------------------------------------------------------------------------------


def pipelines(run: Run) -> list[str]:
    return pipeline_names(run) if run.project_status == "CreateCompleted" else []


def pipeline(run: Run, name: str) -> dict[str, Any]:
    """A pipeline with its executions, newest first."""
    codepipeline = run.cloud.root(run.account, run.options.region).client("codepipeline")
    listed = codepipeline.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
    stages = [stage["name"] for stage in codepipeline.get_pipeline(name=name)["pipeline"]["stages"]]
    return {"name": name, "executions": [execution(run, name, stages, summary) for summary in listed]}


def execution(run: Run, name: str, stages: list[str], summary: dict[str, Any]) -> dict[str, Any]:
    codepipeline = run.cloud.root(run.account, run.options.region).client("codepipeline")
    id = summary["pipelineExecutionId"]
    of_this = {"pipelineName": name, "filter": {"pipelineExecutionId": id}}
    listed = pages(codepipeline, "list_action_executions", "actionExecutionDetails", **of_this)
    details = sorted(listed, key=lambda action: action["startTime"])
    status = summary["status"]
    if status not in ENDED and waits(run, name, id):
        status = "Waiting"
    trigger = summary.get("trigger", {})
    return {
        "id": id,
        "status": status,
        "trigger": f"{trigger.get('triggerType', '')} {trigger.get('triggerDetail', '')}".strip(),
        "stages": [
            {"name": stage, "actions": [action(run, a) for a in details if a["stageName"] == stage]} for stage in stages
        ],
    }


def action(run: Run, details: dict[str, Any]) -> dict[str, Any]:
    result = details.get("output", {}).get("executionResult", {})
    error = result.get("errorDetails", {})
    entry: dict[str, Any] = {"name": details["actionName"], "status": details["status"]}
    if error:
        entry["error"] = f"{error.get('code', '')}: {error.get('message', '')}"
        entry["stack"] = stack_failures(run, details["input"].get("resolvedConfiguration", {}).get("StackName", ""))
        entry["log"] = log_end(run.cloud.folder / "builds", result.get("externalExecutionId", ""))
    return entry


def stack_failures(run: Run, name: str) -> list[str]:
    """What failed in the stack that an action deploys, oldest first."""
    found = [stack["StackId"] for stack in all_stacks(run) if name and stack["StackName"] == name]
    if not found:
        return []
    cloudformation = run.cloud.root(run.account, run.options.region).client("cloudformation")
    events = cloudformation.describe_stack_events(StackName=found[0])["StackEvents"]
    types = {event["LogicalResourceId"]: event["ResourceType"] for event in events}
    return [f"{types[id]} {id}: {reason}" if id else reason for id, reason in failures(events)]


def log_end(folder: Path, build: str) -> list[str]:
    """The last lines of a build's log; [] for anything else."""
    project, _, id = build.partition(":")
    path = folder / project / f"{id}.log"
    if not id or not path.is_file():
        return []
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not CODEBUILD.match(line)]
    return [line[:LONGEST_LINE] for line in lines[-LONGEST_LOG:]]


def waiting(run: Run) -> list[str]:
    """What a person must do before the pipelines continue."""
    if run.project_status != "CreateCompleted":
        return []
    found = []
    for name in pipelines(run):
        for stage in pipeline_state(run, name)["stageStates"]:
            for open_one in open_approvals(stage):
                found.append(f"approve {stage['stageName']}/{open_one['actionName']} of the pipeline {name}")
    return found + [f"approve or reject the model {arn}" for arn in pending_models(run)]


# -- in words ----------------------------------------------------------------------------------


def show(found: dict[str, Any]) -> None:
    """The report for a person, on stderr."""
    for note in found["notes"]:
        say(f"    note: {note}")
    for part in found["refused"]:
        where = f"{part['type']} {part['logical_id']}, line {part['line']}: " if part["logical_id"] else ""
        say(f"    refused: {where}{part['reason']}")
    show_stack(found)
    for request in found["denied"]:
        say(f"    denied: {request['action']} on {request['resource']} for {request['principal']}")
        say(f"        {request['missing']}")
        say(f"        a statement that allows it: {json.dumps(request['statement'])}")
    for name, count in found["not_supported"].items():
        say(f"    not supported at run time: {name} ({count})")
    for one in found["pipelines"]:
        show_pipeline(one)
    for failed in found["failed_deliveries"]:
        say(f"    {paint('event not delivered', '31')}: {failed['rule']} to {failed['target']}: {failed['reason']}")
    for task in found["waiting"]:
        say(f"    waiting for a person: {task}")
    if found["trouble"]:
        say(f"    {paint('broken off', '31')}: {found['trouble']}")
    say(f"\n{paint(found['outcome'], COLOURS[found['outcome']])} in {found['seconds']:.1f} s")


def show_stack(found: dict[str, Any]) -> None:
    if found["project"]["status"] == "CreateFailed" and found["message"]:
        say(f"    the project says: {found['message']}")
    for reason in found["stack"]:
        say(f"    the stack says: {reason}")
    if found["resources"]:
        say(paint("resources", "1"))
    for resource in found["resources"]:
        colour = "31" if resource["status"].endswith("FAILED") else "32"
        line = f", line {resource['line']}" if resource["line"] else ""
        status = paint(f"{resource['status']:<16}", colour)
        say(f"    {status} {resource['type']} {resource['logical_id']}{line}")
        if resource["reason"]:
            say("        " + resource["reason"].replace("\n", "\n        "))


def show_pipeline(one: dict[str, Any]) -> None:
    say(paint(f"pipeline {one['name']}", "1"))
    if not one["executions"]:
        say("    never started")
    for run in one["executions"]:
        say(f"    {run['status']:<11} {run['id']} ({run['trigger']})")
        for stage in run["stages"]:
            for step in stage["actions"]:
                say(f"        {step['status']:<11} {stage['name']}/{step['name']}")
                if step.get("error"):
                    say("            " + step["error"].replace("\n", "\n            "))
                for line in step.get("stack", []):
                    say("            " + line.replace("\n", "\n            "))
                for line in step.get("log", []):
                    say(f"            | {line}")
