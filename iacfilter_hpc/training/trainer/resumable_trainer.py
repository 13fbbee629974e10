"""Resumable Trainer: stops where it is asked to, saves whole checkpoints, goes on exactly there.

transformers' Trainer has no hook for any of these three, so private methods of it are overridden.
Each override says what it replaces and why no callback would do; tests/training/test_upstream.py
fails when one of them changes, and pyproject.toml allows the tested minor version alone.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import EarlyStoppingCallback, Trainer
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import IntervalStrategy, PredictionOutput, TrainOutput

from iacfilter_hpc.checkpoints.checkpoints import Checkpoints
from iacfilter_hpc.checkpoints.disk_errors import is_disk_in_the_way
from iacfilter_hpc.errors import TrainingError
from iacfilter_hpc.training.trainer.drain import Drain, Drained
from iacfilter_hpc.training.trainer.rng import preserved_rng_state


class EvaluationStopped(Exception):
    """The request to stop came while samples were evaluated; never leaves this module."""


class ResumableTrainer(Trainer):
    """Saves through `checkpoints`, heeds `drain`; without them it does neither.

    What is saved is always the state right after an optimizer step. Where the evaluation of that
    step had not been made yet, it is made first when training goes on.
    """

    checkpoints: Checkpoints | None = None
    drain: Drain | None = None
    _staging: Path | None = None
    _is_resumed = False
    _saved_step: int | None = None
    """Of the newest checkpoint; each process looking for it could find another answer on NFS."""

    def train(  # type: ignore[override]  # the Trainer's other parameters are for notebooks
        self, resume_from_checkpoint: str | None = None
    ) -> TrainOutput:
        """Train to the end.

        Raises:
            Drained: it was asked to stop; all that training did is saved.
        """
        self._is_resumed = resume_from_checkpoint is not None
        if resume_from_checkpoint is not None:
            self._saved_step = int(Path(resume_from_checkpoint).name.partition("-")[2])
        return super().train(resume_from_checkpoint=resume_from_checkpoint)

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Evaluate as the Trainer does, without a trace in the random state."""
        # Upstream's loader has no generator of its own, so PyTorch draws its seed from the global
        # one: a run that resumes after an evaluation would differ from the one that made it.
        with preserved_rng_state():
            found: dict[str, float] = super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        return found

    def stop_if_asked(self) -> None:
        """Between two batches of an evaluation: end it if any process was asked to stop."""
        if self._is_asked():
            raise EvaluationStopped

    def predict_or_stop(self, samples: Dataset[Any]) -> PredictionOutput:
        """Predictions of the trained model for samples: logits [n, 2] and labels.

        Raises:
            Drained: it was asked to stop; all that training did is saved.
        """
        try:
            return self.predict(samples, metric_key_prefix="final")
        except EvaluationStopped:
            assert self.drain is not None
            kept = None if self._saved_step is None else f"checkpoint-{self._saved_step}"
            raise Drained(self.state.global_step, kept, self.drain.reason()) from None

    def _is_asked(self) -> bool:
        return self.drain is not None and self.drain.is_asked(self.args.device)

    def _maybe_log_save_evaluate(
        self,
        tr_loss: torch.Tensor,
        grad_norm: torch.Tensor | float | None,
        model: nn.Module,
        trial: Any,
        epoch: float,
        ignore_keys_for_eval: list[str] | None,
        start_time: float,
        learning_rate: float | None = None,
    ) -> None:
        """After each step and epoch: what the Trainer does then, and a look for the request."""
        # Upstream logs, evaluates and saves here, in this order, and calls it last in each step
        # (Trainer._run_epoch) and each epoch. It is the one place where every process stands at the
        # same step with its optimizer stepped and its gradients cleared. A callback could not do
        # it: on_step_end comes before the evaluation, which it cannot end, and should_training_stop
        # leads on to _finalize_training.
        try:
            super()._maybe_log_save_evaluate(
                tr_loss,
                grad_norm,
                model,
                trial,
                epoch,
                ignore_keys_for_eval,
                start_time,
                learning_rate,
            )
        except EvaluationStopped:
            self._stop(model)
        if self._is_asked():
            self._stop(model)

    def _run_epoch(
        self,
        model: nn.Module,
        epoch: int,
        train_dataloader: DataLoader[Any],
        steps_in_epoch: int,
        num_update_steps_per_epoch: int,
        trial: Any,
        ignore_keys_for_eval: list[str] | None,
        start_time: float,
        resume_from_checkpoint: str | None,
        epochs_trained: int,
        steps_trained_in_current_epoch: int,
    ) -> None:
        """An epoch, or what is left of it; nothing if the checkpoint was the last one needed."""
        # Upstream begins with the batches that are left, and assumes that there are some: resumed
        # from a checkpoint at the end of an epoch it starts the next one, though the evaluation
        # after the last step may not have been made, or early stopping may already have been due.
        # This comes before the data loader of the epoch is opened.
        if self._is_asked():
            self._stop(model)
        if self._is_resumed:
            self._is_resumed = False
            if self.state.global_step % num_update_steps_per_epoch == 0:
                self._evaluate_if_due(start_time)
            if self._is_over():
                self.control.should_training_stop = True
                return
        super()._run_epoch(  # type: ignore[no-untyped-call]
            model,
            epoch,
            train_dataloader,
            steps_in_epoch,
            num_update_steps_per_epoch,
            trial,
            ignore_keys_for_eval,
            start_time,
            resume_from_checkpoint,
            epochs_trained,
            steps_trained_in_current_epoch,
        )

    def _finalize_training(
        self, trial: Any, num_train_samples: int, start_time: float
    ) -> TrainOutput:
        """The Trainer's end, once the last epoch is evaluated."""
        # Upstream loads the best checkpoint here, which must not happen before the last epoch's
        # evaluation has had its say: a run resumed after its last step comes here without an epoch.
        self._evaluate_if_due(start_time)
        limit = self.args.save_total_limit
        if self.checkpoints is not None:
            # upstream, at a limit of 1: rmtree of all but the best, whoever holds the lease
            self.args.save_total_limit = None
        try:
            found: TrainOutput = super()._finalize_training(  # type: ignore[no-untyped-call]
                trial, num_train_samples, start_time
            )
        finally:
            self.args.save_total_limit = limit
        return found

    def _evaluate_if_due(self, start_time: float) -> None:
        """Evaluate the step that training stands at, if that was still to be done."""
        evaluated = any(
            event["step"] == self.state.global_step and "eval_loss" in event
            for event in self.state.log_history
        )
        if evaluated or self.args.eval_strategy != IntervalStrategy.EPOCH:
            return
        self.control = self.callback_handler.on_epoch_end(self.args, self.state, self.control)
        self._maybe_log_save_evaluate(
            self._tr_loss,  # upstream's running loss since the last log
            None,
            self.model_wrapped,
            None,
            self.state.epoch or 0,
            None,
            start_time,
        )

    def _is_over(self) -> bool:
        """Whether the checkpoint already stood where training ends, early or not."""
        patience_lost = any(
            callback.early_stopping_patience_counter >= callback.early_stopping_patience
            for callback in self.callback_handler.callbacks
            if isinstance(callback, EarlyStoppingCallback)
        )
        return patience_lost or self.state.global_step >= self.state.max_steps

    def _stop(self, model: nn.Module) -> None:
        """Save what there is, and end. Every process comes here at the same step."""
        assert self.drain is not None
        step, kept = self.state.global_step, None
        if step and self.checkpoints is not None:
            self._save_checkpoint(model, None)
            self.control = self.callback_handler.on_save(self.args, self.state, self.control)
            kept = self.checkpoints.path(step).name
        raise Drained(step, kept, self.drain.reason())

    def _get_output_dir(self, trial: Any) -> str:
        """While a checkpoint is written: where that is done."""
        # Upstream answers args.output_dir, where _save_checkpoint makes checkpoint-N and rotates
        # the others; in the staging folder it finds none to delete.
        return str(self._staging) if self._staging else super()._get_output_dir(trial)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write beside, publish by one rename; every process must call this.

        Raises:
            LeaseLost: another attempt has taken over the run.
            TrainingError: the disk is in the way.
        """
        # Upstream writes checkpoint-N in place, file after file: killed in between it leaves half
        # of one, which looks whole to get_last_checkpoint. It also rotates by time of change.
        if self.checkpoints is None:
            super()._save_checkpoint(model, trial)
            return
        if self._saved_step != self.state.global_step:
            self._save_new(self.checkpoints, model, trial)
            self._saved_step = self.state.global_step
        self._name_best(self.checkpoints)
        if self.args.should_save:
            self.checkpoints.prune(self.args.save_total_limit or 1)
        self.accelerator.wait_for_everyone()

    def _save_new(self, checkpoints: Checkpoints, model: nn.Module, trial: Any) -> None:
        started = time.monotonic()
        self._staging = checkpoints.staging
        try:
            if self.args.should_save:
                checkpoints.clear()
            self.accelerator.wait_for_everyone()
            super()._save_checkpoint(model, trial)
            self._name_best(checkpoints)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                self._publish(checkpoints, started)
        except (OSError, RuntimeError, SafetensorError) as error:
            # a later attempt removes what this one was writing
            checkpoints.check_lease()
            if self.args.should_save:  # another process would take it away under the manifest
                shutil.rmtree(checkpoints.staging, ignore_errors=True)
            if not is_disk_in_the_way(error):
                raise
            raise TrainingError(
                f"the checkpoint of step {self.state.global_step} cannot be saved: {error}",
                hint="is the disk full, or a quota used up? Earlier checkpoints are untouched: "
                f"iacfilter-submit --resume {checkpoints.layout.name}",
            ) from error
        finally:
            self._staging = None
        self.accelerator.wait_for_everyone()

    def _publish(self, checkpoints: Checkpoints, started: float) -> None:
        step = self.state.global_step
        written = checkpoints.staging / f"checkpoint-{step}"
        # again: what upstream wrote names the best checkpoint by its staging folder
        self.state.save_to_json(str(written / TRAINER_STATE_NAME))
        manifest = checkpoints.publish(step, self.args.world_size)
        seconds = round(time.monotonic() - started, 3)
        # not self.log: what a save took would stand in the next checkpoint's state
        self.callback_handler.on_log(
            self.args,
            self.state,
            self.control,
            {"save_seconds": seconds, "save_bytes": manifest.size},
        )

    def _name_best(self, checkpoints: Checkpoints) -> None:
        """The best checkpoint by the name that it has once it is published."""
        if self.state.best_global_step:
            best = checkpoints.path(self.state.best_global_step)
            self.state.best_model_checkpoint = str(best)
