"""Do one run as a plain script does, with torch and timm only, to compare sweeps with.

python scripts/benchmarks/plain_run.py FOLDER TRAIN_SIZE SEED STEPS BATCH_SIZE
"""

import json
import sys
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from timm.optim import create_optimizer_v2


def main(folder: Path, train_size: int, seed: int, steps: int, batch_size: int) -> None:
    """Train the model of arguments.json on the first images of digits.npz, and score it."""
    torch.manual_seed(seed)
    arrays = {name: torch.from_numpy(array) for name, array in np.load(folder / "digits.npz").items()}
    train, test = (arrays[f"{part}_pixels"].float().div(255) for part in ("train", "test"))
    model = timm.create_model(**json.loads((folder / "arguments.json").read_text()))
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.05, fused=True)
    model.train()
    for _ in range(steps):
        batch = torch.randint(train_size, (batch_size,))
        loss = F.cross_entropy(model(train[batch]), arrays["train_labels"][batch], label_smoothing=0.1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    with torch.inference_mode():
        accuracy = (model(test).argmax(1) == arrays["test_labels"]).float().mean()
    (folder / f"plain-n{train_size}-s{seed}.json").write_text(json.dumps({"test_accuracy": float(accuracy)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
