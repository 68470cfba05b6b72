"""The last step of every layer that adds to its map: it adds a weighted branch to the input, as the formulas say."""

from torch import Tensor


def add_branch(x: Tensor, branch: Tensor, gamma: Tensor | None = None) -> Tensor:
    """Adds a branch to the map: y = x + gamma * branch.

    The result keeps the map's dtype and memory format: under autocast the branch is in half precision.

    Args:
        x (Tensor): The map, (N, C, H, W). It is not modified.
        branch (Tensor): What is added, of any shape that broadcasts to the map's.
        gamma (Tensor, optional): The branch's weight, (1,); 1 without it.

    Returns:
        Tensor: Shape, dtype and memory format of `x`.
    """
    branch = branch.to(x.dtype)
    return x + (branch if gamma is None else branch * gamma.to(x.dtype))
