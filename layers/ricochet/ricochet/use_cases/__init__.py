"""One module for each thing that Ricochet does for somebody; functions call exactly one of them."""
