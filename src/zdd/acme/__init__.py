"""Certificates from an authority that speaks ACME (RFC 8555), by certbot, which runs as a program of its own."""
