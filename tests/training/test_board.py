"""Curves and pictures for TensorBoard."""

import sys

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sapiens.errors import MissingDependencyError
from sapiens.training.board import Board


def read(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def curve(events, name):
    return [(event.step, round(event.value, 4)) for event in events.Scalars(name)]


def test_board__numbers_become_curves(tmp_path):
    board = Board(tmp_path)
    board.line({"update": 10, "seen": 40, "loss": 2.0, "eta_s": 5.0, "problems": ["a.png: is damaged"]})
    board.line({"update": 20, "seen": 80, "loss": 1.5, "val/miou": 0.25})
    board.close()
    events = read(tmp_path)
    assert set(events.Tags()["scalars"]) == {"train/loss", "val/miou"}
    assert curve(events, "train/loss") == [(10, 2.0), (20, 1.5)]
    assert curve(events, "val/miou") == [(20, 0.25)]


def test_board__pictures(tmp_path):
    board = Board(tmp_path)
    board.picture(np.zeros((8, 6, 3), np.uint8), 20)
    board.close()
    (picture,) = read(tmp_path).Images("input, target, prediction")
    assert (picture.step, picture.height, picture.width) == (20, 8, 6)


def test_board__a_resumed_run_drops_what_it_does_again(tmp_path):
    for done, lines in ((0, [(1, 3.0), (2, 2.0), (3, 9.0)]), (2, [(3, 1.0)])):
        board = Board(tmp_path, done)
        for update, loss in lines:
            board.line({"update": update, "loss": loss})
        board.close()
    assert curve(read(tmp_path), "train/loss") == [(1, 3.0), (2, 2.0), (3, 1.0)]


def test_board__beside_another(tmp_path):
    seen, board = [], Board(tmp_path)
    board.beside(seen.append)({"update": 1, "loss": 1.0})
    board.close()
    assert seen == [{"update": 1, "loss": 1.0}]
    assert curve(read(tmp_path), "train/loss") == [(1, 1.0)]


def test_board__not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingDependencyError) as caught:
        Board(tmp_path)
    assert caught.value.hint == "pip install 'sapiens[train]'"
