"""The command `chainrule`, also without the packages of its command line."""

import sys

__all__ = ["main"]

try:
    from chainrule.cli import main
except ModuleNotFoundError as missing:
    if missing.name not in ("typer", "rich"):
        raise
    _PACKAGE = missing.name

    def main(arguments: list[str] | None = None) -> int:
        """Say how to install what the command line needs."""
        print(f'error: the command line needs {_PACKAGE}: pip install "chainrule[app]"', file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
