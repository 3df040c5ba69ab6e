"""The command line for tests: started as a user starts it, or forked from a process that has already loaded it.

A start takes half a second, most of it for loading modules, and the suite has hundreds of them. So one clean
process (no test has run in it, and it has no threads) loads the command line once, and each command is a fork of it.
If a caller changes anything that is read while modules load (environment, limits), Python is started afresh.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["Commands"]

_NOT_LOOKED_AT = {"PYTEST_CURRENT_TEST"}


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _NOT_LOOKED_AT}


class Commands:
    """Runs `chainrule ...`; each command is a separate process."""

    def __init__(self) -> None:
        self._environment = _environment()
        self._outputs = tempfile.TemporaryDirectory(prefix="commands-")
        self._loaded = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("forking.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
        )

    def __call__(
        self, *arguments: object, cwd: os.PathLike[str] | None = None, **options: object
    ) -> subprocess.CompletedProcess[str]:
        """Return exit code, stdout and stderr; takes options of `subprocess.run`, and variables as `environment`."""
        words = [*map(str, arguments)]
        if options or _environment() != self._environment:
            environment = os.environ | options.pop("environment", {})
            return subprocess.run(
                [sys.executable, "-m", "chainrule", *words],
                capture_output=True,
                text=True,
                timeout=1200,
                check=False,
                cwd=cwd,
                env=environment,
                **options,
            )
        shown, told = (Path(self._outputs.name) / name for name in ("stdout", "stderr"))
        request = {"words": words, "folder": str(cwd or Path.cwd()), "stdout": str(shown), "stderr": str(told)}
        self._loaded.stdin.write(json.dumps(request).encode() + b"\n")
        self._loaded.stdin.flush()
        code = json.loads(self._loaded.stdout.readline())
        return subprocess.CompletedProcess(words, code, shown.read_text("utf-8"), told.read_text("utf-8"))

    def close(self) -> None:
        """Stop the process that has loaded the command line."""
        self._loaded.stdin.close()
        self._loaded.wait()
        self._loaded.stdout.close()
        self._outputs.cleanup()
