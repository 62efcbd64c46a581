"""nginx: its program, its text, and getting the one to run the other."""
