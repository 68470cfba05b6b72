"""The base of norm layers: a module that holds a batch norm and changes the normalised map."""

import inspect
from abc import abstractmethod

from torch import Tensor, nn

from attn_plugins.layers.layer import ChecksMap
from attn_plugins.layers.state_dict_keys import Wrapper


class NormLayer(ChecksMap, Wrapper):
    """y = adapt(x, batch_norm(x)).

    `Plugged(norm=...)` keeps the host's own norm inside, which may be another norm layer: IEBN around NoisyBN attacks
    IEBN. Without a host the options build the batch norm.

    Args:
        num_features (int): C.
        eps (float): Added to the variance.
        momentum (float): Of the running statistics.
        affine (bool): Whether there are weight and bias.
        track_running_stats (bool): As in batch norm.
        sync (bool): Whether statistics are taken over all processes.
    """

    _abbr_ = 'bn'
    attn_wrapped = 'bn'

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        sync: bool = False,
    ):
        super().__init__()
        self.num_features = num_features
        norm = nn.SyncBatchNorm if sync else nn.BatchNorm2d
        self.bn = norm(num_features, eps, momentum, affine, track_running_stats)
        self.make_parameters()
        self.init_weights()

    #: Options of the batch norm inside; a host's own norm already has them.
    inner_options = tuple(inspect.signature(__init__).parameters)[2:]

    def make_parameters(self) -> None:
        """Adds the layer's own parameters to those of the batch norm; none by default."""

    def init_weights(self) -> None:
        """Initialises what the layer adds.

        The host initialises weight and bias of the batch norm (zero-init residuals).
        """

    @abstractmethod
    def adapt(self, x: Tensor, y: Tensor) -> Tensor:
        """Computes the output from the input x and y, the normalised x. Both (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        leaf = self.attn_fx_node(x)
        return self.adapt(x, self.bn(x)) if leaf is None else leaf
