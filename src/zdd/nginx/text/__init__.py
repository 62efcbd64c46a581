"""The texts that nginx gets: zdd's own and the user's template, and what follows from them."""
