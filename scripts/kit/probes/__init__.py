"""Experiments in a sandbox account: each settles a question of docs/explanation/open-questions.md.

- probe.py: what a probe says of itself; lab.py: what it works with in the account
- approvals.py, builds.py, models.py, machines.py, …: the probes, by subject
- every.py: all of them; leftovers.py: finds what they make by its prefix, and removes it
- command.py: plays the chosen ones and compares AWS's answers with those of the embedded AWS (embedded.json)
"""
