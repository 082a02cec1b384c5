package dev.cowherd.testkit.lab;

import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * A disk of 32 sectors that writes every sector to a new place and keeps a map of the places, as small as an engine can be that has
 * something to get wrong. The map is the file's first sector, places follow it.
 */
final class ToyDisk {
    static final int SECTORS = 32;
    static final long SIZE = (long) SECTORS * Stamps.SECTOR;

    /** What it gets wrong. */
    enum Wrong {
        NOTHING,
        /** The map is written without a barrier after the data. */
        NO_BARRIER,
        /** A flush returns before the map is durable. */
        LYING_FLUSH,
        /** The map leads to a place before the bytes are there. */
        LINK_FIRST,
        /** Two writers may take one place. */
        LOST_PLACE,
        /** A write lands in the neighbour's sector. */
        MISPLACED,
        /** Overwrites in place at once what a durable map still leads to: right, as long as sectors are whole. */
        IN_PLACE
    }

    private final Storage storage;
    private final StepScheduler steps;
    private final Wrong wrong;
    private final AtomicIntegerArray map = new AtomicIntegerArray(SECTORS);
    private int next = 1;

    ToyDisk(Storage storage, StepScheduler steps, Wrong wrong) throws IOException {
        this.storage = storage;
        this.steps = steps;
        this.wrong = wrong;
        MemorySegment first = segment(Stamps.SECTOR);
        storage.read(0, first);
        for (int i = 0; i < SECTORS; i++) {
            int place = first.getAtIndex(ValueLayout.JAVA_INT, i);
            map.set(i, place);
            next = Math.max(next, place + 1);
        }
    }

    private static MemorySegment segment(long bytes) {
        return Arena.ofAuto().allocate(bytes);
    }

    Void write(long offset, MemorySegment bytes) throws IOException {
        for (long at = 0; at < bytes.byteSize(); at += Stamps.SECTOR) {
            int sector = (int) ((offset + at) / Stamps.SECTOR);
            MemorySegment part = bytes.asSlice(at, Stamps.SECTOR);
            int old = map.get(sector);
            if (wrong == Wrong.IN_PLACE && old != 0) {
                storage.write((long) old * Stamps.SECTOR, part);
                continue;
            }
            int place = take();
            int shown = wrong == Wrong.MISPLACED ? sector ^ 1 : sector;
            if (wrong == Wrong.LINK_FIRST) {
                map.set(shown, place);
            }
            storage.write((long) place * Stamps.SECTOR, part);
            map.set(shown, place);
        }
        return null;
    }

    private int take() {
        if (wrong == Wrong.LOST_PLACE) {
            int mine = next;
            steps.step("between look and take");
            next = mine + 1;
            return mine;
        }
        return next++;
    }

    void read(long offset, MemorySegment bytes) throws IOException {
        for (long at = 0; at < bytes.byteSize(); at += Stamps.SECTOR) {
            MemorySegment part = bytes.asSlice(at, Stamps.SECTOR).fill((byte) 0);
            int place = map.get((int) ((offset + at) / Stamps.SECTOR));
            if (place != 0) {
                storage.read((long) place * Stamps.SECTOR, part);
            }
        }
    }

    void flush() throws IOException {
        MemorySegment first = segment(Stamps.SECTOR);
        for (int i = 0; i < SECTORS; i++) {
            first.setAtIndex(ValueLayout.JAVA_INT, i, map.get(i));
        }
        if (wrong != Wrong.NO_BARRIER) {
            storage.sync();
        }
        storage.write(0, first);
        if (wrong != Wrong.LYING_FLUSH) {
            storage.sync();
        }
    }
}
