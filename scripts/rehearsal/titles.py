"""The story's chapters by name, each with its title: what the command line lists without loading the embedded AWS."""

from __future__ import annotations

TITLES = {
    "organization": "An organization with four accounts",
    "permissions": "Units, delegation, roles, Studio, buckets and keys (templates 09 to 14 and 20)",
    "publishing": "The product in Service Catalog (template 30)",
    "project": "A data scientist creates a project",
    "training": "A model is trained and registered",
    "model-approval": "The data scientist approves the version",
    "staging": "The pipeline deploys to staging and tests (templates 40 and 50)",
    "deployment-approval": "The approver approves",
    "production": "The pipeline deploys to production and tests",
    "predictions": "The endpoints answer",
    "second-version": "A second version goes the same way",
    "push": "A setting is pushed, and the approver refuses it",
    "rejection": "The second version is rejected, and the first comes back",
}
ALONE = {  # what chapters are called without an organization
    "organization": "Three accounts without an organization",
    "permissions": "Roles, Studio, buckets and keys (templates 09 to 14, 20 and 21)",
}
UNSTAGED = {  # and where production is the only stage; "" for what there is not
    "organization": "Accounts without one for staging",
    "staging": "",
    "deployment-approval": "The approver approves a version that no stage has tested",
}
