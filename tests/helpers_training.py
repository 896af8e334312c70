"""A training run of seconds: the nano network learns which pixels are bright. Also a script, to be run in processes."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from sapiens.config import Optim, Recipe
from sapiens.env import process_rank
from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.training.lesson import Lesson
from sapiens.training.loop import Trainer
from sapiens.training.model import make_model

RECIPE = Recipe(
    task="seg",
    size="nano",
    iterations=6,
    batch_size=2,
    input_hw=(32, 32),
    optim=Optim(lr=1e-3, warmup_iters=2),
    workers=0,
    save_every=2,
    log_every=1,
)


class Pictures:
    """Records made when asked for; those in `bad` cannot be read."""

    def __init__(self, count=7, bad=()):
        self.count, self.bad = count, bad

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index in self.bad:
            raise InputError(f"picture {index}: is damaged")
        image = np.random.default_rng(index).integers(0, 256, (32, 32, 3), np.uint8)
        return Sample(image, f"picture {index}", {"labels": (image.mean(-1) > 128).astype(np.uint8)})


class Toy:
    """A lesson whose loss is NaN in the calls of `nan`, and whose process sends itself a signal in call `die`."""

    def __init__(self, nan=(), die=None, by=signal.SIGKILL):
        self.calls, self.nan, self.die, self.by = 0, nan, die, by

    def example(self, sample, rng):
        image, labels = sample.image, sample.fields["labels"]
        if rng.random() < 0.5:
            image, labels = image[:, ::-1], labels[:, ::-1]
        return {
            "input": torch.from_numpy(image.transpose(2, 0, 1).copy()),
            "labels": torch.from_numpy(labels.astype(np.int64)),
        }

    def forward(self, model, pixels):
        return {"logits": model(pixels)}

    def loss(self, raw, batch):
        self.calls += 1
        if self.calls == self.die:
            os.kill(os.getpid(), self.by)
        size_hw = tuple(batch["labels"].shape[1:])
        loss = F.cross_entropy(F.interpolate(raw["logits"], size_hw, mode="bilinear"), batch["labels"])
        return {"loss": loss * float("nan") if self.calls in self.nan else loss}

    def lesson(self):
        return Lesson(self.example, self.forward, self.loss)


def make_trainer(folder, toy=None, pictures=None, **changes):
    keywords = {k: changes.pop(k) for k in ("validate", "draw", "report", "resume") if k in changes}
    recipe = dataclasses.replace(RECIPE, **changes)
    toy, pictures = toy or Toy(), pictures or Pictures()
    model = make_model(recipe)
    return Trainer(recipe, toy.lesson(), model, pictures, Path(folder), device="cpu", **keywords)


if __name__ == "__main__":
    jobs = json.loads(sys.argv[1])
    for job in jobs:
        die, rank = job.pop("die", None), job.pop("rank", None)
        chosen = rank is None or rank == process_rank()
        toy = Toy(die=die if chosen else None, by=job.pop("by", signal.SIGKILL))
        if "optim" in job:
            job["optim"] = Optim(**job["optim"])
        make_trainer(job.pop("folder"), toy, **job).run()
