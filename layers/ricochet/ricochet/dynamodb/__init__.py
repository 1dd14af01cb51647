"""DynamoDB as our tables use it: wire format, queries, pages, transactions. Knows none of Ricochet's entities."""
