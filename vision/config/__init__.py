"""The settings of a run: their types, defaults and meanings, and the checks that need no data.

>>> RunConfig(data=DataConfig(name="digits", source="digits"), model=ModelConfig(name="field_vit")).seed
0
"""

from vision.config.checks import check as check
from vision.config.data import AugmentConfig as AugmentConfig
from vision.config.data import DataConfig as DataConfig
from vision.config.dotted import flatten as flatten
from vision.config.gpu_share import GPU_SHARE as GPU_SHARE
from vision.config.gpu_share import gpu_share as gpu_share
from vision.config.model import ModelConfig as ModelConfig
from vision.config.modules import ALLOWED_TARGETS as ALLOWED_TARGETS
from vision.config.modules import import_module as import_module
from vision.config.modules import import_named as import_named
from vision.config.processes import ONLY_PROCESS as ONLY_PROCESS
from vision.config.processes import ProcessOfRun as ProcessOfRun
from vision.config.processes import this_process_of_run as this_process_of_run
from vision.config.renamed import DISTANCE as DISTANCE
from vision.config.renamed import OLD_DISTANCE as OLD_DISTANCE
from vision.config.renamed import RENAMED as RENAMED
from vision.config.renamed import current_names as current_names
from vision.config.requirements import require_flags as require_flags
from vision.config.run import RunConfig as RunConfig
from vision.config.setting_types import setting_types as setting_types
from vision.config.training import TrainingConfig as TrainingConfig
from vision.config.written import written_data as written_data
