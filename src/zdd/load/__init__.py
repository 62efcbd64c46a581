"""
An open-loop HTTP load generator that hides nothing: it repeats no request, and counts time from when each was due.

See `Load` for its use from Python and `python -m zdd.load --help` for its use by hand.
"""

from zdd.load.child import Load, LoadError
from zdd.load.report import Answered, Progress, Report
from zdd.load.samples import OUTCOMES, Failure, Samples
from zdd.load.spec import Kind, Spec

__all__ = ["OUTCOMES", "Answered", "Failure", "Kind", "Load", "LoadError", "Progress", "Report", "Samples", "Spec"]
