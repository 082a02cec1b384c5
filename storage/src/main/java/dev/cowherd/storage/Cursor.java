package dev.cowherd.storage;

import java.lang.foreign.MemorySegment;

/** A place in a list of segments, moved on by copying between them and runs of bytes. For one thread. */
final class Cursor {
    private final MemorySegment[] segments;
    private int index;
    private long place;

    Cursor(MemorySegment[] segments) {
        this.segments = segments;
    }

    /** Fills the segments on from here with all of a run. */
    void give(MemorySegment run) {
        move(run, true);
    }

    /** Fills a run with the bytes of the segments on from here. */
    void take(MemorySegment run) {
        move(run, false);
    }

    private void move(MemorySegment run, boolean give) {
        for (long done = 0; done < run.byteSize(); ) {
            MemorySegment segment = segments[index];
            long now = Math.min(run.byteSize() - done, segment.byteSize() - place);
            if (give) {
                MemorySegment.copy(run, done, segment, place, now);
            } else {
                MemorySegment.copy(segment, place, run, done, now);
            }
            done += now;
            place += now;
            if (place == segment.byteSize()) {
                index++;
                place = 0;
            }
        }
    }
}
