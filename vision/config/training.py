"""The settings of the training: budget, optimizer, schedule and device."""

from dataclasses import dataclass, field

from vision.config.keywords import settings
from vision.dynamic import Arguments


@settings("training")
@dataclass(kw_only=True, slots=True)
class TrainingConfig:
    """How a model is trained.

    Attributes:
        steps: optimizer steps; null if `epochs` is given.
        epochs: passes over the training images; null if `steps` is given.
        min_steps: least number of optimizer steps of a budget in epochs; null sets none.
        batch_size: images per step.
        accumulation_steps: parts of a batch that go through the model one after another, to save memory.
            Their gradients are averaged. Batch norms see one part at a time.
        out_of_memory: fail, or halve: where memory runs out in a step, this step and those after it are done
            in twice as many parts. Steps then run without a CUDA graph.
        optimizer: a name of `timm.optim.list_optimizers()`, such as adamw, sgd or lion.
        momentum: of sgd and other optimizers that have one; null is the optimizer's default (sgd: 0.9).
        optimizer_options: further arguments of the optimizer, such as {nesterov: false}.
        lr: peak learning rate.
        layer_decay: factor by which the learning rate falls from each block to the one before it; null is 1.
        weight_decay: weight decay; norms, biases and position embeddings have none.
        schedule: cosine, constant, multistep, step, poly, tanh, wsd or rsqrt, as in timm.
        schedule_options: arguments of timm's create_scheduler_v2. Milestones and lengths are fractions of all
            steps, such as {decay_milestones: [0.5, 0.75], decay_rate: 0.1}.
        warmup_fraction: fraction of the steps over which the learning rate rises linearly.
        label_smoothing: probability that is spread evenly over all classes in the target.
        clip_grad: largest gradient norm; null does not clip.
        ema_decay: decay of an exponential moving average of the weights, which is then evaluated; null
            evaluates the weights themselves.
        num_evaluations: number of validation passes, including one after the last step.
        log_inside: at each validation, and before the first step, keep what each head does in metrics.jsonl:
            mean attention distance, centre, width and gate.
        patience: stop after this many validation passes in a row without a lower validation loss, and keep
            the weights of the lowest; null trains to the end.
        freeze_backbone: train the classifier alone (a linear probe); batch norms keep their statistics.
        metrics: functions of your own as MODULE:NAME, which take the logits (N, K) and the labels (N,) and
            return a number; in tables as metric.NAME, for the test images.
        callbacks: functions of your own as MODULE:NAME, called after each validation, without gradients, with
            the model, its line of metrics.jsonl and the run's folder; training stops if one returns True.
        loggers: tensorboard, mlflow and wandb (Weights & Biases, offline), which get the figures of a run
            too. They write below output_dir/loggers; each is an extra of its name.
        checkpoint_minutes: how often the state of a run is kept, from which it continues if it is cut; null
            never keeps it. It is kept on SIGTERM and SIGUSR1 too.
        compile: run the model under torch.compile.
        cuda_graph: auto or never. With auto, steps on a CUDA device are replayed as one CUDA graph where that
            is possible; the record has the reason where it is not.
        memory_format: auto, contiguous or channels_last; auto is channels_last on a CUDA device.
        precision: auto, float32 or bfloat16 (autocast); auto is bfloat16 where the device supports it.
        device: auto, cpu, cuda or mps; auto is the first of cuda, mps and cpu that is available.
        threads: CPU threads; null leaves torch's default.
    """

    steps: int | None = 300
    epochs: float | None = None
    min_steps: int | None = None
    batch_size: int = 64
    accumulation_steps: int = 1
    out_of_memory: str = "fail"
    optimizer: str = "adamw"
    momentum: float | None = None
    optimizer_options: Arguments = field(default_factory=Arguments)
    lr: float = 1e-3
    layer_decay: float | None = None
    weight_decay: float = 0.05
    schedule: str = "cosine"
    schedule_options: Arguments = field(default_factory=Arguments)
    warmup_fraction: float = 0.1
    label_smoothing: float = 0.1
    clip_grad: float | None = 1.0
    ema_decay: float | None = None
    num_evaluations: int = 5
    log_inside: bool = False
    patience: int | None = None
    freeze_backbone: bool = False
    metrics: list[str] = field(default_factory=list[str])
    callbacks: list[str] = field(default_factory=list[str])
    loggers: list[str] = field(default_factory=list[str])
    checkpoint_minutes: float | None = 10.0
    compile: bool = False
    cuda_graph: str = "auto"
    memory_format: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    threads: int | None = None
