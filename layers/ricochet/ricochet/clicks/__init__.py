"""Products, clicks and users."""
