"""Partners: what each receives, how its server is doing, and what it may see."""
