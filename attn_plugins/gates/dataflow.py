"""Records which operations of a pass write and read a map: needed before weights next to a layer may be changed."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attn_plugins.insertion.containers import Plug

# Functions that read something else of a tensor than its values, and return no tensor.
METADATA = {
    *(
        '__get__',
        'size',
        'dim',
        'ndimension',
        'numel',
        'nelement',
        'stride',
        'storage_offset',
        'element_size',
    ),
    *('is_contiguous', 'is_floating_point', 'is_complex', 'get_device', '__len__', '__hash__', 'data_ptr'),
}


@dataclass(eq=False)
class Value:
    """The content of a tensor at one moment; writing in place makes a new value.

    Attributes:
        maker: The step that made it; None for inputs and weights.
        readers: The steps that read it.
        handed_on: Modules that returned it, or keep it, and how many steps had been taken by then.
    """

    maker: 'Step | None' = None
    readers: 'list[Step]' = field(default_factory=list)
    handed_on: dict[str, int] = field(default_factory=dict)

    @property
    def leaves_by(self) -> str | None:
        """The module that passes it on to an unseen reader: a backbone returns a level, a model its result."""
        last = max((step.number for step in self.readers), default=0)
        return next((name for name, steps in self.handed_on.items() if steps >= last), None)


@dataclass(eq=False)
class Step:
    """One call of a torch function.

    Attributes:
        number: Its number in the pass, from 1.
        func: The function.
        tensors: Its tensors, in the order of its arguments.
        values: The values that they held.
        call: The layer's call that it is a part of, or None.
    """

    number: int
    func: Callable
    tensors: list[Tensor]
    values: list[Value]
    call: 'Call | None'

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The weights among its tensors: the parameters of modules."""
        return [tensor for tensor in self.tensors if isinstance(tensor, nn.Parameter)]

    @property
    def name(self) -> str:
        """The function's name, for messages."""
        return getattr(self.func, '__name__', 'an operation').strip('_')


@dataclass(eq=False)
class Call:
    """A call of a layer: its input map, its output map, and the plug around the layer, if there is one."""

    layer: nn.Module
    plug: Plug | None
    x: Value
    y: Value | None = None


class Dataflow(TorchFunctionMode):
    """Records every step of a pass: `with Dataflow(model, layers) as flow: model.test_step(data)`.

    Operations that torch does not show (mmcv's compiled ones) are still seen to read a map, as they make their results
    from it (`new_zeros`).

    Args:
        model: The model.
        layers: Those of its layers whose calls are recorded; `IdentityStart` where a layer has one.

    Attributes:
        calls: The layers' calls, in their order.
        uses: How often each weight was read.
    """

    def __init__(self, model: nn.Module, layers: list[nn.Module]):
        super().__init__()
        self.model, self.layers = model, layers
        self.calls: list[Call] = []
        self.uses: Counter[int] = Counter()
        self._steps = 0
        self._values: dict[int, tuple[Tensor, Value]] = {}
        self._inside: list[Call] = []
        self._plugs: list[Plug] = []
        self._stack = ExitStack()

    def __enter__(self):
        """Adds hooks to the layers, to the plugs, and to all modules for their results."""
        for name, module in self.model.named_modules():
            self._hook(module, None, lambda _, args, y, name=name: self._hand_on(name, y))
            if isinstance(module, Plug):
                self._hook(module, lambda plug, _: self._plugs.append(plug), lambda *_: self._plugs.pop())
        for layer in self.layers:
            self._hook(layer, self._begin, self._end)
        return super().__enter__()

    def __exit__(self, *error):
        """Removes the hooks."""
        for name, module in self.model.named_modules():
            self._hand_on(name, [part for part in vars(module).values() if isinstance(part, (Tensor, list))])
        self._stack.close()
        return super().__exit__(*error)

    def _hook(self, module: nn.Module, before: Callable | None, after: Callable) -> None:
        def run_before(module, args):
            before(module, args)

        def run_after(module, args, y):
            after(module, args, y)

        if before is not None:
            self._stack.callback(module.register_forward_pre_hook(run_before).remove)
        self._stack.callback(module.register_forward_hook(run_after).remove)

    def _begin(self, layer: nn.Module, args: tuple) -> None:
        plug = self._plugs[-1] if self._plugs and self._plugs[-1].attn_layer is layer else None
        self._inside.append(Call(layer, plug, self._value(args[0])))

    def _end(self, layer: nn.Module, args: tuple, y: Tensor) -> None:
        call = self._inside.pop()
        call.y = self._value(y)
        self.calls.append(call)

    def _hand_on(self, name: str, part) -> None:
        for tensor in _tensors(part):
            if id(tensor) in self._values:
                self._values[id(tensor)][1].handed_on[name or 'the model'] = self._steps

    def _value(self, tensor: Tensor) -> Value:
        return self._values.setdefault(id(tensor), (tensor, Value()))[1]

    def __torch_function__(self, func, types, args=(), kwargs=None):
        given = list(_tensors((args, kwargs or {})))
        values = [self._value(tensor) for tensor in given]
        result = func(*args, **(kwargs or {}))
        name = getattr(func, '__name__', '')
        made = list(_tensors(result))
        if not made and name in METADATA:
            return result
        self._steps += 1
        step = Step(self._steps, func, given, values, self._inside[-1] if self._inside else None)
        for value in values:
            value.readers.append(step)
        self.uses.update(id(parameter) for parameter in step.parameters)
        if not made and given:  # x[...] = y
            made = given[:1]
        for tensor in made:
            self._values[id(tensor)] = (tensor, Value(step))
        return result


def _tensors(part) -> Iterator[Tensor]:
    if isinstance(part, Tensor):
        yield part
    elif isinstance(part, (tuple, list)):
        for item in part:
            yield from _tensors(item)
    elif isinstance(part, dict):
        yield from _tensors(list(part.values()))
