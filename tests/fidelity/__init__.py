"""The evaluator against an independent one: random cases, each decided by both."""
