"""Model card: final/README.md, in Hugging Face's form, from the run's own record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from huggingface_hub import ModelCard, ModelCardData
from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

from iacfilter_hpc.config.schema import TINY, RunConfig
from iacfilter_hpc.errors import counted
from iacfilter_hpc.inputs.encoded import Audit
from iacfilter_hpc.runs import records
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.records import RunRecord
from iacfilter_hpc.samples.sample import Sample, SampleFile
from iacfilter_hpc.trained_model.decision import Decision
from iacfilter_hpc.trained_model.evidence import FEW_POSITIVES, ValidationScores
from iacfilter_hpc.trained_model.markdown import code
from iacfilter_hpc.trained_model.tables import markdown_table
from iacfilter_hpc.trained_model.trained_on import Recall

MOST_SOURCES = 10
"""Sources of labels that the card names; the others are counted."""

LIMITS = """\
- It is as good as its labels, which come from: {sources}.
- It was trained on the smells {smells} and the technologies {technologies}; about others it knows
  nothing.
- {few}
- `iacfilter-filter` leaves unjudged what it saw too little of; `trained_on.json` has the numbers.
- {cut}
- A detection that it calls a false alarm may be a real smell, and a smell that GLITCH does not
  report stays unseen: its answers are no proof of security.
- The licences of the base model and of the training data apply; this card names none."""

NO_MODEL = """\
- Its base model is a tiny one of random weights, made to try the toolkit: it judges nothing."""


def limits(decision: Decision, train: Sequence[Sample], validation: Sequence[Sample]) -> str:
    """Limits of a model, as a list in Markdown: what its data and its input leave out."""
    text = LIMITS.format(
        sources=_sources([*train, *validation]),
        smells=_listed(decision.smells),
        technologies=_listed(sorted({sample.technology for sample in train})),
        few=_few({"training": train, "validation": validation}),
        cut=_cut({"training": decision.train_audit, "validation": decision.validation_audit}),
    )
    # a card travels with its model: whoever reads it may not know what `tiny` is
    return f"{text}\n{NO_MODEL}" if decision.base_model == TINY else text


def _sources(samples: Sequence[Sample]) -> str:
    counts = Counter(sample.source for sample in samples).most_common()
    # sources are free text of each sample: a file may have as many as it has samples
    shown = [f"{code(source)} ({count})" for source, count in counts[:MOST_SOURCES]]
    others = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {counted(others, 'other source')}" if others else "")


def _few(parts: dict[str, Sequence[Sample]]) -> str:
    few = []
    # a smell that one part lacks is where the model knows least
    names = sorted({sample.smell for samples in parts.values() for sample in samples})
    for part, samples in parts.items():
        # real ones, not all: a smell of false alarms alone taught the model nothing of what is real
        counts = Counter(sample.smell for sample in samples if sample.label == "TP")
        there = {sample.smell for sample in samples}
        few += [
            f"{code(name)} in {part} ({counts[name] if name in there else 'no sample'})"
            for name in names
            if counts[name] < FEW_POSITIVES
        ]
    if not few:
        return f"Each smell has at least {FEW_POSITIVES} real TPs in training and in validation."
    fewer = f"Smells with fewer than {FEW_POSITIVES} real TPs"
    return f"{fewer}, where it may be far off: {', '.join(few)}."


def _cut(parts: dict[str, Audit]) -> str:
    cut = [f"{audit.samples_cut} of {audit.samples} {part}" for part, audit in parts.items()]
    return f"It sees a limited number of tokens: {' and '.join(cut)} samples were cut to fit."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(code, names))


INTRODUCTION = """\
{what}, fine-tuned from {base}.
It tells real security smells in infrastructure code (TP) from false alarms (FP), among what the
static analyser GLITCH reports. A detection counts as TP if p(TP) is at least {threshold:.4f}, where
p(TP) is the sigmoid of the model's log-odds divided by {temperature:.4f}.

## How to use it

```sh
iacfilter-filter --model DIR glitch.csv --scripts SCRIPTS -o filtered.csv
iacfilter-evaluate DIR --data labelled.jsonl -o results
```

