package dev.cowherd.storage.filter;

/** The kinds of operation that a filter tells apart. */
public enum Operation {
    /** A read of one run of bytes, into one segment or several. */
    READ,
    /** A write of one run of bytes, from one segment or several. */
    WRITE,
    /** A run made to read as zeros, its space given back. */
    PUNCH_HOLE,
    /** A run made to read as zeros, its space kept. */
    ZERO,
    /** Space taken for a run. */
    ALLOCATE,
    /** A change of size. */
    TRUNCATE,
    /** A demand for durability. */
    SYNC,
    /** The wish that the host begin to make a run durable. */
    WRITEBACK,
    /** The wish that the host set space aside past the end. */
    RESERVE,
    /** The space past the end given back. */
    RELEASE,
    /** The question what the host knows of a run. */
    RANGE,
    /** The question for the size or the space taken. */
    SIZE,
    /** A further handle. */
    REOPEN,
    /** The end of a handle. */
    CLOSE
}
