# clock_gettime(2), from the header that POSIX says. Cython's posix.time takes it from sys/time.h, which glibc leaves
# without the clocks, and Python.h brings time.h no more from 3.13 on.

cdef extern from "<time.h>" nogil:
    const int CLOCK_MONOTONIC
    const int CLOCK_REALTIME
    struct timespec:
        long long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *t)
