"""A task that takes some seconds and writes down that it is done."""

import os
import time

import redis
import rq


def work(number, seconds):
    time.sleep(seconds)
    with open("done", "a") as file:
        file.write(f"{number}\n")


def send(durations):
    queue = rq.Queue(connection=redis.Redis.from_url(os.environ["RQ_REDIS_URL"]))
    for number, seconds in enumerate(durations):
        queue.enqueue(work, number, seconds)
