"""Fine-tune a trained model to other classes, channels and image sizes, in another project.

$ vision train model=cnn train_size=500
$ python examples/fine_tune.py outputs/runs/CNN/n500/s0
"""
# pyright: reportUnknownMemberType=false

import sys

import torch
from torch.nn.functional import cross_entropy

import vision

trained = vision.load(sys.argv[1], in_chans=3, img_size=16, num_classes=2)  # the head is new
model = trained.model.train()
torch.manual_seed(0)
dark, light = torch.rand(2, 64, 3, 16, 16).mul_(0.5).unbind()
images, labels = torch.cat((dark, light + 0.5)) - 0.5, torch.arange(2).repeat_interleave(64)

head = [p for name, p in model.named_parameters() if name.startswith("head")]
body = [p for name, p in model.named_parameters() if not name.startswith("head")]
optimizer = torch.optim.AdamW([{"params": head, "lr": 1e-2}, {"params": body, "lr": 1e-3}])
for _ in range(20):
    chosen = torch.randint(len(images), (32,))
    loss = cross_entropy(model(images[chosen]), labels[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    accuracy = (model.eval()(images).argmax(dim=1) == labels).double().mean()
print(f"accuracy on the new task {accuracy:.2f}")
