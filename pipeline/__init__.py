"""What the project's pipeline runs: build.py in the Build step, endpoints.py in the Test steps."""
