"""AWS Systems Manager's Parameter Store.

AWS Systems Manager API Reference, the page of each operation. Answered here and not by moto, whose module loads all
of EC2 with it (a second of every rehearsal). A SecureString uses AWS's own key (alias/aws/ssm).
"""
