"""A task that takes some seconds and writes down that it is done."""

import time

from huey import SqliteHuey

huey = SqliteHuey(filename="huey.db")


@huey.task()
def work(number, seconds):
    time.sleep(seconds)
    with open("done", "a") as file:
        file.write(f"{number}\n")


def send(durations):
    for number, seconds in enumerate(durations):
        work(number, seconds)
