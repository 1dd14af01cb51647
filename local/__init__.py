"""Ricochet on this machine: the embedded AWS, the real template deployed to it, a demo that uses it."""
