"""Fast AutoAugment (Lim et al., 2019): policies whose images a classifier takes for real ones.

The training images are split into stratified folds. For each fold a classifier is trained on the
others with the default augmentation. A search by a tree-structured Parzen estimator (TPE) then
finds the policies under which that classifier has the smallest loss on the fold. The best policies
of all searches are combined.

Departures: all policies of a search are scored on the same random draws, so that trials differ by
their policies alone, and without the crop and flip that training adds.
Axes: n images, 3 channels, h and w pixels.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from math import isfinite

import numpy as np
import optuna
import torch
import torch.nn.functional as F
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from mvc.console.progress import Meter
from mvc.core.device import autocast
from mvc.core.image_set import Labelled
from mvc.core.seeds import derive_seed
from mvc.policies.files import SPACE, STRONGEST, drop_repeated, round_step
from mvc.training.augment import apply_policy, normalise
from mvc.training.autoaugment import Policy, SubPolicy, build_policy
from mvc.training.fit import Fitted, fit
from mvc.training.hyperparameters import Hyperparameters, choose_fill
from mvc.training.loop import PIXELS


@dataclass(frozen=True)
class Search:
    """Size of a search: keys of the config's section `policies`."""

    folds: int
    rounds: int  # searches per fold
    trials: int  # policies tried in a search
    kept: int  # the best of them
    sub_policies: int  # per policy
    operations: int  # per sub-policy
    draws: int  # augmented copies of each image on which a trial is scored

    def __post_init__(self) -> None:
        if self.kept > self.trials:
            raise ValueError(
                f"policies.kept = {self.kept}; must be <= policies.trials = {self.trials}"
            )


SIZES = frozenset(each.name for each in fields(Search))


def search(
    part: Labelled,
    *,
    size: Search,
    model: str,
    hyperparameters: Hyperparameters,
    root: int,
    device: torch.device,
) -> tuple[tuple[SubPolicy, ...], list[dict]]:
    """Search for policies on every fold of the training images; reproducible on one CPU thread.

    Args:
        model, hyperparameters: of the classifier of each fold.
        root: the workflow's seed.

    Returns:
        Sub-policies of the best policies, without repetitions, and the losses of `search_fold`.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    classifier = {"model": model, "hyperparameters": hyperparameters, "device": device}
    sub_policies: list[SubPolicy] = []
    losses: list[dict] = []
    for fold, (fitted_rows, held_out_rows) in enumerate(split_folds(part, size.folds, root)):
        fitted = fit(
            select_rows(part, fitted_rows),
            None,
            **classifier,
            root=derive_seed(root, "policies/classifiers"),
            seed=fold,
        )
        measure_loss = HeldOutLoss(
            fitted,
            select_rows(part, held_out_rows),
            hyperparameters=hyperparameters,
            draws=size.draws,
            seed=derive_seed(root, "policies/draws", fold),
        )
        kept, fold_losses = search_fold(measure_loss, fold, size=size, root=root)
        sub_policies += kept
        losses += fold_losses
    return drop_repeated(sub_policies), losses


def search_fold(
    measure_loss: Callable[..., float], fold: int, *, size: Search, root: int
) -> tuple[list[SubPolicy], list[dict]]:
    """Run all searches on one fold.

    Returns:
        Sub-policies of the best policies; and for each search the mean cross-entropy on the fold:
        without a policy, under the best one, and averaged over those kept.
    """
    sub_policies: list[SubPolicy] = []
    losses = []
    without = measure_loss(None)
    for number in range(size.rounds):
        seed = derive_seed(root, "policies/search", fold * size.rounds + number) % 2**32
        best = try_policies(measure_loss, size, seed=seed)
        sub_policies += [sub_policy for _, policy in best for sub_policy in policy]
        kept = [loss for loss, _ in best]
        measured = {"without": without, "best": kept[0], "kept": float(np.mean(kept))}
        rounded = {name: round(loss, 4) for name, loss in measured.items()}
        losses.append({"fold": fold, "round": number} | rounded)
        print("held-out loss without a policy, under the best, mean under the kept:", losses[-1])
    return sub_policies, losses


def split_folds(part: Labelled, n: int, root: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split into `n` stratified folds: for each, the other rows and its own, which are held out.

    Raises:
        ValueError: n < 2, or no class has `n` images.
    """
    most = int(torch.bincount(part.labels).max())
    if not 2 <= n <= most:
        raise ValueError(
            f"policies.folds = {n}; must be 2..{most}, the images of the largest class"
        )
    seed = derive_seed(root, "policies/folds") % 2**32
    splits = StratifiedKFold(n, shuffle=True, random_state=seed)
    return splits.split(np.zeros(len(part.labels)), part.labels.numpy())


