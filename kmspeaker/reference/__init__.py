"""What shows a style: a video, a saved track or a Live Link Face CSV becomes a performance."""
