"""The operator's command line: looks at a stack, local or on AWS, and sets it right. Needs no token of the API."""