def select_rows(part: Labelled, rows: np.ndarray) -> Labelled:
    """Select some of the images; all classes keep their names."""
    chosen = torch.from_numpy(rows)
    return Labelled(part.images[chosen], part.labels[chosen], part.class_names)


class HeldOutLoss:
    """The mean cross-entropy of a fold's held-out images under a policy."""

    def __init__(
        self,
        fitted: Fitted,
        part: Labelled,
        *,
        hyperparameters: Hyperparameters,
        draws: int,
        seed: int,
    ):
        """Args: `draws` is the augmented copies of each image; calls draw equal random numbers."""
        self.fitted = fitted
        self.part = part
        self.seed = seed
        self.fill = choose_fill(hyperparameters, fitted.mean)
        self.size = tuple(part.images.shape[2:])
        at_once = max(1, PIXELS // (self.size[0] * self.size[1]))
        self.blocks = torch.arange(len(part.labels)).repeat(draws).split(at_once)

    @torch.inference_mode()
    def __call__(self, sub_policies: tuple[SubPolicy, ...] | None) -> float:
        chosen = build_policy(sub_policies, size=self.size) if sub_policies else None
        generator = torch.Generator().manual_seed(self.seed)
        self.fitted.net.eval()
        losses = [self._measure_losses(rows, chosen, generator) for rows in self.blocks]
        loss = float(torch.cat(losses).mean())
        if not isfinite(loss):
            raise ValueError(f"loss {loss} on held-out images; lower classifiers.learning_rate")
        return loss

    def _measure_losses(
        self, rows: Tensor, chosen: Policy | None, generator: torch.Generator
    ) -> Tensor:
        mean, std, device = self.fitted.mean, self.fitted.std, self.fitted.mean.device
        images = self.part.images[rows].to(device)
        if chosen is not None:
            images = apply_policy(images, chosen, fill=self.fill, generator=generator)
        with autocast(device):
            logits = self.fitted.net(normalise(images, mean=mean, std=std))
        targets = self.part.labels[rows].to(device)
        return F.cross_entropy(logits.float(), targets, reduction="none").double().cpu()


def try_policies(
    measure_loss: Callable[..., float], size: Search, *, seed: int
) -> list[tuple[float, tuple[SubPolicy, ...]]]:
    """Run one search; return the best policies with their losses, the smallest first."""
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    meter = Meter(size.trials, "trials")
    results = []
    for number in range(size.trials):
        trial = study.ask()
        proposed = tuple(
            tuple(_suggest_step(trial, f"{sub}.{place}") for place in range(size.operations))
            for sub in range(size.sub_policies)
        )
        loss = measure_loss(proposed)
        study.tell(trial, loss)
        results.append((loss, number, proposed))
        meter.show(number + 1, f"best loss {min(results)[0]:.4f}")
    return [(loss, proposed) for loss, _, proposed in sorted(results)[: size.kept]]


def _suggest_step(trial: optuna.Trial, name: str) -> tuple[str, float, float]:
    operation = trial.suggest_categorical(f"{name} operation", SPACE)
    probability = trial.suggest_float(f"{name} probability", 0, 1)
    return round_step(operation, probability, trial.suggest_float(f"{name} level", 0, STRONGEST))
