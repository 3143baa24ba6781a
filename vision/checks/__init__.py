"""What is checked of runs before the first one begins."""

from vision.checks.together import Estimate as Estimate
from vision.checks.together import check_together as check_together
