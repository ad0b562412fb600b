"""A component's imports, met by Python objects: an interface by an object, a resource by a class, a function by a
method of the same name. What a component wants and is not here is found before any of it runs."""

from itertools import count

from wasmtime import WasmtimeError
from wasmtime.component import FuncType, ResourceAny, ResourceHost, ResourceType

_KINDS = count(1)


class Resource:
    """Something that a guest has a handle on. Each direct subclass is one resource of the WIT."""

    def __init_subclass__(cls):
        if Resource in cls.__bases__:
            cls.kind = next(_KINDS)

    def close(self):
        """The guest has dropped it, or is gone."""


class Handles:
    """The resources of one instance: what it may name, and not without end."""

    def __init__(self):
        self._objects = {}
        self._next = count(1)

    def own(self, resource):
        """A handle for the guest."""
        if len(self._objects) >= MAX_HANDLES:
            raise WasmtimeError("too many handles")
        number = next(self._next)
        self._objects[number] = resource
        return ResourceHost.own(number, resource.kind)

    def drop(self, _store, number):
        """The guest wants it no more."""
        self._objects.pop(number).close()

    def close(self):
        """The guest is gone."""
        while self._objects:
            self._objects.popitem()[1].close()

    def lift(self, store, value):
        """An argument of the guest's, with objects in place of handles."""
        if isinstance(value, ResourceAny):
            # This ends the borrow; to drop it as well would be once too often.
            return self._objects[value.to_host(store).rep]
        if isinstance(value, list):
            return [self.lift(store, each) for each in value]
        return value


def bind(linker, component, handles, interfaces, resources):
    """Define in `linker` all that `component` imports. Versions are the component's: it was built for a WIT that
    these objects know."""
    with linker.root() as root:
        for name, imported in component.type.imports(linker.engine).items():
            interface = interfaces.get(name.partition("@")[0])
            if interface is None:
                raise LookupError(f"this host has no {name}")
            with root.add_instance(name) as instance:
                for item, exported in imported.ty.exports(linker.engine).items():
                    if isinstance(exported.ty, ResourceType):
                        instance.add_resource(item, ResourceType.host(resources[item].kind), handles.drop)
                    elif isinstance(exported.ty, FuncType):
                        instance.add_func(item, _function(handles, interface, resources, item))


def _function(handles, interface, resources, item):
    """The function that `item` names: `poll`, `[static]data-port.passive` or `[method]pollable.ready`."""
    resource, _, name = item.rpartition("]")[2].rpartition(".")
    owner = resources[resource] if item.startswith("[method]") else interface
    function = getattr(owner, name.replace("-", "_"))

    def call(store, *arguments):
        try:
            return function(*(handles.lift(store, each) for each in arguments))
        except WasmtimeError:
            raise
        except Exception as error:
            # wasmtime keeps an exception for whoever looks next, which may be another thread's session.
            raise WasmtimeError(f"{item}: {error!r}") from None

    return call


MAX_HANDLES = 64
"""A session needs about eighteen."""
