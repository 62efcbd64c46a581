"""
gzip for files that nginx serves itself.

Never for answers of apps: the compressed length of an answer with a secret and a visitor's own words in it tells the
secret to anyone who can try many words (BREACH, https://www.breachattack.com). Apps compress what is harmless.
"""

LINES = """\
gzip_types text/css text/javascript text/plain text/xml application/json application/manifest+json application/wasm
    image/svg+xml font/otf font/ttf;
gzip_min_length 1k;
gzip_comp_level 5;
gzip_proxied any;  # also for a request that came by another proxy
gzip_vary on;"""
"""The lines for the http level; they compress nothing yet."""

ON = "gzip on;"
"""The line for a location that serves files, and only files."""
