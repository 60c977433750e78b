"""CloudFormation, played: the template language, the deploy loop, the resource providers, stack sets."""
