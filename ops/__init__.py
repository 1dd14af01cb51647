"""The operator's command line: inspects and operates a stack, local or on AWS. It needs no API token."""
