"""What Ricochet's functions share: models, rules, tables, the sender and the use cases.

Imports point downwards only: use cases -> tables and sender -> rules -> models.
"""
