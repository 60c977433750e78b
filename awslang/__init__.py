"""AWS's policy language and template language, decided and resolved. Pure: imports nothing of ours."""
