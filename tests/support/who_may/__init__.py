"""Who may do what, decided by the policies of the templates as they stand; nothing is deployed.

policies.py   every policy of an installation, resolved from the templates
people.py     who asks: roles, people, services and strangers
things.py     what is asked for (storage.py: buckets and objects; thing.py: what one is)
ways.py       in which way
world.py      all questions, and their answers
mutants.py    every statement of every policy, weakened in every way
promises.yaml what must never be allowed, by meaning
changes-nothing.yaml  why some mutants change no answer
judge.py      every mutant, with what notices it
page.py       docs/generated/who-may.md: everything that is allowed, for a reviewer
"""
