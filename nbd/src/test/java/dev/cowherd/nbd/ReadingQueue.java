package dev.cowherd.nbd;

import java.lang.foreign.MemorySegment;

/** A queue of an export that nobody may write: that the server does not even try is part of each test that uses it. */
interface ReadingQueue extends Export.Queue {
    @Override
    default void write(long offset, MemorySegment source) {
        throw new AssertionError("a write reached a read-only export");
    }

    @Override
    default void writeZeroes(long offset, long length, boolean mayUnmap) {
        throw new AssertionError("zeros reached a read-only export");
    }

    @Override
    default boolean zeroesAreFast(long offset, long length) {
        throw new AssertionError("a question about zeros reached a read-only export");
    }

    @Override
    default void trim(long offset, long length) {
        throw new AssertionError("a trim reached a read-only export");
    }

    @Override
    default void flush() {
        throw new AssertionError("a flush reached a read-only export");
    }
}
