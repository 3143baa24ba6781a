"""How layers are found and replaced: one observed forward pass, rules, and a rewritten graph."""

from vision.convert.tracing.modules import named_modules as named_modules
from vision.convert.tracing.modules import replace_module as replace_module
