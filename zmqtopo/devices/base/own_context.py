"""The context that a device makes for itself: any thread may end it, also while the device does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import new_class
from typing import Any

import zmq


class OwnContext(zmq.Context[Any]):
    """A context that ends once, however many threads ask for it at the same time.

    zmq_ctx_term(3) frees the context: a second call that is still in it, or one that makes a socket meanwhile, reads
    freed memory. Programs written for ``zmq.devices`` end a device by ending its context from another thread.
    """

    _ending: Any = None     # pyzmq takes a new attribute of an instance for an option, but not one of its class

    def socket(self, *args: Any, **kwargs: Any) -> Any:
        """As in pyzmq; raises zmq.ContextTerminated when the context has ended."""
        with self._ending:
            if self.closed:
                raise zmq.ContextTerminated
            return super().socket(*args, **kwargs)

    def term(self) -> None:
        """As in pyzmq; returns when the context has ended, whichever thread ended it."""
        with self._ending:
            super().term()

    def end(self) -> None:
        """End the context, or leave it to the thread that is ending it."""
        if self._ending.acquire(blocking=False):
            try:
                super().term()
            finally:
                self._ending.release()


def make_context(factory: Callable[[], zmq.Context[Any]]) -> zmq.Context[Any]:
    """The context of a device: one that may be shared, or of a factory that is a class, one for this device alone."""
    made_for_one: Any = factory
    if not isinstance(factory, type) or not issubclass(made_for_one, zmq.Context):
        return factory()
    names = {"__module__": factory.__module__, "_repr_cls": vars(factory).get("_repr_cls")}
    kind = new_class(factory.__name__, (OwnContext, made_for_one), exec_body=lambda body: body.update(names))
    context: OwnContext = kind()
    # Reentrant: a signal handler that ends the context may run in the thread that is ending it.
    context._ending = threading.RLock()
    return context
