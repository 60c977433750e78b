"""Build projects."""

from __future__ import annotations

from localaws.cloud import Cloud
from tests.support.providers import (
    build_project,
    client_of,
    create_resource,
    delete_resource,
    make_role_resource,
    update_resource,
)


def test_a_build_project_is_made_changed_and_deleted(cloud: Cloud) -> None:
    old = build_project(make_role_resource(cloud, "build", "codebuild.amazonaws.com"))
    made = create_resource(cloud, "AWS::CodeBuild::Project", old)
    assert made.physical_id == "sagemaker-p-build"
    codebuild = client_of(cloud, "codebuild")
    project = codebuild.batch_get_projects(names=["sagemaker-p-build"])["projects"][0]
    assert (project["timeoutInMinutes"], project["source"]["buildspec"]) == (30, "buildspec.yml")
    assert {tag["key"] for tag in project["tags"]} == {"project"}
    new = {**old, "TimeoutInMinutes": 45, "Description": "d"}
    update_resource(cloud, "AWS::CodeBuild::Project", made.physical_id, old, new)
    project = codebuild.batch_get_projects(names=["sagemaker-p-build"])["projects"][0]
    assert (project["timeoutInMinutes"], project["description"]) == (45, "d")
    delete_resource(cloud, "AWS::CodeBuild::Project", made.physical_id, new)
    assert codebuild.list_projects()["projects"] == []
