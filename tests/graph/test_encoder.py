"""Feature embeddings that neighbours share."""

import pandas as pd
import pytest
import torch

import multiome as mo
from multiome.graph.edges import edges_among
from multiome.graph.encoder import SHARE, GraphEncoder


@pytest.fixture
def encoder():
    rows = [("g1", "prot", "a", 1), ("g1", "prot", "b", 1), ("g2", "met", "s", -1)]
    table = pd.DataFrame(rows, columns=["source", "target_modality", "target", "sign"]).assign(source_modality="rna")
    graph = mo.GuidanceGraph.from_table(table)
    return GraphEncoder(edges_among(graph, {"rna": ["g1", "g2", "alone"], "prot": ["a", "b"], "met": ["s"]}))


@pytest.fixture
def own():
    return {"rna": torch.randn(1, 3, 4), "prot": torch.randn(3, 2, 4), "met": torch.randn(1, 1, 4)}


def test_an_embedding_is_a_features_own_and_half_its_neighbours(encoder, own):
    found = encoder(own)
    genes, proteins = own["rna"][0], own["prot"].mean(0)
    torch.testing.assert_close(found["prot"], own["prot"] + SHARE * genes[0])
    torch.testing.assert_close(found["met"][0, 0], own["met"][0, 0] - SHARE * genes[1])
    torch.testing.assert_close(found["rna"][0, 0], genes[0] + SHARE * proteins.mean(0))
    torch.testing.assert_close(found["rna"][0, 1], genes[1] - SHARE * own["met"][0, 0])
    torch.testing.assert_close(found["rna"][0, 2], genes[2])


@pytest.mark.parametrize(("done", "share"), [(0, 1), (0.3, 0.75), (0.6, 0.5), (1, 0.5)])
def test_neighbours_add_less_as_training_goes_on(encoder, own, done, share):
    encoder.loosen(done)
    torch.testing.assert_close(encoder(own)["prot"], own["prot"] + share * own["rna"][0, 0])


def test_what_a_protein_tells_reaches_its_gene(encoder, own):
    own = {key: value.requires_grad_() for key, value in own.items()}
    encoder(own)["prot"][:, 0].sum().backward()
    assert own["rna"].grad[0, 0].abs().min() > 0
    assert own["rna"].grad[0, 1:].abs().max() == 0


def test_gradients_are_those_of_the_written_out_average(encoder, own):
    wanted = {"rna": torch.tensor([2, 0]), "prot": torch.tensor([1])}
    own = {key: value.requires_grad_() for key, value in own.items()}
    weight = {key: torch.randn(len(own[key]), len(wanted.get(key, own[key][0])), 4) for key in own}
    sum((weight[key] * value).sum() for key, value in encoder(own, wanted).items()).backward()
    found = {key: value.grad.clone() for key, value in own.items()}

    average = encoder.neighbours(torch.arange(6)).to_dense()
    near = dict(zip(own, (average @ torch.cat([v.mean(0) for v in own.values()])).split([3, 2, 1]), strict=True))
    every = {key: value + SHARE * near[key] for key, value in own.items()}
    some = {key: value[:, wanted[key]] if key in wanted else value for key, value in every.items()}
    expected = torch.autograd.grad(sum((weight[k] * v).sum() for k, v in some.items()), list(own.values()))
    for key, gradient in zip(own, expected, strict=True):
        torch.testing.assert_close(found[key], gradient)


def test_the_graph_is_no_weight(encoder):
    assert not list(encoder.parameters())
    assert not encoder.state_dict()


def test_some_features_are_embedded_as_among_all(encoder, own):
    wanted = {"rna": torch.tensor([2, 0]), "prot": torch.tensor([1])}
    every, some = encoder(own), encoder(own, wanted)
    for key, features in wanted.items():
        torch.testing.assert_close(some[key], every[key][:, features])
    torch.testing.assert_close(some["met"], every["met"])


def test_what_a_chosen_protein_tells_reaches_a_gene_that_was_not(encoder, own):
    own = {key: value.requires_grad_() for key, value in own.items()}
    encoder(own, {"rna": torch.tensor([2]), "prot": torch.tensor([0])})["prot"].sum().backward()
    torch.testing.assert_close(own["rna"].grad[0, 0], torch.full((4,), 3 * SHARE))
