"""KM-Speaker: a 3D face that says your speech in the style of a reference performance."""

__version__ = "0.1.0"
