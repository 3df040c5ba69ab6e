"""A process that has loaded the command line and forks for each line of stdin (see commands.py).

It answers with the exit code, negative for a signal as in subprocess.
"""

import atexit
import contextlib
import io
import json
import os
import sys
from importlib import import_module

from chainrule.__main__ import main

LOADED = ("matplotlib.backends.backend_agg", "matplotlib.figure", "onnx", "PIL.Image", "scipy.ndimage", "rich.progress")
"""Modules that commands load on demand, besides those that the help needs."""


def serve() -> None:
    """Serve until stdin ends."""
    for name in LOADED:
        import_module(name)
    with contextlib.redirect_stdout(io.StringIO()):
        main(["--help"])
    for line in sys.stdin.buffer:
        child = os.fork()
        if not child:
            run(**json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run(words: list[str], folder: str, stdout: str, stderr: str) -> None:
    """In the fork: run the command and end the process, as `python -m chainrule` does."""
    os.chdir(folder)
    for place, path in ((0, os.devnull), (1, stdout), (2, stderr)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC if place else os.O_RDONLY, 0o600)
        os.dup2(opened, place)
        os.close(opened)
    sys.argv = ["chainrule", *words]
    sys.path[0] = folder
    code = 1
    try:
        code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
