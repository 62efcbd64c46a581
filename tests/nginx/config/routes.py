"""Server blocks, and the request that reaches the service "web" in each of them, or why there is none."""

from __future__ import annotations

from typing import NamedTuple

from zdd.nginx.config.visit import Unknown, Wish

PLAIN, TLS = "18080", "18443"  # replaced by free ports where nginx runs


class Route(NamedTuple):
    name: str
    text: str  # inside http
    host: str = "localhost"
    path: str = "/"
    port: str = PLAIN
    tls: bool = False
    proxy_protocol: bool = False
    wish: Wish = Wish()


class Closed(NamedTuple):
    name: str
    text: str
    why: Unknown
    wish: Wish = Wish()


TO_WEB = "proxy_pass http://web;"
LISTEN = f"listen {PLAIN};"
CERTIFIED = f"listen {TLS} ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;"

ROUTES = [
    Route("one line", f"server {{ {LISTEN} location / {{ {TO_WEB} }} }}"),
    Route(
        "80 only redirects",
        f"""server {{ {LISTEN} server_name shop.test; return 301 https://$host$request_uri; }}
        server {{ {CERTIFIED} server_name shop.test; location / {{ {TO_WEB} }} }}""",
        host="shop.test",
        port=TLS,
        tls=True,
    ),
    Route(
        "one server redirects what comes without TLS",
        f"""server {{ {LISTEN} {CERTIFIED} server_name shop.test;
        if ($scheme = http) {{ return 301 https://$host$request_uri; }} location / {{ {TO_WEB} }} }}""",
        host="shop.test",
        port=TLS,
        tls=True,
    ),
    Route(
        "certbot's redirect",
        f"""server {{ {CERTIFIED} server_name shop.test www.shop.test;
        if ($host = www.shop.test) {{ return 301 https://shop.test$request_uri; }} # managed by Certbot
        location / {{ {TO_WEB} }} }}
        server {{ if ($host = shop.test) {{ return 301 https://$host$request_uri; }}
        {LISTEN} server_name shop.test; return 404; }}""",
        host="shop.test",
        port=TLS,
        tls=True,
    ),
    Route(
        "PROXY protocol", f"server {{ listen {PLAIN} proxy_protocol; location / {{ {TO_WEB} }} }}", proxy_protocol=True
    ),
    Route(
        "PROXY protocol and TLS",
        f"server {{ {CERTIFIED.replace('ssl;', 'ssl proxy_protocol;', 1)} location / {{ {TO_WEB} }} }}",
        port=TLS,
        tls=True,
        proxy_protocol=True,
    ),
    Route("a variable", f"server {{ {LISTEN} set $up web; location / {{ proxy_pass http://$up; }} }}"),
    Route(
        "a map that has one value",
        f"""map $host $up {{ hostnames; default web; *.test web; }}
        server {{ {LISTEN} location / {{ proxy_pass http://${{up}}; }} }}""",
    ),
    Route(
        "nested locations",
        f"""server {{ {LISTEN} location / {{ return 404; }}
        location /api/ {{ return 403; location /api/v1/ {{ {TO_WEB} }} }} }}""",
        path="/api/v1/",
    ),
    Route(
        "an exact location",
        f"server {{ {LISTEN} location /x {{ return 404; }} location = /x {{ {TO_WEB} }} }}",
        path="/x",
    ),
    Route("no space", f"server {{ {LISTEN} location =/x {{ {TO_WEB} }} }}", path="/x"),
    Route(
        "expressions beside it",
        rf"""server {{ {LISTEN} location / {{ {TO_WEB} }} location ~ \.php$ {{ return 404; }}
        location ~* "^/(?<year>\d{{4}})/" {{ return 404; }} }}""",
    ),
    Route(
        "before all expressions",
        f"server {{ {LISTEN} location ~ . {{ return 404; }} location ^~ /app/ {{ {TO_WEB} }} }}",
        path="/app/",
    ),
    Route(
        "an expression that the wish fits",
        rf"server {{ {LISTEN} location / {{ return 404; }} location ~ ^/v\d+/ {{ {TO_WEB} }} }}",
        path="/v1/health?full",
        wish=Wish(path="/v1/health?full"),
    ),
    Route("files first", f"server {{ {LISTEN} location / {{ try_files $uri @app; }} location @app {{ {TO_WEB} }} }}"),
    Route("files first, no location", f"server {{ {LISTEN} try_files $uri @app; location @app {{ {TO_WEB} }} }}"),
    Route(
        "files, then another path",
        f"server {{ {LISTEN} location /a {{ try_files $uri /b?x; }} location = /b {{ internal; {TO_WEB} }} }}",
        path="/a",
    ),
    Route(
        "wildcards",
        f"server {{ {LISTEN} return 404; }} server {{ {LISTEN} server_name *.shop.test; location / {{ {TO_WEB} }} }}",
        host="www.shop.test",
    ),
    Route(
        "a name goes before a wildcard",
        f"""server {{ {LISTEN} server_name www.shop.test; return 404; }}
        server {{ {LISTEN} server_name *.shop.test shop.test; location / {{ {TO_WEB} }} }}""",
        host="shop.test",
    ),
    Route(
        "the default server",
        f"""server {{ {LISTEN} server_name other.test; return 404; }}
        server {{ listen {PLAIN} default_server; server_name _; location / {{ {TO_WEB} }} }}""",
    ),
    Route(
        "the first one is the default",
        f"server {{ {LISTEN} location / {{ {TO_WEB} }} }} server {{ {LISTEN} server_name other.test; return 404; }}",
    ),
    Route(
        "the wish's host",
        f"""server {{ {LISTEN} server_name a.test b.test; if ($host != b.test) {{ return 404; }}
        location / {{ {TO_WEB} }} }}""",
        host="b.test",
        wish=Wish(host="b.test"),
    ),
    Route(
        "a name by expression that the wish fits",
        f"server {{ {LISTEN} return 404; }} server {{ {LISTEN} server_name ~^b\\.; location / {{ {TO_WEB} }} }}",
        host="b.test",
        wish=Wish(host="b.test"),
    ),
    Route(
        "the password is asked for elsewhere",
        f"""server {{ {LISTEN} auth_basic x; auth_basic_user_file none; location / {{ {TO_WEB} }}
        location /health {{ auth_basic off; {TO_WEB} }} }}""",
        path="/health",
    ),
    Route(
        "this machine may",
        f"server {{ {LISTEN} allow 127.0.0.1; deny all; location / {{ {TO_WEB} }} }}",
    ),
    Route(
        "old paths are redirected",
        f"server {{ {LISTEN} rewrite ^/old /new permanent; location / {{ {TO_WEB} }} location /old {{ {TO_WEB} }} }}",
    ),
    Route("an odd path", f"server {{ {LISTEN} location '/caf\u00e9 1/' {{ {TO_WEB} }} }}", path="/caf%C3%A9%201/"),
    Route(
        "another address",
        f"""server {{ listen 127.0.0.1:{PLAIN}; return 404; }}
        server {{ listen 127.0.0.2:{PLAIN}; location / {{ {TO_WEB} }} }}""",
    ),
    Route(
        "TLS is spoken in one of two",
        f"server {{ {LISTEN} location / {{ {TO_WEB} }} }} server {{ {CERTIFIED} location / {{ {TO_WEB} }} }}",
        port=TLS,
        tls=True,
    ),
    Route(
        "a certificate is asked for",
        f"""server {{ {LISTEN} location / {{ {TO_WEB} }} }} server {{ {CERTIFIED} ssl_verify_client on;
        ssl_client_certificate cert.pem; location / {{ {TO_WEB} }} }}""",
    ),
    Route(
        "maintenance lines",
        f"""server {{ {LISTEN} set $m ""; if (-f /nonexistent) {{ set $m $uri; }}
        if ($m !~ "^(/zdd-maintenance)?$") {{ return 503; }} location / {{ {TO_WEB} }} }}""",
    ),
]

