"""Labels by neighbours, by hand and against a vote written out."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from multiome.metrics import knn_label_accuracy, label_transfer

LINE = np.array([[0.0], [1], [2], [10], [11], [12]])
NAMES = np.array(["a", "a", "a", "b", "b", "b"])


def vote(reference, labels, query, k, itself=False):
    found = []
    for i, x in enumerate(query):
        order = np.argsort(((reference - x) ** 2).sum(1), kind="stable")
        if itself:
            order = order[order != i]
        count = Counter(labels[order[:k]])
        found.append(min(count, key=lambda name: (-count[name], name)))
    return np.array(found)


def accuracies(found, truth):
    share = [np.mean(found[truth == name] == name) for name in sorted(set(truth))]
    return np.mean(found == truth), np.mean(share)


def test_by_hand():
    # Four query cells on the side of a, one on the side of b; the fourth is truly b, so 4 of 5 are right.
    # By label: all 3 a, 1 of 2 b.
    query, truth = np.array([[0.5], [1.5], [2.2], [2.4], [11.0]]), np.array(["a", "a", "a", "b", "b"])
    scores = label_transfer(LINE, NAMES, query, truth, k=3)
    assert scores == pytest.approx({"transfer": 4 / 5, "transfer_balanced": (1 + 1 / 2) / 2})


def test_dropped_labels_leave_on_both_sides():
    labels, truth = np.array(["unresolved", "a", "a", "b", "b", "b"]), np.array(["a", "unresolved"])
    scores = label_transfer(LINE, labels, np.array([[0.0], [11.0]]), truth, k=1, drop="unresolved")
    assert scores == {"transfer": 1.0, "transfer_balanced": 1.0}
    assert label_transfer(LINE, labels, np.array([[0.0], [11.0]]), truth, k=1)["transfer"] == 0


def test_equal_votes_go_to_the_first_label():
    scores = label_transfer(np.array([[0.0], [1.0]]), np.array(["b", "a"]), np.array([[0.1]]), np.array(["a"]), k=2)
    assert scores["transfer"] == 1


def test_a_predicted_label_that_the_truth_lacks():
    assert label_transfer(LINE, NAMES, np.array([[11.0]]), np.array(["a"]), k=1)["transfer_balanced"] == 0


def test_leave_one_out_by_hand():
    # k = 2: each of a's cells sees two a. Relabel cell 2 as b: it sees a, a (wrong); cells 0 and 1 see one a and one b,
    # a tie for a (right); cell 3 sees b, b. So 5 of 6; by label 2 of 2 and 3 of 4.
    labels = np.array(["a", "a", "b", "b", "b", "b"])
    scores = knn_label_accuracy(LINE, labels, k=2)
    assert scores == pytest.approx({"label_accuracy": 5 / 6, "label_accuracy_balanced": (1 + 3 / 4) / 2})


def test_equal_to_votes_written_out(rng):
    z, q = rng.normal(size=(90, 3)), rng.normal(size=(40, 3))
    labels, truth = rng.choice(list("abcd"), 90, p=[0.5, 0.3, 0.1, 0.1]), rng.choice(list("abcd"), 40)
    transfer = label_transfer(z, labels, q, truth, k=7)
    assert tuple(transfer.values()) == pytest.approx(accuracies(vote(z, labels, q, 7), truth))
    within = knn_label_accuracy(z, labels, k=6)
    assert tuple(within.values()) == pytest.approx(accuracies(vote(z, labels, z, 6, itself=True), labels))


@pytest.mark.parametrize("d", [3, 30])  # sklearn searches a tree in few dimensions and all pairs in many
def test_equal_to_protocol(rng, protocol, d):
    z, q = rng.normal(size=(300, d)), rng.normal(size=(200, d))
    labels, truth = rng.choice(["x", "y", "z", "Mis"], 300), rng.choice(["x", "y", "z", "Mis"], 200)
    expected = protocol.label_transfer(z, labels, q, truth)
    assert label_transfer(z, labels, q, truth, drop="Mis") == pytest.approx(expected)


def test_any_kind_of_label(rng):
    z = rng.normal(size=(30, 2))
    codes = rng.integers(0, 3, 30)
    by_name = pd.Series(pd.Categorical.from_codes(codes, ["p", "q", "r"]))
    assert knn_label_accuracy(z, codes, k=3) == knn_label_accuracy(z, by_name, k=3)


def test_collapsed_embedding_is_chance(rng):
    labels = np.repeat(["a", "b", "c", "d"], 25)
    assert label_transfer(np.ones((100, 2)), labels, np.ones((100, 2)), labels)["transfer_balanced"] == 0.25


def test_one_single_label(rng):
    z = rng.normal(size=(20, 2))
    assert knn_label_accuracy(z, ["a"] * 20, k=3) == {"label_accuracy": 1.0, "label_accuracy_balanced": 1.0}


def test_bad_input():
    with pytest.raises(ValueError, match=r"`labels` must hold one value for each of 6 cells, got shape \(5,\)"):
        label_transfer(LINE, NAMES[:5], LINE, NAMES)
    with pytest.raises(ValueError, match="between 1 and the 6 reference cells, got 15"):
        label_transfer(LINE, NAMES, LINE, NAMES)
    with pytest.raises(ValueError, match="same dimensions, got 1 and 2"):
        label_transfer(LINE, NAMES, np.zeros((6, 2)), NAMES, k=1)
    with pytest.raises(ValueError, match="`truth` misses the value of 1 of 6 cells"):
        label_transfer(LINE, NAMES, LINE, np.array(["a", None, "a", "b", "b", "b"], dtype=object), k=1)
    with pytest.raises(ValueError, match="No query cell is left"):
        label_transfer(LINE, NAMES, LINE[:1], NAMES[:1], k=1, drop="a")
    with pytest.raises(ValueError, match="between 1 and the 3 reference cells, got 4"):
        label_transfer(LINE, NAMES, LINE, NAMES, k=4, drop="a")
    with pytest.raises(ValueError, match="between 1 and the 5 other cells, got 6"):
        knn_label_accuracy(LINE, NAMES, k=6)
