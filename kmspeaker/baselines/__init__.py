"""The systems that ours is compared with, each called as ours is."""
