"""The story of one conversion: find everything that was recorded, then put it on a timeline."""
