import dataclasses
import threading
import time

import numpy as np
import pytest
from helpers_evaluation import people

from sapiens.evaluation.records import Records, annotated_boxes, before_background


@pytest.mark.parametrize(
    ("word", "extra", "want"),
    [
        ("everybody", {"boxes_xyxy": [[0, 0, 5, 5], [1, 1, 4, 4]], "box_xyxy": [0, 0, 5, 5]}, 2),
        ("one", {"box_xyxy": [0, 0, 5, 5]}, 1),
        ("nobody", {"boxes_xyxy": np.empty((0, 4))}, 0),
    ],
)
def test_annotated_boxes__shapes(word, extra, want):
    boxes = annotated_boxes(dataclasses.replace(people()[0], extra=extra))
    assert (boxes.shape, boxes.dtype) == ((want, 4), np.float32)


def cutout():
    sample = people()[0]
    black = (sample.fields["foreground"] * 255).astype(np.uint8)
    return dataclasses.replace(sample, image=black, extra={"needs_background": 1})


def test_before_background__fills_what_is_empty_and_keeps_what_is_opaque():
    sample = cutout()
    filled = before_background(sample, 3)
    alpha = sample.fields["alpha"]
    assert filled.image[alpha == 0].std() > 5
    assert abs(filled.image[alpha == 1].astype(int) - sample.image[alpha == 1]).max() <= 1
    np.testing.assert_array_equal(filled.image, before_background(sample, 3).image)
    assert (filled.image != before_background(sample, 4).image).any()
    assert before_background(people()[0], 3) is people()[0]


def test_records__are_kept_from_reading_to_taking():
    records = Records(people(), [2, 4])
    assert records.take(1) is None
    assert records.sources()[1].read().id == people()[4].id
    np.testing.assert_array_equal(records.boxes(1), people()[4].extra["boxes_xyxy"])
    assert records.take(1) is people()[4]
    assert records.take(1) is None


def test_records__sequences_of_unknown_kind_are_asked_by_one_thread_at_a_time():
    inside, most = [], []

    class Slow(list):
        def __getitem__(self, index):
            inside.append(index)
            most.append(len(inside))
            time.sleep(0.002)
            inside.pop()
            return people()[index]

    sources = Records(Slow(people()), range(6)).sources()
    threads = [threading.Thread(target=source.read) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(most) == 6
