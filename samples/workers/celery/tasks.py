"""A task that takes some seconds and writes down that it is done."""

import os
import time

import celery

app = celery.Celery("tasks", broker=os.environ["REDIS_URL"])
app.conf.worker_prefetch_multiplier = 1  # what a worker has fetched and not begun waits for it
app.conf.task_ignore_result = True


@app.task
def work(number, seconds):
    time.sleep(seconds)
    with open("done", "a") as file:
        file.write(f"{number}\n")


def send(durations):
    for number, seconds in enumerate(durations):
        work.delay(number, seconds)
