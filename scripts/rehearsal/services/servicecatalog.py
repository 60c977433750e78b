"""Service Catalog: portfolios, products, versions, launch constraints, and launches as stacks.

Plays (Service Catalog API Reference, by the names of the operations):
- servicecatalog_portfolios: portfolios, their products, principals and launch constraints
- servicecatalog_products: products and provisioning artifacts
- servicecatalog_shares: sharing portfolios
- servicecatalog_users: what end users see
- servicecatalog_provisioning: provisioned products and records; servicecatalog_launch: the work on their stacks

Not played: using a shared portfolio in another account, tag options, budgets, service actions, plans,
constraints other than LAUNCH, products other than CloudFormation templates.
"""

from __future__ import annotations

from scripts.rehearsal.services import (
    servicecatalog_portfolios,
    servicecatalog_products,
    servicecatalog_provisioning,
    servicecatalog_shares,
    servicecatalog_users,
)
from scripts.rehearsal.services.servicecatalog_state import Catalog, servicecatalog

__all__ = [
    "Catalog",
    "servicecatalog",
    "servicecatalog_portfolios",
    "servicecatalog_products",
    "servicecatalog_provisioning",
    "servicecatalog_shares",
    "servicecatalog_users",
]
