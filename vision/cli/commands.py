"""The subcommands of `vision`, and what each does."""

COMMANDS = {
    "train": "train one model, or with -m a sweep of many",
    "status": "count the finished, failed, running and missing runs of a sweep, and watch it",
    "verify": "check the finished runs of a sweep against their checksums",
    "clean": "remove the leftovers of interrupted runs, and runs that were replaced",
    "plot": "plot accuracy or another metric against training-set size or another setting",
    "report": "write one page about a sweep: findings, figures, tables and methods",
    "evaluate": "measure robustness, calibration and linear probes of a sweep's finished runs",
    "compare": "print a sweep's accuracies next to published ones",
    "data": "summarize a data set: images, classes, sizes and problems",
    "models": "list models by name, those of this package with parameters and multiply-adds",
    "predict": "classify images with a trained model",
    "export": "export a trained model to ONNX or torch.export",
    "convert": "turn a CNN into masked attention, or a ViT into its nearest CNN, and compare them",
    "inspect": "look inside a model: attention distance, kernel shares, receptive fields, CKA",
}
