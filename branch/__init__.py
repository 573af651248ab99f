"""The branch server: queue engine, ledger, teller and board pages."""
