"""What is generated, how it is edited and directed, and what can be measured on it."""
