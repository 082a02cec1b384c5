package dev.cowherd.testkit.lab;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.function.LongSupplier;

/**
 * What a disk may hold: told of every request when it begins and when it has ended, it knows for each sector of 512 bytes which
 * values a read may see, and which may be there after a power cut.
 *
 * <p>The rules, a sector at a time. A value may be read until a request that began after this one's end has surely taken effect;
 * requests that overlap leave either value, and the first read to see one settles it. A failed write and a discard leave the old
 * value or the new one. After a cut, every value may be there unless a later one was covered by a flush: one
 * that began after the later request had ended, and that had itself succeeded before the cut.
 *
 * <p>Tell it of a beginning before the request is made, and of an end after the answer came. Thread-safe.
 */
public final class ModelDisk {
    private static final int PRUNE_FROM = 12;

    private final LongSupplier instants;
    private final boolean crashes;
    private final List<List<Version>> sectors = new ArrayList<>();
    private final List<Flush> flushes = new ArrayList<>();
    private final TreeSet<Long> readsInFlight = new TreeSet<>();
    private long clock;
    private long stamps;
    private long cachedCut = -1;
    private long[][] cachedAllowed = new long[0][];

    private ModelDisk(long sizeBytes, LongSupplier instants, boolean crashes) {
        this.instants = instants;
        this.crashes = crashes;
        for (long i = 0; i < requireSectors(sizeBytes); i++) {
            sectors.add(new ArrayList<>(List.of(initial(0))));
        }
    }

    /**
     * A disk of zeros on a real host, whose power is not cut: history that no read can see any more is forgotten, and a read that
     * overlaps a write may see a mixture of the two.
     *
     * @param sizeBytes a multiple of 512
     * @return the model
     */
    public static ModelDisk ofZeros(long sizeBytes) {
        return new ModelDisk(sizeBytes, () -> 0, false);
    }

    /**
     * A disk of zeros that can be judged after power cuts.
     *
     * @param sizeBytes a multiple of 512
     * @param power whose instants count
     * @return the model
     */
    public static ModelDisk ofZeros(long sizeBytes, Power power) {
        return new ModelDisk(sizeBytes, power::now, true);
    }

    /**
     * Says what the disk holds from the start, for one through its backing file; draws a stamp for it.
     *
     * @param offset guest offset in bytes, a multiple of 512
     * @param bytes filled with what is to be there
     */
    public synchronized void holds(long offset, MemorySegment bytes) {
        long stamp = ++stamps;
        Stamps.fill(offset, bytes, stamp);
        int first = (int) requireSectors(offset);
        for (int i = 0; i < requireSectors(bytes.byteSize()); i++) {
            sectors.set(first + i, new ArrayList<>(List.of(initial(stamp))));
        }
    }

    private static Version initial(long stamp) {
        Version version = new Version(stamp, false, -2, -1);
        version.ended = -1;
        version.succeeded = true;
        return version;
    }

    private static long requireSectors(long bytes) {
        if (bytes < 0 || bytes % Stamps.SECTOR != 0) {
            throw new IllegalArgumentException(bytes + " bytes are not whole sectors");
        }
        return bytes / Stamps.SECTOR;
    }

    /**
     * A write begins.
     *
     * @param offset guest offset in bytes, a multiple of 512
     * @param bytes filled with what to write, stamped for this write
     * @return to be told of its end
     */
    public Request beginWrite(long offset, MemorySegment bytes) {
        long stamp;
        synchronized (this) {
            stamp = ++stamps;
        }
        Stamps.fill(offset, bytes, stamp);
        return begin(offset, bytes.byteSize(), stamp, false);
    }

    /**
     * A request begins after which the bytes are zeros.
     *
     * @param offset guest offset in bytes, a multiple of 512
     * @param length bytes, a multiple of 512
     * @return to be told of its end
     */
    public Request beginZeroes(long offset, long length) {
        return begin(offset, length, 0, false);
    }

    /**
     * A discard begins after which each sector is as before or zero.
     *
     * @param offset guest offset in bytes, a multiple of 512
     * @param length bytes, a multiple of 512
     * @return to be told of its end
     */
    public Request beginDiscard(long offset, long length) {
        return begin(offset, length, 0, true);
    }

