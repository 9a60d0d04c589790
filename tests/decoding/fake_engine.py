"""An engine whose graphs are methods, in NumPy."""

import numpy as np


class FakeEngine:
    """A subclass has a method for each graph."""

    numpy = staticmethod(np.asarray)

    def run(self, name, *inputs, context=None):
        made = getattr(self, name)(*inputs)
        return made if isinstance(made, tuple) else (made,)
