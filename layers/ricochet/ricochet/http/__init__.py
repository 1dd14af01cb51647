"""The guarded HTTP client: where a request may go, how long it may take. Knows nothing of partners."""
