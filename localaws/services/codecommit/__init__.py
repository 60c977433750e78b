"""AWS CodeCommit: repositories with real git content, their branches, commits and files.

AWS CodeCommit API Reference, the page of each operation; User Guide, "Quotas in AWS CodeCommit", "Monitoring
CodeCommit events in Amazon EventBridge". service.py: repositories, branches, tags; files.py: commits and files.

The API has no git transport here. UploadArchive, with which CodePipeline fetches its source, is a permission without
an API: service.archive() is what it does.
"""
