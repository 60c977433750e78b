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

from localaws.services.servicecatalog import portfolios as servicecatalog_portfolios
from localaws.services.servicecatalog import products as servicecatalog_products
from localaws.services.servicecatalog import provisioning as servicecatalog_provisioning
from localaws.services.servicecatalog import shares as servicecatalog_shares
from localaws.services.servicecatalog import users as servicecatalog_users
from localaws.services.servicecatalog.state import Catalog, servicecatalog

__all__ = [
    "Catalog",
    "servicecatalog",
    "servicecatalog_portfolios",
    "servicecatalog_products",
    "servicecatalog_provisioning",
    "servicecatalog_shares",
    "servicecatalog_users",
]
