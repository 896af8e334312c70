"""What a run shows of its progress: input, target and prediction of a few pictures, beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from sapiens.config import Recipe
from sapiens.evaluation.baselines import trivial_meta
from sapiens.evaluation.records import annotated_boxes
from sapiens.imaging.frame import ImageU8
from sapiens.imaging.sample import Sample
from sapiens.imaging.write import write_image
from sapiens.inference.predictor import Predictor
from sapiens.tasks.yardstick import get_yardstick
from sapiens.training.checkpoint import Tensors
from sapiens.training.predictors import make_predictors

MOST = 4
"""Pictures that are shown."""
CELL_HW = 256, 192
GAP = 4
PAPER = 255


class Gallery:
    """Draws RUN/pictures/step_N.png: a row per picture and task.

    Args:
        recipe: of the run.
        samples: pictures with targets; up to four, spread over them, are shown.
        folder: where the pictures go.
        device: where predictions are computed.
        show: also receives each picture, (H, W, 3) RGB, and the number of updates.
    """

    def __init__(
        self,
        recipe: Recipe,
        samples: Sequence[Sample],
        folder: Path,
        device: torch.device,
        show: Callable[[ImageU8, int], None] | None = None,
    ) -> None:
        self.recipe, self.folder, self.device, self.show = recipe, folder, device, show
        places = np.unique(np.linspace(0, len(samples) - 1, min(MOST, len(samples))).astype(int))
        self.samples = [samples[int(place)] for place in places]

    def __call__(self, weights: Tensors, update: int) -> None:
        """Draw what these weights predict."""
        predictors = make_predictors(self.recipe, weights, self.device)
        sheet = stack([row(predictor, sample) for sample in self.samples for predictor in predictors.values()])
        write_image(self.folder / f"step_{update:08d}.png", sheet)
        if self.show:
            self.show(sheet, update)


def row(predictor: Predictor, sample: Sample) -> ImageU8:
    """Input, target and prediction, drawn as the task draws its results."""
    task = predictor.task
    result = predictor(sample.image, annotated_boxes(sample) if task.top_down else None)
    yardstick = get_yardstick(task.name)
    truth = yardstick.truth(sample, trivial_meta(task.name, "target", sample))
    drawn = yardstick.draw(truth, result, sample.image)
    return join([fit(sample.image), *(fit(np.asarray(picture.convert("RGB"))) for picture in drawn)], axis=1)


def stack(rows: Sequence[ImageU8]) -> ImageU8:
    """Rows below each other."""
    return join(rows, axis=0)


def join(pictures: Sequence[ImageU8], axis: int) -> ImageU8:
    """Pictures of one height (axis 1) or width (axis 0), with white lines between them."""
    first, *others = pictures
    parts = [first]
    for picture in others:
        gap = list(picture.shape)
        gap[axis] = GAP
        parts += [np.full(gap, PAPER, np.uint8), picture]
    return np.concatenate(parts, axis)


def fit(picture: ImageU8) -> ImageU8:
    """A picture within a cell, its aspect ratio kept, on white."""
    height, width = picture.shape[:2]
    scale = min(CELL_HW[0] / height, CELL_HW[1] / width)
    size_hw = max(1, round(height * scale)), max(1, round(width * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    cell = np.full((*CELL_HW, 3), PAPER, np.uint8)
    top, left = (CELL_HW[0] - size_hw[0]) // 2, (CELL_HW[1] - size_hw[1]) // 2
    cell[top : top + size_hw[0], left : left + size_hw[1]] = cv2.resize(picture, size_hw[::-1], interpolation=how)
    return cell
