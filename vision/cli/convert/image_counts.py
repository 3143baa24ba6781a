"""How many images `vision convert` uses: apart from its work, as `--help` shows them without PyTorch."""

COMPARED = 8  # the logits of a CNN and of its masked attention
FITTED = 512  # the kernels of the nearest CNN
