"""AWS Service Catalog: portfolios, products, versions, launch constraints, and launches as stacks.

Service Catalog API Reference, the page of each operation:
- portfolios.py: portfolios, their products, principals and launch constraints; shares.py: sharing portfolios
- products.py: products and provisioning artifacts
- tag_options.py: what provisioned products are tagged with
- users.py: what end users see
- provisioning.py: provisioned products and records; launch.py: the work on their stacks

Not supported: using a shared portfolio in another account, budgets, service actions, plans, constraints
other than LAUNCH, products other than CloudFormation templates.
"""
