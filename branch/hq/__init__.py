"""Head office: what the branches' ledgers come together in."""
