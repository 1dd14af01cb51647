"""The tables, one module each: what is read and written, and under which conditions."""
