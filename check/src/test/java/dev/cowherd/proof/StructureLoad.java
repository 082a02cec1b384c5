package dev.cowherd.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.format.Snapshot;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Preallocation;
import dev.cowherd.testkit.lab.ModelDisk;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;

/**
 * Changes of a disk's structure while guests go on: sizes, and snapshots taken, applied and deleted. What the disk has past its first
 * size is written by nobody else.
 */
final class StructureLoad implements Callable<Void> {
    private static final int SECTOR = 512;

    private final Rig rig;
    private final Disk disk;
    private final DiskQueue queue;
    private final SplittableRandom random;
    private final int operations;
    private final boolean mayFail;
    private final List<IOException> failures = new ArrayList<>();
    private final List<Taken> snapshots = new ArrayList<>();
    private long sizeBytes;
    private boolean sizesOnly;
    private int names;

    /** A snapshot, what it holds, and between which instants it is surely there. */
    private static final class Taken {
        final String name;
        final MemorySegment contents;
        final long madeBy;
        long goneFrom = Long.MAX_VALUE;

        Taken(String name, MemorySegment contents, long madeBy) {
            this.name = name;
            this.contents = contents;
            this.madeBy = madeBy;
        }
    }

    StructureLoad(Rig rig, Disk disk, DiskQueue queue, long seed, int operations, boolean mayFail) {
        this.rig = rig;
        this.disk = disk;
        this.queue = queue;
        this.random = new SplittableRandom(seed);
        this.operations = operations;
        this.mayFail = mayFail;
        this.sizeBytes = rig.sizeBytes();
    }

    /** How much larger than at the start the disk gets: where clusters are small, several L2 tables and a larger L1 table. */
    static long room(Shape shape) {
        return shape.clusterBits() == 9 ? 2_200 << 10 : 6L * shape.clusterBytes();
    }

    /** Leaves snapshots alone: sizes change, and what was added is written. */
    StructureLoad withSizesOnly() {
        sizesOnly = true;
        return this;
    }

    List<IOException> failures() {
        return failures;
    }

    @Override
    public Void call() throws IOException {
        for (int i = 0; i < operations; i++) {
            try {
                one();
            } catch (IOException e) {
                if (!mayFail) {
                    throw e;
                }
                failures.add(e);
                sizeBytes = disk.sizeBytes();
            }
        }
        return null;
    }

    private void one() throws IOException {
        List<Taken> there =
                snapshots.stream().filter(s -> s.goneFrom == Long.MAX_VALUE).toList();
        switch (random.nextInt(8)) {
            case 0, 1 -> resize();
            case 2, 3 -> tail();
            case 4 -> {
                if (there.size() < mostSnapshots()) {
                    take();
                }
            }
            case 5 -> {
                if (!there.isEmpty()) {
                    apply(there.get(random.nextInt(there.size())));
                }
            }
            case 6 -> {
                if (!there.isEmpty()) {
                    delete(there.get(random.nextInt(there.size())));
                }
            }
            default -> {
                ModelDisk.Flush flush = rig.model.beginFlush();
                queue.flush();
                flush.done();
            }
        }
    }

    private int mostSnapshots() {
        Shape shape = rig.template.shape;
        if (sizesOnly || shape.data() != Shape.Data.INSIDE || shape.refcountOrder() == 0) {
            return 0;
        }
        return shape.refcountOrder() == 1 && shape.snapshot() ? 1 : 2;
    }

    private void resize() throws IOException {
        if (rig.template.shape.version() == 2 && !disk.snapshots().isEmpty()) {
            return;
        }
        long room = room(rig.template.shape);
        long wanted = rig.sizeBytes() + random.nextLong(room / SECTOR + 1) * SECTOR;
        // What a disk shrinks by, and what it grows by, reads as zeros if it ever is read again.
        long from = Math.min(wanted, sizeBytes);
        ModelDisk.Request zeros = rig.model.beginZeroes(from, Math.max(wanted, sizeBytes) - from);
        try {
            disk.resize(wanted, spaceFor(wanted));
            zeros.done();
        } catch (IOException e) {
            zeros.failed();
            throw e;
        }
        sizeBytes = wanted;
        assertThat(disk.sizeBytes()).isEqualTo(wanted);
    }

    private Preallocation spaceFor(long wanted) {
        Preallocation[] ways = Preallocation.values();
        return wanted > sizeBytes ? ways[random.nextInt(ways.length)] : Preallocation.OFF;
    }

    /** Writes and reads in what the disk has grown by. */
    private void tail() throws IOException {
        long length = Math.min(sizeBytes - rig.sizeBytes(), 8L * SECTOR);
        if (length == 0) {
            return;
        }
        long offset = rig.sizeBytes() + random.nextLong((sizeBytes - rig.sizeBytes() - length) / SECTOR + 1) * SECTOR;
        MemorySegment bytes = Arena.ofAuto().allocate(length);
        ModelDisk.Request write = rig.model.beginWrite(offset, bytes);
        try {
            queue.write(offset, bytes);
            write.done();
        } catch (IOException e) {
            write.failed();
            throw e;
        }
        ModelDisk.Read read = rig.model.beginRead(offset);
        try {
            queue.read(offset, bytes);
        } catch (IOException e) {
            read.failed();
            throw e;
        }
        read.saw(bytes);
    }

    private void take() throws IOException {
        String name = "taken-" + names++;
        ModelDisk.Read whole = rig.model.beginRead(0);
        try {
            disk.createSnapshot(name);
        } catch (IOException e) {
            whole.failed();
            throw e;
        }
        long madeBy = rig.power.now();
        MemorySegment contents = rig.contentsOf(name);
        whole.saw(contents);
        snapshots.add(new Taken(name, contents, madeBy));
    }

    private void apply(Taken taken) throws IOException {
        ModelDisk.Request restore = rig.model.beginRestore(taken.contents);
        try {
            disk.applySnapshot(taken.name);
            restore.done();
        } catch (IOException e) {
            restore.failed();
            throw e;
        }
        // What the disk had past the snapshot's size is gone with it.
        long now = taken.contents.byteSize();
        if (now < sizeBytes) {
            rig.model.beginZeroes(now, sizeBytes - now).done();
        }
        sizeBytes = now;
        assertThat(disk.sizeBytes()).isEqualTo(now);
    }

    private void delete(Taken taken) throws IOException {
        taken.goneFrom = rig.power.now();
        disk.deleteSnapshot(taken.name);
    }

    /** Which snapshots an image that was cut has, and what they hold. */
    void checkAfterCut(long cut, Rig after) throws IOException {
        List<String> listed;
        try (Disk reading = after.openReading()) {
            listed = reading.snapshots().stream().map(Snapshot::name).toList();
        }
        for (Taken taken : snapshots) {
            if (cut >= taken.madeBy && cut < taken.goneFrom) {
                assertThat(listed).as("snapshots after a cut at %d", cut).contains(taken.name);
            }
            if (listed.contains(taken.name)) {
                assertThat(after.contentsOf(taken.name).mismatch(taken.contents))
                        .as("where snapshot %s differs after a cut at %d", taken.name, cut)
                        .isEqualTo(-1);
            }
        }
    }
}
