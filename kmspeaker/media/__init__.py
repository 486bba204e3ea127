"""Files of sound, picture and geometry, in and out; no room below knows of faces."""
