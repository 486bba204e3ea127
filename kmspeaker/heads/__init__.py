"""Heads of a user's own: by sliders, by a sculpted mesh, or a GLB with ARKit's targets."""
