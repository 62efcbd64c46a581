"""GET / and /slow, POST /echo; they tell with which deploy they came."""

import os
import time

from django.http import HttpResponse
from django.urls import path

HEADERS = {"X-Deploy": os.environ.get("ZDD_DEPLOY", "0")}


def hello(request):
    return HttpResponse("hello\n", headers=HEADERS)


def slow(request):
    time.sleep(0.5)
    return hello(request)


def echo(request):
    return HttpResponse(request.body, headers=HEADERS)


urlpatterns = [path("", hello), path("slow", slow), path("echo", echo)]
