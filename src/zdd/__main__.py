"""The program, by whichever name: `zddeploy`, `zdd` and `python -m zdd`."""

import gc


def main() -> None:
    """Import the program and run it. What modules make stays, so meanwhile nobody searches it for garbage."""
    gc.disable()
    from zdd.cli.main import main

    main()


if __name__ == "__main__":
    main()
