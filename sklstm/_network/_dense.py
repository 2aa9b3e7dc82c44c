"""RowwiseLinear: the dense layer, with the same bits for a row in any company."""

import torch
from torch import Tensor, nn

# Products that a dense layer holds at a time, small enough for the caches.
N_PRODUCTS_AT_ONCE = 2**16


class RowwiseLinear(nn.Linear):
    """A dense layer that outside of training sums each output by itself.

    In a matrix product, the order of a row's sum may depend on the row's place among the
    others, and so may its last bits. Sums over products do not share anything.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (B, n_inputs) to outputs (B, n_outputs)."""
        if self.training:
            return super().forward(inputs)
        n_at_once = max(1, N_PRODUCTS_AT_ONCE // max(1, inputs.numel()))
        sums = [
            (inputs[:, None] * weights).sum(dim=-1)  # (B, n_at_once, n_inputs) to (B, …)
            for weights in self.weight.split(n_at_once)
        ]
        outputs = sums[0] if len(sums) == 1 else torch.cat(sums, dim=1)
        return outputs if self.bias is None else outputs + self.bias
