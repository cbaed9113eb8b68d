"""The ledger: every iteration that Git and DVC remember, what it changed, what it brought, what it cost."""
