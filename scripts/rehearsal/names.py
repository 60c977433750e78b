"""Names in the folder of a rehearsal, which are read without loading the embedded AWS."""

from __future__ import annotations

from scripts.kit.bundle.pack import ROOT

DEFAULT = ROOT / "build" / "rehearsal"
LOCK = ".rehearsal.lock"
POLICIES, SUMMARY, REPORT, ENVIRONMENT, PROFILES, VARIABLES, CHANGES = (
    "policies.json", "summary.json", "report.html", "environment.yaml", "aws-config", "env.sh", "changes.md",
)  # fmt: skip
EXAMPLES = {"iris": "iris", "sklearn": "penguins"}  # of the seed code: how each is called, its model in project.toml
MODELS = {model: name for name, model in EXAMPLES.items()}  # the other way round
IMAGES = "rehearsal-images.yaml"  # what stands in for a team's own images, where it is in the working directory