    /**
     * A request begins after which the disk holds again what it held once, as when a snapshot is applied.
     *
     * @param contents what was read then, from the disk's start on
     * @return to be told of its end
     */
    public Request beginRestore(MemorySegment contents) {
        long[] was = new long[(int) requireSectors(contents.byteSize())];
        for (int i = 0; i < was.length; i++) {
            was[i] = Stamps.find(i, contents, (long) i * Stamps.SECTOR);
        }
        return begin(0, was, false);
    }

    private Request begin(long offset, long length, long stamp, boolean optional) {
        long[] all = new long[(int) requireSectors(length)];
        Arrays.fill(all, stamp);
        return begin(offset, all, optional);
    }

    private synchronized Request begin(long offset, long[] values, boolean optional) {
        int first = (int) requireSectors(offset);
        long begun = ++clock;
        long instant = instants.getAsLong();
        Version[] versions = new Version[values.length];
        for (int i = 0; i < values.length; i++) {
            versions[i] = new Version(values[i], optional, begun, instant);
            List<Version> history = sectors.get(first + i);
            history.add(versions[i]);
            prune(history);
        }
        cachedCut = -1;
        return new Request(versions);
    }

    private void prune(List<Version> history) {
        if (crashes || history.size() < PRUNE_FROM) {
            return;
        }
        long now = readsInFlight.isEmpty() ? clock : readsInFlight.first();
        history.removeIf(v -> v.buried < now || history.stream().anyMatch(other -> v.isHiddenBy(other, now)));
    }

    /** A request that changes the disk, in flight. */
    public final class Request {
        private final Version[] versions;

        private Request(Version[] versions) {
            this.versions = versions;
        }

        /** It succeeded. */
        public void done() {
            end(true);
        }

        /** It failed: each sector is as before or as wanted. */
        public void failed() {
            end(false);
        }

        private void end(boolean succeeded) {
            synchronized (ModelDisk.this) {
                clock++;
                for (Version version : versions) {
                    version.ended = clock;
                    version.succeeded = succeeded;
                }
                cachedCut = -1;
            }
        }
    }

    /** A flush in flight. One that fails is never told of again: it promises nothing. */
    public final class Flush {
        private final long begun;
        private long endedInstant = Version.NEVER;

        private Flush(long begun) {
            this.begun = begun;
        }

        /** It succeeded. */
        public void done() {
            synchronized (ModelDisk.this) {
                endedInstant = instants.getAsLong();
                cachedCut = -1;
            }
        }
    }

    /**
     * A flush begins.
     *
     * @return to be told of its success
     */
    public synchronized Flush beginFlush() {
        Flush flush = new Flush(++clock);
        if (crashes) {
            flushes.add(flush);
        }
        return flush;
    }

    /** A read in flight. */
    public final class Read {
        private final long offset;
        private final long begun;

        private Read(long offset, long begun) {
            this.offset = offset;
            this.begun = begun;
        }

        /**
         * It succeeded.
         *
         * @param bytes what it read
         * @throws AssertionError if a sector holds what it may not
         */
        public void saw(MemorySegment bytes) {
            synchronized (ModelDisk.this) {
                long ended = ++clock;
                readsInFlight.remove(begun);
                int first = (int) requireSectors(offset);
                for (int i = 0; i < requireSectors(bytes.byteSize()); i++) {
                    see(first + i, bytes, (long) i * Stamps.SECTOR, begun, ended);
                }
            }
        }

        /** It failed, and has seen nothing. */
        public void failed() {
            synchronized (ModelDisk.this) {
                readsInFlight.remove(begun);
            }
        }
    }

    /**
     * A read begins.
     *
     * @param offset guest offset in bytes, a multiple of 512
     * @return to be told what it saw
     */
    public synchronized Read beginRead(long offset) {
        Read read = new Read(offset, ++clock);
        readsInFlight.add(read.begun);
        return read;
    }

