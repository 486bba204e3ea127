"""What the page is made of, part by part."""
