"""DynamoDB as our tables use it: wire format, queries, pages, transactions. Knows nothing of Ricochet's entities."""
