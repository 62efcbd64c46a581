"""Deploy new versions of web services behind nginx without losing one request."""

__version__ = "0.1.0"
