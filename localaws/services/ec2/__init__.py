"""Amazon EC2's networks: VPCs, subnets, security groups, route tables and VPC endpoints, as moto keeps them.

Amazon EC2 API Reference, the page of each operation, and "Error codes for the Amazon EC2 API"; AWS PrivateLink Guide,
"Gateway endpoints for Amazon S3". There are no instances, gateways or addresses: a network here has no way out but its
VPC endpoints.
"""
