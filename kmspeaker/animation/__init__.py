"""What is generated, how controls edit it, and what can be measured on it."""
