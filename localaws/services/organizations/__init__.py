"""AWS Organizations: moto holds the organization; what moto lacks is answered here.

AWS Organizations API Reference, the page of each operation. Answered here: the names of accounts that are older than
the organization (Account: "the friendly name of the account"), which accounts may call what ("You can call this
operation only from the management account or from a member account that is a delegated administrator"),
CreateAccount with chosen account ids and with AdministratorAccess on its role (an e-mail address that is taken fails
the request), units and moves with the errors of their pages, delegated administration of stack sets, and invitations.
Every other operation of READS and WRITES is moto's answer for the management account.
"""
