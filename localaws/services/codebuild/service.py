"""CodeBuild: projects and builds, whose buildspec commands really run on this machine.

Plays CreateProject, UpdateProject, DeleteProject, BatchGetProjects, ListProjects, StartBuild,
StopBuild, BatchGetBuilds, ListBuilds, ListBuildsForProject (AWS CodeBuild API Reference, the page
of each operation), and the report operations of codebuild_reports.py. How a build runs:
codebuild_run.py. What a project may be: codebuild_projects.py, codebuild_images.py.

Sources: CODEPIPELINE, NO_SOURCE, S3. Not played, and refused: other sources, secondary sources,
VPCs, file systems, batches, fleets, caches in S3, logs in S3, Windows, Lambda and macOS.
"""

from __future__ import annotations

from localaws.service import Service

codebuild = Service("codebuild")
