"""Stack sets: operations, targets, instances, automatic deployments."""
