"""`ops doctor` in three steps: observe the stack, keep the facts, judge them."""
