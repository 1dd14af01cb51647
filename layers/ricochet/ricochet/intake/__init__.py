"""Receives postbacks of advertisers and networks, and reports them to the ledger."""
