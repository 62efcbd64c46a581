"""
The small process that holds an instance's socket, runs the app on it, restarts, drains and stops it.

It runs for months, once per instance. It imports only light modules of the standard library and zdd.host, where
`light` and `light_json` stand for those that are not, and imports all of them at its start, since its files may be
upgraded or removed later. It does not import `client`, the other side.
"""

VERSION = 1  # of the record and of the protocol on the control socket; additions do not change it
OLDEST = 1  # the oldest version that both sides speak: keepers run on for months while zddeploy is upgraded
