"""Services whose start and stop commands are the user's own."""
