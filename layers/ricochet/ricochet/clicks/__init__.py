"""Products, clicks and users: how a user sets out for an advertiser."""