DIR is this directory, with every file in it.{needs}"""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Facts that a card tells of each model of an approach.

    Source of the names: https://huggingface.co/docs/hub/model-cards#model-card-metadata
    """

    what: str
    """Begins its first sentence: `An encoder with a classifying head`, fine-tuned from a base."""
    library_name: str
    pipeline_tag: str
    tags: tuple[str, ...] = ()
    needs_base: bool = False
    """Whether the base model is loaded too."""


ADAPTER_ALONE = "A LoRA adapter"
MERGED = CardFacts(
    what="A causal language model with a LoRA adapter merged into it",
    library_name="transformers",
    pipeline_tag="text-generation",
)
IN_ONNX = CardFacts(
    what="An encoder with a classifying head, in ONNX",
    library_name="onnxruntime",
    pipeline_tag="text-classification",
    tags=("onnx",),
)
NEEDS_BASE = " The base model is loaded too: it is not in DIR."

TRAINING_DATA = "## Training data"
"""The heading behind the introduction."""

VALIDATION = """\
{count} samples of {file} chose the epoch, the temperature and the threshold, so these numbers
flatter the model; `iacfilter-evaluate` scores it on other data.

{scores}

{ranking}

Recall at the chosen threshold, with its lower 95 % bound, for which the samples of a family (a
repository, or where none is known a file) count as all alike:

{recall}

The threshold is the one of the highest F1 of TP. `validation_scores.json` has each p(TP), so that
another threshold can be chosen."""


def model_card(
    layout: RunLayout,
    config: RunConfig,
    decision: Decision,
    scores: ValidationScores,
    train: SampleFile,
    validation: SampleFile,
    facts: CardFacts,
    recall: Sequence[Recall],
) -> str:
    """Model card, the text of README.md; it names files by name, never by where they lie.

    Source: https://huggingface.co/docs/hub/model-cards
    """
    # train() needs no submission, and without one there is no run.json
    record = records.read_record(layout) if layout.record.is_file() else None
    sections = {
        f"# {layout.name}": _introduction(decision, facts),
        TRAINING_DATA: _data(train, validation),
        "## Configuration": _configuration(config),
        "## Results on validation data": _validation(decision, scores, recall),
        "## Limits": limits(decision, train.samples, validation.samples),
        "## Record": _record(record),
    }
    body = "\n\n".join(f"{title}\n\n{text}" for title, text in sections.items())
    # through ModelCard, which parses what it holds: a header that is no YAML fails here
    return str(ModelCard(f"---\n{_metadata(decision, facts).to_yaml()}\n---\n\n{body}\n"))


def exported_card(card: ModelCard, decision: Decision, facts: CardFacts, note: str) -> str:
    """Card of a run for its model in another form, of `facts`; `note` says how that went.

    Metadata and introduction are made anew. The sections behind stay: what they tell of the run
    cannot be made again without its data. So does a text that is no longer the one written here.
    """
    assert isinstance(card.data, ModelCardData), "a ModelCard's data, which its type does not tell"
    card.data.library_name = facts.library_name
    card.data.tags = [*(tag for tag in card.data.tags or [] if tag != "lora"), *facts.tags]
    title, _, _ = card.text.strip().partition("\n")
    # the heading may be gone: the owner may edit a card, which is no part of the manifest
    _, heading, sections = card.text.partition(f"\n{TRAINING_DATA}\n")
    if heading:
        introduction = _introduction(decision, facts)
        card.text = f"\n{title}\n\n{introduction}\n{heading}{sections}"
    return f"{str(card).rstrip()}\n\n## Export\n\n{note}\n"


def _metadata(decision: Decision, facts: CardFacts) -> ModelCardData:
    # no licence, which a hub shows as the model's own: those of base model and data apply
    tags = "iacfilter-hpc infrastructure-as-code security static-analysis glitch".split()
    return ModelCardData(
        base_model=_name_on_hub(decision.base_model),
        library_name=facts.library_name,
        pipeline_tag=facts.pipeline_tag,
        tags=[*tags, *facts.tags],
    )


def _name_on_hub(base_model: str) -> str | None:
    """None for a tiny model and for a directory: the hub has neither."""
    return None if base_model == TINY or Path(base_model).is_absolute() else base_model


