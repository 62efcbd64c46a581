"""
The classic contract, frozen.

zdd began in 2011 as a small script: `deploy.conf` names an nginx template and services that start in the background,
each of which writes a pid file and `PID.port`. Projects of that time must go on working, unchanged, with every later
zdd. This suite states what they rely on: the command line, exit codes, the bytes of nginx.conf, pid and port files,
and the processes that are started, signalled and left alone.

It is frozen. A change of zdd that turns one of these tests red is wrong, and the change is what must be mended, not
the test. Two things are left open on purpose:

- `KEEPALIVE` in site.py: the bounds of pooled connections in `{NAME.servers}`. A release that measures better bounds
  changes this one line.
- Placeholders inside comments of a template. No template here has one.

So that nothing forces an edit, the suite runs the program `zddeploy` and looks at files and processes. It imports
nothing of zdd, compares no message to people word by word, and depends on no other folder of tests (`tests.machine`
excepted). It runs as root and as an ordinary user; the folders it uses belong to whoever runs it, and nobody else may
write them.

    site.py               a project in a folder of its own, and what can be seen of it
    server.py             a service that follows the contract
    test_samples.py       samples/gunicorn, node and twisted as they are
    test_command_line.py  `zddeploy -c FILE -v`, exit codes, deploy.conf: interpolation, unknown keys
    test_template.py      the bytes of nginx.conf; nginx started, reloaded, left alone
    test_instances.py     pid and port files, start and stop commands, several services
"""
