"""The command `chainrule`, also without the packages of its command line."""

import sys
from importlib import import_module

__all__ = ["main"]

_NEEDED = ("typer", "rich", "fastapi", "uvicorn", "prometheus_client")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line, or say how to install what it needs."""
    try:
        return import_module("chainrule.cli").main(arguments)  # type: ignore[no-any-return]
    except ModuleNotFoundError as missing:
        if missing.name not in _NEEDED:
            raise
        print(f'error: the command line needs {missing.name}: pip install "chainrule[app]"', file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