def _introduction(decision: Decision, facts: CardFacts) -> str:
    # a directory by its name alone: its path tells of users and machines
    base = code(Path(decision.base_model).name)
    if _name_on_hub(decision.base_model):
        base = code(decision.base_model)
    revision = f" at revision {code(decision.revision)}" if decision.revision else ""
    return INTRODUCTION.format(
        what=facts.what,
        base=f"{base}{revision}",
        threshold=decision.threshold,
        temperature=decision.temperature,
        needs=NEEDS_BASE if facts.needs_base else "",
    )


def _data(train: SampleFile, validation: SampleFile) -> str:
    rows = [
        [name, code(file.path.name), code(file.sha256), *_counts(file.samples)]
        for name, file in (("train", train), ("validation", validation))
    ]
    named = markdown_table(["", "file", "sha256", "TP", "FP"], rows)
    kinds = "\n\n".join(
        _by(field, train.samples, validation.samples) for field in ("smell", "technology")
    )
    where = "`trained_on.json` counts them by smell and technology, `seen.json` has a key of each."
    return f"{named}\n\n{kinds}\n\n{where}"


def _by(field: str, train: Sequence[Sample], validation: Sequence[Sample]) -> str:
    rows = []
    for name in sorted({getattr(sample, field) for sample in [*train, *validation]}):
        parts = ([s for s in part if getattr(s, field) == name] for part in (train, validation))
        rows.append([code(name), *(count for part in parts for count in _counts(part))])
    return markdown_table([field, "train TP", "train FP", "validation TP", "validation FP"], rows)


def _counts(samples: Sequence[Sample]) -> list[str]:
    labels = Counter(sample.label for sample in samples)
    return [str(labels["TP"]), str(labels["FP"])]


def _configuration(config: RunConfig) -> str:
    values = config.as_dict()
    # the title has the name; nodes and partitions tell of the cluster, not of the model
    del values["name"], values["resources"]
    for section, key in (
        *(("data", f"{part}_file") for part in ("train", "validation", "test")),
        ("accelerate", "deepspeed_config_file"),
    ):
        # paths lose their folders; what is not set stays None
        values[section][key] = values[section][key] and Path(values[section][key]).name
    model = Path(values["model"]["model_name_or_path"])
    # a hub name such as microsoft/codebert-base has a slash as well, and must stay whole
    if model.is_dir() or model.is_absolute():
        values["model"]["model_name_or_path"] = model.name
    return f"```yaml\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}```"


def _validation(decision: Decision, scores: ValidationScores, recall: Sequence[Recall]) -> str:
    # few metrics of its own: evaluation, whose table has them all, stands above this room
    rows = []
    # argmax beside it shows what choosing the threshold has gained on these samples
    for name, threshold in (("chosen", decision.threshold), ("argmax", 0.5)):
        decided = [p >= threshold for p in scores.p_tp]
        # zero_division=0, as choose_threshold has it where nothing is decided TP
        found = precision_recall_fscore_support(
            scores.is_tp, decided, average="binary", zero_division=0
        )
        rows.append([f"{name}: {threshold:.4f}", *(f"{value:.3f}" for value in found[:3])])
    # defined: training refuses a validation file without both classes
    ranking = (
        f"Average precision {average_precision_score(scores.is_tp, scores.p_tp):.3f}, "
        f"area under the ROC curve {roc_auc_score(scores.is_tp, scores.p_tp):.3f}."
    )
    return VALIDATION.format(
        count=len(scores.p_tp),
        file=code(Path(decision.validation.file).name),
        scores=markdown_table(["threshold", "precision", "recall", "F1"], rows),
        ranking=ranking,
        recall=_recall(recall),
    )


def _recall(recall: Sequence[Recall]) -> str:
    rows = [
        [
            "all" if each.smell is None else code(each.smell),
            f"{each.kept} of {each.real}",
            f"{each.kept / each.real:.3f}",
            f"{each.low:.3f}",
            each.grouped,
        ]
        for each in recall
    ]
    return markdown_table(["smell", "real ones kept", "recall", "lower bound", "over"], rows)


def _record(record: RunRecord | None) -> str:
    if record is None:
        return "This run was not submitted, so it has no record."
    lines = [
        f"- run {code(record.run)}, made {record.created_at}",
        f"- key of configuration, data and code {code(record.key)}",
        f"- commit {code(record.git_commit or 'unknown')}",
        *(f"- {name} {version}" for name, version in record.versions.items()),
    ]
    return "\n".join(lines)
