"""The typed configs behind `conf/`: a misspelt key or a wrong type is an error that names the key.

Not frozen, because OmegaConf makes a frozen dataclass read-only and then refuses every override. Whoever composes one
may still write to it; once a story has it, nothing does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# OmegaConf's mark of a value that must be given. To import OmegaConf for it would cost every look at a registry.
MISSING: Any = "???"
# Of `target_modules`: every linear layer of the decoder's blocks.
ALL_LINEAR = "all-linear"


@dataclass
class ModelConfig:
    """Which base. `id` is a hub id, a folder or `wheel:<module>/<file>.gguf`; `install` is what brings that wheel."""

    id: str = MISSING
    revision: str | None = None
    attn_implementation: str = "auto"
    install: str | None = None


@dataclass
class QuantizationConfig:
    """How the base is held: `kind` is nf4, int8 or none; dtypes are torch's names (`bfloat16`, `float32`)."""

    kind: str = MISSING
    dtype: str = "bfloat16"
    compute_dtype: str = "bfloat16"
    double_quant: bool = True


@dataclass
class AdapterConfig:
    """The shape of the adapter to train, and what a preset proposes besides.

    `target_modules` is `all-linear`, one name, or a list of names: modules' own, or roles (`attention`, `mlp`, `q`,
    `k`, `v`, `o`, `gate`, `up`, `down`). `init_lora_weights` is default, gaussian or eva. It is trained in float32, and
    stored in `dtype`, float32 or bfloat16. What stands behind that is no part of the shape, and a proposal:
    conf/trainer/default.yaml takes `epochs`, `learning_rate` and `max_steps` (at most so many; null: no limit),
    conf/train.yaml `budget.max_artifact_mb`, `intended_use` and `tags`.
    """

    r: int = MISSING
    lora_alpha: float = MISSING
    lora_dropout: float = 0.0
    target_modules: Any = ALL_LINEAR
    use_rslora: bool = False
    use_dora: bool = False
    init_lora_weights: str = "default"
    dtype: str = "float32"
    epochs: float = 1.0
    learning_rate: float = 3e-4
    max_steps: int | None = None
    max_artifact_mb: float | None = None
    intended_use: str = ""
    tags: list[str] = field(default_factory=list)

    @property
    def targets(self) -> list[str]:
        """The names in `target_modules`, which may be one text."""
        return [self.target_modules] if isinstance(self.target_modules, str) else list(self.target_modules)


@dataclass
class ShortConfig:
    """How many rows the short recipes take of a corpus; null: all."""

    shared_train: int | None = None
    shared_test: int | None = None
    persona_train: int | None = None
    validation: int | None = None


@dataclass
class DataConfig:
    """Which rows.

    `train`, `validation` and `test` are files for readers of files, null or `auto` for corpora that split themselves.
    `validation` null means no validation. `unified` names the adapter that all of the data's voices share,
    `voice` is the persona that recipes take when none is given. `prompt` is the user's turn where the rows bring none;
    `system` is put before rows without a system turn (null: the chat template's own default). Of a user's own files:
    `splits` is a file that divides the rows of `train` among personas and splits. `on_bad_row` is error or quarantine,
    which sets up to `max_bad_ratio` of a file's rows aside in the folder `quarantine` (null: beside the file).
    `near_duplicates` is warn, error, drop or ignore. `replay` is a reservoir of past rows; of the rows to train on,
    `replay_share` are drawn from it. `on_long_row` says what becomes of a row of more than `max_length` tokens: error,
    drop, or truncate_prompt, which cuts no answer. `style` is one style of data that has styles, null all of them.
    `augment` names what adds changed copies to the rows to train on (see `data/augment.py`). `task` and `rows` say what
    data=synthetic makes: which task, and how many rows over all splits. `seed` is what both draw from.
    """

    reader: str = MISSING
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    unified: str = "unified"
    voice: str | None = None
    prompt: str | None = None
    system: str | None = None
    max_length: int = 512
    max_train_rows: int | None = None
    max_validation_rows: int | None = None
    max_test_rows: int | None = None
    short: ShortConfig = field(default_factory=ShortConfig)
    install: str | None = None
    on_long_row: str = "error"
    splits: str | None = None
    on_bad_row: str = "error"
    max_bad_ratio: float = 0.01
    quarantine: str | None = None
    near_duplicates: str = "warn"
    replay: str | None = None
    replay_share: float = 0.1
    style: str | None = None
    augment: list[str] = field(default_factory=list)
    task: str | None = None
    rows: int = 1000
    seed: int = 0


