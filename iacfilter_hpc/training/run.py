"""Training run: from its configuration to final/."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from accelerate.state import PartialState
from accelerate.utils import broadcast_object_list
from transformers import TrainerCallback, TrainingArguments, set_seed

from iacfilter_hpc.checkpoints.checkpoints import (
    Checkpoints,
    Found,
    check_processes,
    clean,
    newest_verified,
)
from iacfilter_hpc.checkpoints.lease import claim
from iacfilter_hpc.config.batch_sizes import batch_sizes
from iacfilter_hpc.config.extras import check_extras, extras_of
from iacfilter_hpc.config.schema import TINY, RunConfig
from iacfilter_hpc.errors import DataError, IacfilterError, TrainingError, counted
from iacfilter_hpc.inputs.dataset import read_both_classes
from iacfilter_hpc.inputs.token_cache import TokenFolder
from iacfilter_hpc.runs.layout import RunLayout
from iacfilter_hpc.runs.records import ResumedRecord, now, read_record, write_record
from iacfilter_hpc.samples.prompt import PromptForm, count_foreign, form_of
from iacfilter_hpc.samples.sample import Sample, SampleFile
from iacfilter_hpc.trained_model.card import model_card
from iacfilter_hpc.trained_model.decision import Decision, Validation
from iacfilter_hpc.trained_model.evidence import ValidationScores, seen_of
from iacfilter_hpc.trained_model.recall import recalls
from iacfilter_hpc.trained_model.save import save_final
from iacfilter_hpc.trained_model.trained_on import scored_labels, trained_on
from iacfilter_hpc.training.approaches.base import approach_named
from iacfilter_hpc.training.approaches.tiny import build_tiny_model
from iacfilter_hpc.training.arguments import run_callbacks, training_arguments
from iacfilter_hpc.training.assemble import Assembly, assemble
from iacfilter_hpc.training.calibrate import Threshold, choose_threshold, fit_temperature, scaled
from iacfilter_hpc.training.distributed import (
    actual_setup,
    check_one_gpu,
    check_setup,
    describe,
    launched_setup,
    skip_shared_memory_op,
)
from iacfilter_hpc.training.log_filters import filter_logs
from iacfilter_hpc.training.phases import Phases
from iacfilter_hpc.training.precision import describe_precision, settle_precision, visible_gpu
from iacfilter_hpc.training.trainer.decision_trainer import describe_confidences
from iacfilter_hpc.training.trainer.drain import Drain

logger = logging.getLogger(__name__)

ALONE = "0"
"""The name of an attempt that no job started."""


def train(
    layout: RunLayout,
    config: RunConfig,
    attempt: str = ALONE,
    drain: Drain | None = None,
    watchers: Sequence[TrainerCallback] = (),
    phases: Phases | None = None,
) -> None:
    """Train, choose epoch and threshold on validation data, and write final/.

    Every process of the launch calls this. Goes on from the newest checkpoint that is whole.
    `phases` knows what came before this call.

    Raises:
        Drained: the attempt was asked to stop, and has saved what it did.
        DataError: samples that cannot be read or cannot be made to fit.
        TrainingError: the run is finished already, what runs is not what was asked for, or what
            was trained cannot be saved whole; LeaseLost if another attempt has taken over.
    """
    if layout.final.exists():
        raise TrainingError(f"{layout.final} exists: this run is trained", hint="start a new run")
    # first what takes no time: a missing package is told before data are read and GPUs are touched
    check_extras(extras_of(config))
    phases = phases or Phases()
    phases.enter("data")
    train_file, validation_file = _read(layout, config)
    phases.enter("devices and processes")
    filter_logs()
    # these two before the arguments, which start torch.distributed and check the precision
    skip_shared_memory_op(config)
    config = settle_precision(config, visible_gpu())
    args = training_arguments(layout.directory, config.training)
    # before any weights are loaded: a launch that is wrong ends in seconds
    check_setup(config, launched_setup(args))
    check_one_gpu(args)
    # the Trainer seeds too, but only once the model is there, whose fresh head or LoRA's A is drawn
    set_seed(config.training.seed)
    phases.enter("data")
    source = _model_source(layout, config, args)
    callbacks = [*run_callbacks(layout, config, phases), *watchers]
    made = assemble(
        config,
        args,
        source,
        train_file.samples,
        validation_file.samples,
        callbacks,
        phases=phases,
        tokens=TokenFolder(layout.tokens, train_file.sha256, validation_file.sha256),
    )
    # again: what accelerate runs is decided when the Trainer is made
    check_setup(config, actual_setup())
    logger.info("distributed: %s", describe(args))
    logger.info("batch: %s", batch_sizes(config).describe())
    if config.selection.confidence_weights:
        confidences = [sample.confidence for sample in train_file.samples]
        logger.info("%s", describe_confidences(confidences))
    logger.info("%s", describe_precision(config, made.attention))
    # what has been asked for meanwhile is kept in it, and heard before the first step
    made.trainer.drain = drain
    made.trainer.checkpoints, resumed = _checkpoints(layout, attempt, args)
    if made.trainer.is_world_process_zero():
        _report(made)
        if warning := prompt_warning(config, train_file.samples):
            logger.warning("%s", warning)
    made.trainer.train(resume_from_checkpoint=resumed)
    # The Trainer has loaded the best epoch. Every process computes what follows, from the same
    # logits, gathered from all; only saving tells them apart.
    log_odds = made.validation.log_odds(made.trainer.predict_or_stop(made.validation.rows))
    is_tp = [sample.label == "TP" for sample in validation_file.samples]
    temperature = fit_temperature(log_odds, is_tp)
    scores = ValidationScores(tuple(scaled(log_odds, temperature)), tuple(is_tp))
    threshold = choose_threshold(scores.p_tp, scores.is_tp)
    smells = tuple(sorted({sample.smell for sample in train_file.samples}))
    # what files hold is what a model learns: their own prompts say in which form it must be asked
    form = form_of(sample.with_prompt for sample in train_file.samples)
    decision = _decision(config, made, validation_file, threshold, temperature, smells, form)
    seen = seen_of(train_file.samples, validation_file.samples)
    approach = approach_named(config.approach)
    found = recalls(scored_labels(validation_file.samples, scores), threshold.value)
    record = trained_on(train_file.samples, validation_file.samples, scores, found)
    card = model_card(
        layout, config, decision, scores, train_file, validation_file, approach.card, found
    )
    # the last save may be an evaluation ago: another attempt may have taken over since
    if (lease := made.trainer.checkpoints.lease) is not None:
        lease.check()
    save_final(made.trainer, layout, decision, scores, seen, record, card, approach.weights)
    logger.info("threshold %.4f, validation F1 %.4f", threshold.value, threshold.f1)
    PartialState().destroy_process_group()


def _read(layout: RunLayout, config: RunConfig) -> tuple[SampleFile, SampleFile]:
    """Training and validation file, as they were when the run was submitted, if a job does this.

    The worker has compared them when it began; a file may have been replaced since.
    """
    record = read_record(layout) if layout.record.is_file() else None
    expected = {} if record is None else record.data_sha256
    return (
        _unchanged(config.data.train_file, expected.get("train_file")),
        _unchanged(config.data.validation_file, expected.get("validation_file")),
    )


def _unchanged(path: Path, sha256: str | None) -> SampleFile:
    file = read_both_classes(path)
    if sha256 not in (None, file.sha256):
        raise DataError(
            f"{path} has changed since the run was submitted", hint="submit the run again"
        )
    return file


def _model_source(layout: RunLayout, config: RunConfig, args: TrainingArguments) -> str | Path:
    """Name or directory for from_pretrained; a tiny model is made by the main process first."""
    if config.model.model_name_or_path != TINY:
        return config.model.model_name_or_path
    # local=False: the run's directory is shared by all nodes
    with args.main_process_first(local=False, desc="making the tiny model"):
        if args.process_index == 0 and not layout.tiny_model.is_dir():
            build_tiny_model(config.approach, layout.tiny_model)
    return layout.tiny_model


def _checkpoints(
    layout: RunLayout, attempt: str, args: TrainingArguments
) -> tuple[Checkpoints, str | None]:
    """Checkpoints of this attempt, and the one of them that all of its processes go on from.

    The main process alone looks: on NFS each could find another newest one.
    """
    lease, found, problem = None, None, None
    if args.process_index == 0:
        try:
            lease = claim(layout, attempt)
            clean(layout, attempt)
            found = _newest(layout, attempt, args.world_size)
        except TrainingError as error:
            problem = error
    # to the others too: alone they would wait for the main process until they are killed
    found, problem = broadcast_object_list([found, problem])
    if problem is not None:
        raise problem
    return Checkpoints(layout, attempt, lease), found


def _newest(layout: RunLayout, attempt: str, processes: int) -> str | None:
    started = time.monotonic()
    found = newest_verified(layout, attempt)
    if found is None:
        return None
    # an older one would not help: all checkpoints of a run are of as many processes
    check_processes(found, processes)
    seconds = time.monotonic() - started
    logger.info("going on from %s, verified in %.2f s", found.path.name, seconds)
    _note_resumed(layout, attempt, found)
    return str(found.path)


def _note_resumed(layout: RunLayout, attempt: str, found: Found) -> None:
    record = ResumedRecord(
        attempt=attempt, step=found.manifest.step, checkpoint=found.path.name, at=now()
    )
    try:
        write_record(layout.resumed(attempt), record)
    except IacfilterError as error:
        # it is for a rehearsal to read: training goes on without it
        logger.warning("%s", error.message)


def _report(made: Assembly) -> None:
    logger.info("%s", made.choice.describe())
    if shared := made.trainer.sharing():
        logger.info("train: %s", shared.describe())
    for name, audit in (("train", made.train_audit), ("validation", made.validation_audit)):
        for line in audit.describe(name):
            logger.info("%s", line)
        if warning := audit.warning(name):
            logger.warning("%s", warning)


def prompt_warning(config: RunConfig, samples: Sequence[Sample]) -> str | None:
    """What to know of training prompts in which iacfilter-filter does not ask, if there are any."""
    foreign = count_foreign(sample.with_prompt for sample in samples)
    # encoders read fields, and know no prompts
    if config.data.input_fields is not None or not foreign:
        return None
    return (
        f"train: {foreign} of {counted(len(samples), 'prompt is', 'prompts are')} not of "
        "iacfilter-data import, in whose words iacfilter-filter asks: to filter reports, train on "
        "prompts that it has made"
    )


def _decision(
    config: RunConfig,
    made: Assembly,
    validation: SampleFile,
    threshold: Threshold,
    temperature: float,
    smells: tuple[str, ...],
    form: PromptForm,
) -> Decision:
    fields = config.data.input_fields
    return Decision(
        approach=config.approach,
        threshold=threshold.value,
        temperature=temperature,
        metric="f1",
        validation=Validation(
            file=str(validation.path),
            sha256=validation.sha256,
            f1=threshold.f1,
            f1_at_half=threshold.f1_at_default,
        ),
        base_model=_lasting_name(config.model.model_name_or_path),
        revision=config.model.revision,
        dtype=config.model.dtype,
        bf16=config.training.bf16,
        quantization=config.model.quantization,
        max_length=config.data.max_length,
        input_fields=None if fields is None else tuple(fields),
        answers=made.answers,
        smells=smells,
        train_audit=made.train_audit,
        validation_audit=made.validation_audit,
        prompt_form=int(form),
    )


def _lasting_name(model: str) -> str:
    """Name by which scoring finds a model from anywhere: of a directory its absolute path."""
    path = Path(model).expanduser()
    return str(path.absolute()) if model != TINY and path.is_dir() else model
