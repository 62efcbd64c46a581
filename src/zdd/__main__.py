"""`python -m zdd` is `zddeploy`."""

from zdd.cli.main import main

main()
