# The functions of libzmq that an extension module calls, found when it is loaded. Included by the loop and by the ends
# of a bench: each module has its own table, so that a call needs no lookup in another module.

from posix.dlfcn cimport RTLD_LAZY, dlerror, dlopen, dlsym

from zmqtopo.loop.libzmq cimport Libzmq, zmq_msg_t


cdef Libzmq zmq


cdef void *symbol(void *library, bytes name, str path) except NULL:
    cdef void *address = dlsym(library, <char *>name)
    if address == NULL:
        raise ImportError(f"{path} does not export {name.decode()}: zmqtopo needs pyzmq on a shared libzmq")
    return address


def load(str path not None):
    """Fill the function table from the shared object at ``path``, which must be loaded already.

    Raises ImportError when it, or a library that it has loaded, does not export one of libzmq's functions.
    """
    cdef void *library = dlopen(path.encode(), RTLD_LAZY)
    if library == NULL:
        raise ImportError(f"cannot open {path}: {dlerror().decode()}")
    zmq.zmq_errno = <int (*)() noexcept nogil>symbol(library, b"zmq_errno", path)
    zmq.getsockopt = <int (*)(void *, int, void *, size_t *) noexcept nogil>symbol(library, b"zmq_getsockopt", path)
    zmq.setsockopt = <int (*)(void *, int, const void *, size_t) noexcept nogil>symbol(
        library, b"zmq_setsockopt", path
    )
    zmq.msg_init = <int (*)(zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_init", path)
    zmq.msg_init_size = <int (*)(zmq_msg_t *, size_t) noexcept nogil>symbol(library, b"zmq_msg_init_size", path)
    zmq.msg_recv = <int (*)(zmq_msg_t *, void *, int) noexcept nogil>symbol(library, b"zmq_msg_recv", path)
    zmq.msg_send = <int (*)(zmq_msg_t *, void *, int) noexcept nogil>symbol(library, b"zmq_msg_send", path)
    zmq.msg_close = <int (*)(zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_close", path)
    zmq.msg_move = <int (*)(zmq_msg_t *, zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_move", path)
    zmq.msg_copy = <int (*)(zmq_msg_t *, zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_copy", path)
    zmq.msg_more = <int (*)(const zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_more", path)
    zmq.msg_get = <int (*)(const zmq_msg_t *, int) noexcept nogil>symbol(library, b"zmq_msg_get", path)
    zmq.msg_data = <void *(*)(zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_data", path)
    zmq.msg_size = <size_t (*)(const zmq_msg_t *) noexcept nogil>symbol(library, b"zmq_msg_size", path)
