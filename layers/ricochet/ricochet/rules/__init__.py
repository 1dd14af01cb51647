"""Decisions without input or output: given the facts, what follows. They import models only."""
