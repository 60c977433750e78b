"""The embedded AWS: a front door, authorization, a CloudFormation engine, and the services."""
