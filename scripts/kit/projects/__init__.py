"""Projects made from the product: status, history, rollback, upgrade, seeding."""
