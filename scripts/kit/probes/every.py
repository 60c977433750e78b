"""Every probe, those that matter for the approver first."""

from __future__ import annotations

from scripts.kit.probes import accounts, approvals, builds, catalog, machines, models, pipelines, stacks, storage
from scripts.kit.probes.probe import Probe

SUBJECTS = (approvals, builds, models, machines, storage, pipelines, stacks, catalog, accounts)
PROBES: dict[str, Probe] = {probe.name: probe for subject in SUBJECTS for probe in subject.PROBES}
