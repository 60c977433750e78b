"""Rehearse another team's SageMaker project template, from the organization to its pipelines."""

from __future__ import annotations

from scripts.kit.console import UsageError, UserError
from scripts.rehearsal import setting as people
from scripts.rehearsal.other_templates import model as template_model
from scripts.rehearsal.other_templates.check import attach, check, deploy_before
from scripts.rehearsal.other_templates.pipelines import follow
from scripts.rehearsal.other_templates.project import create_project, s3_details, service_catalog_details
from scripts.rehearsal.other_templates.run import Refused, Run
from scripts.rehearsal.other_templates.studio import make_studio


def play(run: Run) -> None:
    """Run the whole rehearsal. A failure is recorded in the run; only a UsageError is raised."""
    try:
        chapters(run)
    except UsageError:
        raise
    except UserError as error:
        run.trouble = str(error)


def chapters(run: Run) -> None:
    run.cloud.chapter = "setting"
    run.setting = people.make_organization(run.cloud, "delegated", run.options.region)
    people.make_people(run.cloud, run.setting)
    make_studio(run)
    try:
        for path in run.options.setup:
            deploy_before(run, path)
        for role, policy in run.options.attach:
            attach(run, role, policy)
        check(run)
        run.cloud.chapter = "publishing"
        asked = service_catalog_details(run) if run.options.style == "service-catalog" else s3_details(run)
        run.cloud.chapter = "project"
        create_project(run, asked)
    except Refused as refused:
        run.refused = refused
        return
    run.cloud.chapter = "pipelines"
    if run.project_status == "CreateCompleted":
        follow(run)
        if run.options.model:
            run.cloud.chapter = "model"
            template_model.approve_model(run)
            follow(run)
