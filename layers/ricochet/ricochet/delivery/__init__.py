"""The one way out: partners receive each version of each conversion, with retries."""
