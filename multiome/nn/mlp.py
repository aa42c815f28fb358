"""A residual multilayer perceptron: the linear map first, what it misses on top."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from multiome.nn.chance import Dropout


class ResidualMLP(nn.Module):
    """``linear(x) + mlp(x)``; the nonlinear part starts at 0, so a fresh network is the linear map."""

    def __init__(self, n_in: int, n_out: int, *, n_hidden: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        self.mlp = nn.Sequential(
            nn.Linear(n_in, n_hidden),
            nn.LayerNorm(n_hidden),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(n_hidden, n_hidden),
            nn.LayerNorm(n_hidden),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(n_hidden, n_out),
        )
        last = self.mlp[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x: Float[Tensor, "*draw cell in"]) -> Float[Tensor, "*draw cell out"]:
        return self.linear(x) + self.mlp(x)
