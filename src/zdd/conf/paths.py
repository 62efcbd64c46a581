"""Paths: those that nginx can match, and those that a request can have."""

# nginx compares the decoded path, of which it has removed ".", ".." and slashes that follow another.
UNTIDY = r"//|/\.\.?(/|$)"
REGEX = r"[\^|]|\.\+|[\])][+*]|\.\*|\(\?|\$$|^~"
ROUTE = rf"(?!.*({UNTIDY}|%[0-9A-Fa-f]{{2}}|[?#*\^|]|\.\+|[\])]\+|\(\?|\$$))/[^\s;{{}}\"'\\\0]*"
REQUEST = r'/[!"$-~]*'
