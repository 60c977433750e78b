"""Amazon ECR's private registries: moto holds the repositories; images, replication and templates are answered here.

Amazon ECR User Guide, "Private image replication" (what is pushed after the set-up goes to each destination, once; a
missing repository is created) and "Templates to control repositories created during a pull through cache …" (the
longest prefix wins, a slash is assumed at its end, ROOT stands for all others); API Reference, PutImage (the digest
is the manifest's SHA-256; every layer must have been uploaded), BatchGetImage, PutReplicationConfiguration,
DescribeImageReplicationStatus and the four operations on creation templates.

BatchGetImage also reads the registries of SageMaker's XGBoost (images.py), so that their image can be mirrored.
Not supported: replication to other accounts, lists of manifests, creation templates with keys, tags or a role.
"""
