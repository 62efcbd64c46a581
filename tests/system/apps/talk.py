"""A Gradio app with a stream, a state and an upload; each answer names the instance. For uvicorn: `talk:app`."""

import os
import time
from pathlib import Path

import gradio
from fastapi import FastAPI

WHO = os.environ.get("ZDD_INSTANCE", "?")


def hello(name):
    return f"{name} {WHO}"


def count(until):
    """Go on until this file exists."""
    number = 0
    while not Path(until).exists():
        number += 1
        yield f"{number} {WHO}"
        time.sleep(0.2)
    yield f"end {WHO}"


def remember(word, words):
    words = [*words, word]
    return f"{len(words)} {WHO}", words


def size(path):
    return f"{os.path.getsize(path)} {WHO}"


with gradio.Blocks() as page:
    word, answer, words, file = gradio.Textbox(), gradio.Textbox(), gradio.State([]), gradio.File()
    gradio.Button("hello").click(hello, word, answer, api_name="hello")
    gradio.Button("count").click(count, word, answer, api_name="count")
    gradio.Button("remember").click(remember, [word, words], [answer, words], api_name="remember")
    gradio.Button("size").click(size, file, answer, api_name="size")

page.queue(default_concurrency_limit=20)  # by default one call of each function at a time
app = gradio.mount_gradio_app(FastAPI(), page, path="")
