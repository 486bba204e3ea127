"""A GPU borrowed for one call, where Hugging Face lends them (ZeroGPU).

There the call runs in another process: what goes in and what comes out is pickled, and an error
that is raised comes back as "ZeroGPU worker error" and its class. Arguments are therefore values
(a ``Stop`` is a file's name), and our own sentences come back as values too.
"""

import functools
from collections.abc import Callable
from typing import Any

from kmspeaker.errors import InputError
from kmspeaker.web.errors import Stopped


def on_gpu(function: Callable, seconds: Callable[..., int]) -> Callable:
    """Borrow a GPU for each call; where none is lent, the function itself.

    Args:
        function: What needs it. Its arguments and its result can be pickled.
        seconds: For how long, from the same arguments.
    """
    try:
        import spaces  # pyright: ignore[reportMissingImports]
    except ImportError:
        return function

    @functools.wraps(function)
    def outcome(*args: Any) -> Any:
        try:
            return function(*args)
        except (InputError, Stopped) as error:
            return error

    lent = spaces.GPU(duration=seconds)(outcome)

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        result = lent(*args)
        if isinstance(result, InputError | Stopped):
            raise result
        return result

    return call
