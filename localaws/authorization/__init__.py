"""Authorization of every request to the embedded AWS, as IAM decides.

awslang.policy decides, purely, from a request and the policies that apply to it. Here, requests.py says what a
request needs; state.py reads the policies that apply, the services' own through their access.py; authorizer.py puts
both together and refuses in AWS's words.
"""
