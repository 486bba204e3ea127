"""The rig: 52 ARKit shapes that every identity shares, and everything fixed on its topology."""
