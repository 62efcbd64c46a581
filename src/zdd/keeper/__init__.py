"""
The small process that holds an instance's socket, runs the app on it, restarts, drains and stops it.

It lives for months, once per instance: it imports the standard library's light modules and zdd.host, all of them at
its start, since its files may be upgraded or gone later. `client` is the other side's and is not imported by it.
"""

VERSION = 1  # of the record and of what is said over the control socket; what is only added leaves it as it is
OLDEST = 1  # what both sides still speak: keepers live on for months while zddeploy is upgraded
