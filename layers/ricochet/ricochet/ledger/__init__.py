"""Conversions and money: what a report does to rows and wallets, and the one transaction that writes it."""
