# The part of libzmq's C interface that the loop calls, as a table of function pointers.
#
# Nothing here needs zmq.h or -lzmq: the table is filled by dlsym from the extension module that pyzmq has already
# loaded, so the loop and pyzmq always share one libzmq, and a socket made by one is a socket for the other.
# The numbers are those of zmq.h 4.x; they are part of its ABI.

cdef enum:
    # socket types
    PUB = 1
    SUB = 2
    REQ = 3
    DEALER = 5
    ROUTER = 6
    PULL = 7
    PUSH = 8
    XPUB = 9
    XSUB = 10
    STREAM = 11
    # flags of zmq_msg_send and zmq_msg_recv
    DONTWAIT = 1
    SNDMORE = 2
    # options of zmq_getsockopt and zmq_setsockopt
    OPT_SUBSCRIBE = 6
    OPT_UNSUBSCRIBE = 7
    OPT_FD = 14
    OPT_EVENTS = 15
    OPT_TYPE = 16
    OPT_SNDHWM = 23
    OPT_RCVHWM = 24
    OPT_CONFLATE = 54
    OPT_XPUB_NODROP = 69
    OPT_XPUB_MANUAL = 71
    OPT_INVERT_MATCHING = 74
    # Since 4.3.5; zmq.h shows it only with the draft interface, but every build has it.
    OPT_TOPICS_COUNT = 116
    # property of zmq_msg_get: the file descriptor that a message came by, -1 for inproc
    PROPERTY_SRCFD = 2
    # bits of OPT_EVENTS
    CAN_RECEIVE = 1
    CAN_SEND = 2
    # error numbers of libzmq's own, from ZMQ_HAUSNUMERO
    EFSM = 156384763
    ETERM = 156384765

ctypedef struct zmq_msg_t:
    # 64 opaque bytes with the alignment of a pointer
    void *_[8]

ctypedef struct Libzmq:
    int (*zmq_errno)() noexcept nogil
    int (*getsockopt)(void *socket, int option, void *value, size_t *size) noexcept nogil
    int (*setsockopt)(void *socket, int option, const void *value, size_t size) noexcept nogil
    int (*msg_init)(zmq_msg_t *msg) noexcept nogil
    int (*msg_init_size)(zmq_msg_t *msg, size_t size) noexcept nogil
    int (*msg_recv)(zmq_msg_t *msg, void *socket, int flags) noexcept nogil
    int (*msg_send)(zmq_msg_t *msg, void *socket, int flags) noexcept nogil
    int (*msg_close)(zmq_msg_t *msg) noexcept nogil
    int (*msg_move)(zmq_msg_t *to, zmq_msg_t *msg) noexcept nogil
    int (*msg_copy)(zmq_msg_t *to, zmq_msg_t *msg) noexcept nogil
    int (*msg_more)(const zmq_msg_t *msg) noexcept nogil
    int (*msg_get)(const zmq_msg_t *msg, int property) noexcept nogil
    void *(*msg_data)(zmq_msg_t *msg) noexcept nogil
    size_t (*msg_size)(const zmq_msg_t *msg) noexcept nogil
