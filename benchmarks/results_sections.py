"""What docs/results.md holds: each benchmark, with the columns and the figures that are shown of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Section:
    """One benchmark on the page.

    Attributes:
        name: of its JSON file in benchmarks/measured.
        title: of the section.
        words: what is run, behind `python benchmarks/`.
        about: what the table shows.
        columns: heading -> format of a row of `results`; a row that lacks what is asked for is left out.
        figures: what stands in the first table: told -> format of `ratios`, named `ratios`, and of `results`.
        plot: the name of a drawing in `results_plots`; empty for none.
        elsewhere: it is of another kind of processor than the rest: measuring all leaves it as it is.
    """

    name: str
    title: str
    words: str
    about: str
    columns: Mapping[str, str]
    figures: Mapping[str, str] = field(default_factory=dict)
    plot: str = ""
    elsewhere: bool = False


_LOSSES = {
    "family": "{family}", "rows to train on": "{rows}", "steps": "{steps}",
    "without": "{before:.3f}", "with": "{after:.3f}",
    "change a row, 95 % interval": "{change:+.3f} ({ci95_low:+.3f} .. {ci95_high:+.3f})", "test rows": "{test_rows}",
    "seconds, all told": "{seconds:.0f}",
    "command": "`python -m adapterkit.train {words}`",
}  # fmt: skip
_SCORES = {
    "family": "{family}", "base": "{score[before]:.2f}", "adapter": "{score[after]:.2f}",
    "change an answer, 95 % interval": "{score[change]:+.2f} ({score[ci95_low]:+.2f} .. {score[ci95_high]:+.2f})",
    "one answer": "{score[constant]:.2f}", "questions": "{score[rows]}",
}  # fmt: skip

_SPEEDS = {
    "contestant": "{contestant}",
    "real tokens/s": "{tokens_per_second:,.0f}",
    "of the bound": "{share_of_bound:.0%}",
    "peak MB": "{peak_rss_mb:,.0f}",
}

SECTIONS = (
    Section(
        "throughput",
        "Training throughput and memory",
        "train_throughput.py --rounds 3",
        "Two passes over the same 64 rows on the 135M demo base in NF4, each contestant a process. The bound "
        "is what the best large bfloat16 product of the same run would reach ([speed](speed.md)).",
        _SPEEDS,
        {
            "training, beside TRL's SFTTrainer": "{ratios[times TRL]:.1f} times as fast, "
            "{ratios[peak memory of TRL's]:.2f} of its memory",
            "training, beside transformers' Trainer": "{ratios[times transformers]:.1f} times as fast",
            "training, of what the processor could do": "{ratios[share of bound]:.0%} of "
            "{results[0][bound]:,.0f} tokens/s",
            "a loss of the compiled passes, from float32 at most": "{ratios[loss curve: largest difference from "
            "float32]:.2%} (the model's own layers in bfloat16: {ratios[loss curve: the unfused path's from "
            "float32]:.2%})",
        },
        "throughput",
    ),
    Section(
        "throughput_avx512",
        "Training throughput without a matrix unit",
        "train_throughput.py --rounds 1",
        "The same on a processor with AVX-512 and bfloat16 but no AMX, where PyTorch's own operations compute the "
        "fused steps ([speed](speed.md)).",
        _SPEEDS,
        {
            "the same without a matrix unit": "{ratios[times TRL]:.1f} times as fast as TRL's, "
            "{ratios[peak memory of TRL's]:.2f} of its memory, {ratios[share of bound]:.0%} of "
            "{results[0][bound]:,.0f} tokens/s",
            "a loss of the plain fused passes, from float32 at most": "{ratios[loss curve: largest difference from "
            "float32]:.1%} (the model's own layers in bfloat16: {ratios[loss curve: the unfused path's from "
            "float32]:.1%})",
        },
        elsewhere=True,
    ),
    Section(
        "merge",
        "Merging",
        "merge.py",
        "Four adapters of rank 16 over all 224 linear modules of a 7B model, merged into rank 16; PEFT's nearest kind "
        "on one module of each shape ([merging](merging.md)).",
        {
            "method": "{method}",
            "all modules, s": "{seconds:.1f}",
            "peak MB": "{peak_mb:,.0f}",
            "error": "{error:.4f}",
            "PEFT's kind": "`{peft_kind}`",
            "PEFT's error": "{peft_error:.4f}",
            "times as fast": "{times:,.0f}",
        },
        {
            f"merging by `{method}`, beside PEFT's `{kind}`": f"{{ratios[{method}: times PEFT]:,.0f}} times as fast, "
            f"{{ratios[{method}: error, of PEFT's]:.3f}} of its error"
            for method, kind in (("weighted", "svd"), ("ties", "ties_svd"), ("dare", "dare_linear_svd"))
        },
        "merge",
    ),
    Section(
        "exactness",
        "What is exact, and by how much it is not",
        "exactness.py",
        "Short trainings on the demo base; differences are the largest between logits of three prompts "
        "([flattening](flattening.md), [blending and parity](blending.md)).",
        {"stack": "{stack}", "what": "{what}", "value": "{value:,.3g}"},
        {
            "a flattened stack in plain PEFT, from the stack": "{ratios[child: rsLoRA r6, alpha 7, flattened, in "
            "float32, from the stack in float32]:.1e} in a logit, where the stack itself is "
            "{ratios[child: rsLoRA r6, alpha 7, the stack in float32 from the stack in float64]:.1e} from float64",
            "a child without its change, from its parent": "{ratios[child: default preset, child without its change, "
            "from its parent]:.0f}",
        },
    ),
    Section(
        "exporting",
        "What an export loses",
        "exporting.py",
        "A persona on `unified`, trained for 20 steps on the demo base in NF4 computed in float32. A loss is a share "
        "of the layer's change; logits are a merged model's beside the stack's, over its own answers, and of one "
        "adapter in float32 beside the stack's, of the others beside that one's ([exporting](export.md)).",
        {
            "form": "`{form}`",
            "MB": "{mb:,.1f}",
            "lost, worst layer": "{lost:.2%}",
            "logits apart, mean": "{mean:.1e}",
            "largest": "{largest:.1e}",
            "same next token": "{same}",
            "divergence, nats": "{divergence}",
        },
    ),
    Section(
        "robustness",
        "Faults and kills",
        "robustness.py",
        "Done by the tests, at every system call, at random moments, to every kind of tensor ([faults](faults.md), "
        "[stopping and going on](resume.md), [guard](guard.md)).",
        {
            "what was done": "{harm}",
            "times": "{times:,}",
            "tests": "{tests}",
            "failed": "{failed}",
            "what holds after each": "{holds}",
        },
        {
            "faults at system calls, and tests of them that failed": "{ratios[fault at a system call]:,.0f}, "
            "{ratios[fault at a system call, failed]:.0f}",
            "trainings killed by SIGKILL and resumed to the same bits": "{ratios[SIGKILL of a training]:.0f}",
            "trainings stopped by SIGTERM and resumed to the same bits": "{ratios[SIGTERM of a training]:.0f}",
            "flipped bits of frozen tensors, and how many were not found": "{ratios[bit flipped in what is "
            "frozen]:.0f}, {ratios[bit flipped in what is frozen, failed]:.0f}",
            "honest trainings, and false alarms of the guard": "{ratios[honest training, no two alike]:.0f}, "
            "{ratios[honest training, no two alike, failed]:.0f}",
        },
    ),
    Section(
        "untrusted",
        "Damage and hostile input",
        "untrusted.py",
        "Bits flipped, files cut, hostile names, configs and YAML: how many were refused.",
        {"table": "{table}", "rows": "{rows:,}", "refused": "{refused:,}", "slowest ms": "{slowest_ms:.1f}"},
        {"single-bit flips noticed, and blamed on the right file": "{ratios[single-bit flips]:.0%}"},
    ),
    Section(
        "reading",
        "Reading and encoding",
        "reading.py --rows 100000 1000000 --only adapterkit datasets",
        "Chats of a JSONL file, read, templated, encoded and masked, beside `datasets.load_dataset` and `map`.",
        {
            "": "{kind}",
            "rows": "{rows:,}",
            "rows/s": "{rows_per_second:,.0f}",
            "tokens/s": "{tokens_per_second:,.0f}",
            "peak MB": "{peak_mb:,.0f}",
        },
        {
            "reading and encoding a million rows, beside `datasets`": "{ratios[rows a second beside datasets, "
            "1,000,000 rows]:.1f} times as fast",
        },
    ),
    Section(
        "estimate",
        "Estimates beside what came",
        "estimate.py",
        "Predicted / measured, for trainings of the demo base.",
        {
            "setting": "{setting}",
            "parameters": "{ratios[parameters]:.3f}",
            "weights": "{ratios[weights]:.3f}",
            "artifact": "{ratios[artifact]:.3f}",
            "memory": "{ratios[memory]:.2f}",
            "time": "{ratios[time]:.2f}",
        },
    ),
    Section(
        "lora_forward",
        "LoRA's own forward cost",
        "lora_forward.py",
        "Microseconds that an adapter adds to a layer's forward pass at hidden size 768, beside PEFT's "
        "([presets](presets.md)).",
        {
            "preset": "{preset}",
            "rank": "{rank}",
            "tokens": "{tokens}",
            "PEFT, us": "{peft_us:,.0f}",
            "here, us": "{fused_us:,.0f}",
            "of PEFT": "{ratio:.0%}",
        },
    ),
    Section(
        "fingerprint",
        "Fingerprints of a base",
        "fingerprint.py",
        "GB/s of hashing everything that could move, beside sha256 of the same bytes ([guard](guard.md)).",
        {
            "model": "{model}",
            "held": "{quantization}",
            "tensors": "{tensors}",
            "sha256": "{sha256_gb_s:.2f}",
            "fingerprint": "{fingerprint_gb_s:.2f}",
        },
        {"the guard's look before a step, of the step": "{ratios[guard share of a step]:.2%}"},
    ),
    Section(
        "registry",
        "A registry of 10,000 adapters",
        "registry.py --adapters 10000",
        "Seconds of the whole command.",
        {"command": "`adapterkit {verb}`", "adapters": "{adapters:,}", "median s": "{median:.2f}"},
    ),
    Section(
        "synthetic",
        "Making checkable rows",
        "synthetic.py",
        "Milliseconds for 1,000 rows in memory ([synthetic tasks](synthetic.md)).",
        {
            "task": "{task}",
            "first": "{first_ms:.1f}",
            "median": "{median_ms:.2f}",
            "checks/s": "{checks_per_second:,.0f}",
        },
    ),
    Section(
        "startup",
        "Start-up",
        "startup.py",
        "Seconds of the whole process, disk cache warm.",
        {"command": "`{command}`", "median s": "{median:.3f}", "min": "{min:.3f}", "max": "{max:.3f}"},
    ),
    Section(
        "families",
        "What every recipe gains",
        "families.py --registry kept",
        "Nats a label token on rows never trained on: of the parent alone (of the base, where there is no parent), "
        "and with the adapter. The change is the mean over rows, with a paired 95 % t interval. The recipes of tasks "
        "take 100 or 150 steps of 4 of their rows.",
        _LOSSES,
        plot="families",
    ),
    Section(
        "families",
        "Answers that a program checks",
        "families.py --registry kept",
        "Mean score of greedy answers, 0 to 1, to questions from templates or sources that are held out whole. `one "
        "answer` is the share of questions on which the commonest right answer alone would be right; half points do "
        "not count in it.",
        _SCORES,
    ),
)
