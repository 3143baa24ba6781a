"""How layers are found and replaced: one observed forward pass, rules, and rewritten forwards."""

from vision.convert.tracing.function_rules import has_call_rule as has_call_rule
from vision.convert.tracing.function_rules import layer_for_call as layer_for_call
from vision.convert.tracing.fx_rewrite import rewrite as rewrite
from vision.convert.tracing.module_rules import has_rule as has_rule
from vision.convert.tracing.module_rules import layer_for as layer_for
from vision.convert.tracing.observe import BATCH as BATCH
from vision.convert.tracing.observe import FunctionCall as FunctionCall
from vision.convert.tracing.observe import ModuleCall as ModuleCall
from vision.convert.tracing.observe import Observation as Observation
from vision.convert.tracing.observe import observe as observe
from vision.convert.tracing.rule import CannotConvert as CannotConvert
from vision.convert.tracing.rule import Settings as Settings
