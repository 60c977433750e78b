"""AWS CodeBuild: projects, builds and test reports. The commands of a build specification really run on this machine.

AWS CodeBuild API Reference, the page of each operation:
- builds.py: projects and builds; checks.py and images.py say which projects are allowed
- run.py: one build, with buildspec.py, shell.py, artifacts.py and log.py
- reports.py: report groups, reports and test cases

Sources: CODEPIPELINE, NO_SOURCE, S3. Not supported, and refused: other sources, secondary sources, VPCs, file
systems, batches, fleets, caches in S3, logs in S3, Windows, Lambda and macOS.
"""
