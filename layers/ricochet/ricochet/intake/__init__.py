"""The one way in: advertisers' and networks' postbacks become reports for the ledger."""
