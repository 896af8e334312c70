"""Small annotated pictures, predictors that were never trained, and a script that evaluates in several processes."""

import dataclasses
import sys
from functools import cache
from pathlib import Path

import sapiens
from sapiens.datasets.rendered import RenderedPeople, RenderSpec
from sapiens.errors import InputError
from sapiens.evaluation import evaluate, save_json, trivial_answers
from sapiens.tasks import TASKS

COUNT = 7


@cache
def people():
    """A few procedural people at a size that renders at once, one to three a picture."""
    return list(RenderedPeople(RenderSpec(3, COUNT, (48, 36), (1, 3))))


@cache
def predictor(task, **settings):
    """The smallest network of a task, untrained."""
    return sapiens.load(task, size="nano", weights="untrained", device="cpu", **settings)


class Records:
    """Samples of which some cannot be read, by their places, and some lack a field."""

    def __init__(self, samples, bad=(), without=None):
        self.samples, self.bad, self.without = samples, bad, without or {}

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        if index in self.bad:
            raise InputError(f"file.json, record {index}: is damaged")
        sample = self.samples[index]
        if index in self.without:
            fields = {k: v for k, v in sample.fields.items() if k != self.without[index]}
            return dataclasses.replace(sample, fields=fields)
        return sample


def evaluate_all(path):
    """Every task on the same pictures, two of them bad, with trivial answers; the first process writes the file."""
    from sapiens.evaluation.processes import join

    reports = []
    for task in TASKS:
        samples = Records(people(), bad=(1, 5))
        trivial = trivial_answers(task, samples)
        reports.append(evaluate(predictor(task), samples, data="few", trivial=trivial, shown=2))
    if join().main:
        save_json(reports, path)


if __name__ == "__main__":
    evaluate_all(Path(sys.argv[1]))