CLOSED = [
    Closed("nobody", f"server {{ {LISTEN} location / {{ return 404; }} }}", Unknown.NOWHERE),
    Closed("any upstream", f"server {{ {LISTEN} location / {{ proxy_pass http://$host; }} }}", Unknown.VARIABLE),
    Closed(
        "a map of two",
        f"map $host $up {{ default web; a.test other; }} server {{ {LISTEN} location / {{ proxy_pass http://$up; }} }}",
        Unknown.VARIABLE,
    ),
    Closed("only an expression", rf"server {{ {LISTEN} location ~ \.do$ {{ {TO_WEB} }} }}", Unknown.PATTERN),
    Closed(
        "an expression for a name",
        f"server {{ {LISTEN} return 404; }} server {{ {LISTEN} server_name ~^b\\.; location / {{ {TO_WEB} }} }}",
        Unknown.PATTERN,
    ),
    Closed("closed", f"server {{ {LISTEN} return 404; location / {{ {TO_WEB} }} }}", Unknown.OWN_ANSWER),
    Closed("a password", f"server {{ {LISTEN} location / {{ auth_basic x; {TO_WEB} }} }}", Unknown.ACCESS),
    Closed("only others", f"server {{ {LISTEN} deny all; location / {{ {TO_WEB} }} }}", Unknown.ACCESS),
    Closed("no TLS", f"server {{ {CERTIFIED} ssl_reject_handshake on; location / {{ {TO_WEB} }} }}", Unknown.ACCESS),
    Closed("old HTTP/2", f"server {{ listen {PLAIN} http2; location / {{ {TO_WEB} }} }}", Unknown.NOT_HTTP1),
    Closed(
        "another address gets what this machine sends",
        f"server {{ listen 127.0.0.1:{PLAIN}; return 404; }} server {{ {LISTEN} location / {{ {TO_WEB} }} }}",
        Unknown.HIDDEN,
    ),
    Closed(
        "the same name again",
        f"""server {{ {LISTEN} server_name a.test; return 404; }}
        server {{ {LISTEN} server_name a.test; location / {{ {TO_WEB} }} }}""",
        Unknown.HIDDEN,
    ),
]
