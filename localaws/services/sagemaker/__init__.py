"""Amazon SageMaker and SageMaker Runtime: one module for each subject.

SageMaker API Reference, the page of each operation:
- registry.py: model package groups, versions, approvals, policies; models.py, images.py: models
- endpoint_configs.py, endpoints.py, deployment.py, servers.py, shared.py: endpoints with real model servers
- invocations.py: SageMaker Runtime; shadows.py: copies of its requests to shadow variants
- training.py, tuning.py, logs.py, storage.py: training jobs, really trained, and tuning jobs of a few of them
- transform.py: batch transforms with real model servers
- studio_images.py: images of Studio, of which there are none
- processing.py, script_mode.py, containers.py: processing jobs, script mode, and how a team's script runs
- monitor_definitions.py, monitor_schedules.py, monitor_jobs.py, monitor_runs.py, monitor_analysis.py,
  monitor_statistics.py: monitors of data quality, which really look at what was captured
- monitor_merge.py, monitor_quality.py: monitors of model quality, which join it with what is true
- pipelines.py, pipeline_definition.py, pipeline_runs.py, pipeline_steps.py, pipeline_cache.py, pipeline_retries.py:
  SageMaker pipelines
- projects.py, domains.py, user_profiles.py, code_repositories.py: what SageMaker Studio shows
- lineage.py, lineage_records.py, lineage_queries.py: lineage, by hand, by SageMaker itself, and asked
- tags.py: tags
"""