    private void see(int sector, MemorySegment bytes, long at, long readBegun, long readEnded) {
        long stamp = Stamps.find(sector, bytes, at);
        List<Version> history = sectors.get(sector);
        List<Version> allowed = new ArrayList<>();
        for (Version version : history) {
            if (version.buried >= readBegun && history.stream().noneMatch(o -> version.isHiddenBy(o, readBegun))) {
                allowed.add(version);
            }
        }
        if (stamp == Stamps.NOT_OURS && !crashes && isChangedUnder(sector, bytes, at, readBegun, allowed)) {
            return;
        }
        List<Version> seen = allowed.stream().filter(v -> v.stamp == stamp).toList();
        if (stamp == Stamps.NOT_OURS || seen.isEmpty()) {
            throw new AssertionError("a read (begun " + readBegun + ") of " + where(sector) + " saw "
                    + found(stamp, history, bytes, at) + "; allowed: " + allowed);
        }
        if (seen.size() > 1) {
            return; // Zeros of two requests: which one it was cannot be told.
        }
        Version winner = seen.getFirst();
        winner.seen = Math.min(winner.seen, readEnded);
        cachedCut = -1;
        for (Version version : history) {
            if (version != winner && version.ended < readBegun && version.buried == Version.NEVER) {
                version.buried = readEnded;
                version.buriedBy = winner;
            }
        }
    }

    /** Real hosts let a read see parts of a write in flight, even of a sector. */
    private static boolean isChangedUnder(
            int sector, MemorySegment bytes, long at, long readBegun, List<Version> allowed) {
        return allowed.stream().anyMatch(v -> v.ended > readBegun)
                && Stamps.isMixtureOf(
                        sector,
                        bytes,
                        at,
                        allowed.stream().mapToLong(v -> v.stamp).toArray());
    }

    private static String where(int sector) {
        return "sector " + sector + " (guest offset " + (long) sector * Stamps.SECTOR + ")";
    }

    private static String found(long stamp, List<Version> history, MemorySegment bytes, long at) {
        if (stamp == Stamps.NOT_OURS) {
            return Stamps.describe(bytes, at);
        }
        List<Version> known = history.stream().filter(v -> v.stamp == stamp).toList();
        return known.isEmpty()
                ? (stamp == 0 ? "zeros" : "stamp " + stamp) + ", which was never written there or is long gone"
                : "the stale " + known;
    }

    /**
     * Judges what the whole disk holds after a power cut.
     *
     * @param cut the instant of the cut
     * @param contents the disk's bytes; a disk that was cut before a resize may be shorter than the model
     * @throws AssertionError if a sector holds what it may not
     */
    public synchronized void checkAfterCut(long cut, MemorySegment contents) {
        if (!crashes) {
            throw new IllegalStateException("this model keeps no history");
        }
        if (cut != cachedCut) {
            cachedAllowed = new long[sectors.size()][];
            for (int i = 0; i < cachedAllowed.length; i++) {
                cachedAllowed[i] = allowedAfter(cut, sectors.get(i));
            }
            cachedCut = cut;
        }
        for (int sector = 0; sector < contents.byteSize() / Stamps.SECTOR; sector++) {
            long at = (long) sector * Stamps.SECTOR;
            long stamp = Stamps.find(sector, contents, at);
            if (stamp == Stamps.NOT_OURS || !contains(cachedAllowed[sector], stamp)) {
                throw new AssertionError("after a cut at " + cut + ", " + where(sector) + " holds "
                        + found(stamp, sectors.get(sector), contents, at) + "; allowed: stamps "
                        + Arrays.toString(cachedAllowed[sector]) + "; last flush begun "
                        + flushedBefore(cut) + " of " + sectors.get(sector));
            }
        }
    }

    private static boolean contains(long[] stamps, long stamp) {
        for (long one : stamps) {
            if (one == stamp) {
                return true;
            }
        }
        return false;
    }

    /** When the last flush began that had succeeded by the cut. */
    private long flushedBefore(long cut) {
        long last = 0;
        for (Flush flush : flushes) {
            if (flush.endedInstant <= cut) {
                last = Math.max(last, flush.begun);
            }
        }
        return last;
    }

    private long[] allowedAfter(long cut, List<Version> history) {
        long flushed = flushedBefore(cut);
        List<Version> durable =
                history.stream().filter(v -> v.isDurableBy(flushed)).toList();
        // That a read still saw the old value after a failed request does not say that the disk has not got the new
        // one.
        return history.stream()
                .filter(v -> v.begunInstant <= cut)
                .filter(v -> durable.stream()
                        .noneMatch(d -> d != v && (d.begun > v.ended || (v.succeeded && v.buriedBy == d))))
                .mapToLong(v -> v.stamp)
                .distinct()
                .toArray();
    }
}
