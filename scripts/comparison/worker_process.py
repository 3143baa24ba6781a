"""Train runs one after another in one process: settings in on standard input, the result out, as JSON lines.

Imports and data are read once. A run that fails is answered with its error; a device that is broken ends
the process, and the study starts another one.

echo '["data=digits", "model=vit"]' | python -m comparison.worker_process
"""

import contextlib
import gc
import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from vision.cli import main as vision


def main() -> None:
    """Serve until standard input ends."""
    for line in sys.stdin:
        start = time.perf_counter()
        answer = train(json.loads(line)) | {"wall": round(time.perf_counter() - start, 3)}
        print(json.dumps(answer), flush=True)
        if "error" in answer:
            gc.collect()
            if torch.cuda.is_initialized():
                torch.cuda.synchronize()  # raises where the device is broken
                torch.cuda.empty_cache()


def train(settings: list[str]) -> dict[str, Any]:
    """Run `vision train` here; return accuracy, steps and seconds, or the error."""
    printed = io.StringIO()
    status: Any = 0
    try:
        with contextlib.redirect_stdout(printed):
            status = vision(["train", *settings])
    except SystemExit as stop:
        status = stop.code
    except Exception as error:  # nothing may end a worker but a broken device
        return {"error": f"{type(error).__name__}: {error}"}
    folder = printed.getvalue().strip()
    if status or not folder:
        return {"error": f"exit status {status}; the log has the reason"}
    result = json.loads((Path(folder.splitlines()[-1]) / "result.json").read_text())
    return {name: result[name] for name in ("test_accuracy", "val_accuracy", "steps", "train_seconds")}


if __name__ == "__main__":
    main()
