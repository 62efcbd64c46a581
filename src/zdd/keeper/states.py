"""What state an instance can be in; the words are those of its answers."""

STARTING, SERVING, WARM, DRAINING, STOPPING, FAILED = "starting", "serving", "warm", "draining", "stopping", "failed"
RESTING = "resting"  # no app runs, but its place is kept, for it may be started again
DOWN = "down"  # what others see: connections are refused, since the app has not answered for hold_max
