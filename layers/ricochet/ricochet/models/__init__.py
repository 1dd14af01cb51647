"""Entities and values: what Ricochet stores and speaks of. They import nothing of ours but errors."""
