"""Run `vision` commands one after the other in one process: the fixture `vision` talks to it.

Each command would otherwise pay for its own start: the imports of torch and Hydra take seconds. The
tests cannot run the commands in their own process, because `vision train` changes it: Hydra keeps
global state, and a run sets the number of threads.

In: a line of JSON with the folder, the arguments, and variables of the environment.
Out: a line of JSON with the exit status, standard output and standard error.
"""

import contextlib
import io
import json
import os
import sys
import traceback

from vision.cli import main


def run(arguments: list[str]) -> tuple[int | str, str, str]:
    """Run one command; an exception is printed as Python would print it."""
    out, err, status = io.StringIO(), io.StringIO(), 1
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(arguments)
        except SystemExit as stop:
            status = stop.code or 0
        except Exception:
            traceback.print_exc()
    return status, out.getvalue(), err.getvalue()


if __name__ == "__main__":
    unchanged = dict(os.environ)
    for line in sys.stdin:
        request = json.loads(line)
        os.chdir(request["folder"])
        os.environ.update(request["environment"])
        print(json.dumps(run(request["arguments"])), flush=True)
        os.environ.clear()
        os.environ.update(unchanged)
