"""CloudFormation's own resource types: custom resources, nested stacks, wait conditions, stack sets."""
