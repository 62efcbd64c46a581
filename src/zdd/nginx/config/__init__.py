"""
nginx's text: render, parse and judge it. Text in, text out; nothing here touches the machine.

zdd writes its own text with render and a file for each topic (server, tls, trust, passing, static, ...), and an include
with include; it reads every other text with lexer and parse, and judges it with lint. zdd.nginx.text fetches what these
need from the machine, and zdd.nginx.process starts and reloads nginx with the result.
"""
