"""The guarded HTTP client: where a request may go and how long it may take. Knows nothing of partners."""
