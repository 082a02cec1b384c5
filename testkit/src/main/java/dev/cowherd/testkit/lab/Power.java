package dev.cowherd.testkit.lab;

import java.util.ArrayList;
import java.util.List;

/**
 * The power that one or several {@link SimStorage}s hang on, and the diary of all that happened to them, in one order: so a cut
 * hits all of them at the same instant.
 *
 * <p>Thread-safe.
 */
public final class Power {
    private final List<Change> diary = new ArrayList<>();
    private final List<Disk> disks = new ArrayList<>();

    /** Power with nothing on it yet. */
    public Power() {}

    /** A disk's name and what it held when it was put on this power. */
    record Disk(String name, Pages before) {}

    /** Puts a disk on this power; answers its number. */
    synchronized int add(String name, Pages contents) {
        if (!diary.isEmpty()) {
            throw new IllegalStateException("disk " + name + " comes too late: the diary has begun");
        }
        disks.add(new Disk(name, contents.copy()));
        return disks.size() - 1;
    }

    /** The lock that makes a change and its note in the diary one. */
    synchronized void note(Change change) {
        diary.add(change);
    }

    /**
     * The instant it is now: how many changes have happened. A cut at this instant comes after all of them.
     *
     * @return 0 or more, never less than before
     */
    public synchronized long now() {
        return diary.size();
    }

    synchronized List<Change> diary() {
        return List.copyOf(diary);
    }

    synchronized List<Disk> disks() {
        return List.copyOf(disks);
    }
}
