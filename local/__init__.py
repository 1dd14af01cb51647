"""Ricochet on this machine: an embedded AWS, the real template deployed to it, and a demo that uses it."""