@dataclass
class ScheduleConfig:
    """What a schedule takes; null: transformers' default. `config/schedules.py` says which takes what."""

    num_cycles: float | None = None
    power: float | None = None
    lr_end: float | None = None
    timescale: int | None = None


@dataclass
class TrainerConfig:
    """How to train. `max_steps` -1: until `epochs` are through. `eval_steps` and `save_steps` 0: once an epoch.

    `step_limit` ends a training by `epochs` after so many steps at most; a `max_steps` is exact, and goes before it.
    `lr_scheduler_kwargs` go to the schedule, such as `{num_cycles: 3}` to `cosine_with_restarts`. When there
    is validation, `keep_best` publishes the weights with the lowest validation loss instead of the last, and
    `early_stopping_patience` ends the training after so many evaluations without a lower one. `optimizer` is one of
    `config/choices.py`; `loraplus_lr_ratio` lets B learn at so many times the rate of A (LoRA+), null: at the same.
    """

    epochs: float = MISSING
    max_steps: int = -1
    step_limit: int | None = None
    learning_rate: float = MISSING
    batch_size: int = 8
    gradient_accumulation_steps: int = 1
    lr_scheduler: str = "cosine"
    lr_scheduler_kwargs: ScheduleConfig = field(default_factory=ScheduleConfig)
    warmup_ratio: float = 0.1
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    logging_steps: int = 5
    eval_steps: int = 0
    save_steps: int = 0
    keep_checkpoints: int = 2
    keep_best: bool = True
    early_stopping_patience: int | None = None
    gradient_checkpointing: bool = False
    optimizer: str = "adamw"
    loraplus_lr_ratio: float | None = None


@dataclass
class TrackingConfig:
    """Where metrics go besides the JSONL history; any of them, together or alone.

    `wandb_mode` is `online` or `offline`; `mlflow_uri` null is `$MLFLOW_TRACKING_URI`. The artifact becomes a version
    of `registered_model`: `auto` is the one of the adapter's name, null is none.
    """

    tensorboard: bool = True
    wandb: bool = False
    wandb_mode: str = "online"
    wandb_project: str = "adapterkit"
    wandb_entity: str | None = None
    mlflow: bool = False
    mlflow_uri: str | None = None
    mlflow_experiment: str = "adapterkit"
    registered_model: str | None = "auto"


@dataclass
class BudgetConfig:
    """What a training may come to. `max_artifact_mb`: of the published folder, in MB of 10^6 bytes; null: no limit."""

    max_artifact_mb: float | None = None


@dataclass
class TrainConfig:
    """The whole of one training, as the story takes it.

    `incremental` starts from the weights of an earlier version of the same adapter: the one that `start_from` names, or
    else the latest. `test_decode_parity` proves before a child is published that it is its parent without its change.
    """

    name: str = MISSING
    suffix: str = ""
    parent: str | None = None
    parent_recipe: str | None = None
    persona: str | None = None
    registry: str = "adapters"
    output_dir: str = MISSING
    force: bool = False
    resume: str = "never"
    incremental: bool = False
    start_from: str | None = None
    seed: int = 0
    test_decode_parity: bool = True
    device: str = "auto"
    description: str = ""
    intended_use: str = ""
    tags: list[str] = field(default_factory=list)
    custom: dict[str, Any] = field(default_factory=dict)
    model: ModelConfig = field(default_factory=ModelConfig)
    quantization: QuantizationConfig = field(default_factory=QuantizationConfig)
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    data: DataConfig = field(default_factory=DataConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)

    @property
    def full_name(self) -> str:
        """The adapter's, with what tells the jobs of a sweep apart."""
        return self.name + self.suffix
