"""Records in, numbers out."""

from vision.analysis.curves import accuracy_curves as accuracy_curves
