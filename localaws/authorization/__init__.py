"""Authorization of every request to the embedded AWS, as IAM decides.

evaluator.py decides, purely, from a request and the policies that apply to it (conditions.py,
patterns.py, policies.py are its parts). requests.py says what a request needs; state.py reads the
policies that apply; authorizer.py puts both together and says no in AWS's words.
"""
