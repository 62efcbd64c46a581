"""What an operator does without a new version."""
