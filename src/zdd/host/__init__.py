"""
What the operating system offers, and nothing else.

The keeper imports these modules into a process that lives for months, once per instance: they take the standard
library's light modules only (no dataclasses, pathlib, typing or subprocess at run time), and paths are strings.
"""
