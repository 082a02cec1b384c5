package dev.cowherd.proof;

import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.testkit.lab.ModelDisk;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;

/** What a guest does through one queue: drawn requests, each told to the model. */
final class GuestLoad implements Callable<Void> {
    private static final int SECTOR = 512;

    private final DiskQueue queue;
    private final ModelDisk model;
    private final long sizeBytes;
    private final int clusterBytes;
    private final SplittableRandom random;
    private final int operations;
    private final MemorySegment buffer;
    private final boolean mayFail;
    private final List<IOException> failures = new ArrayList<>();

    /** Requests of up to so many clusters; if they may fail, failures are kept and the load goes on. */
    GuestLoad(DiskQueue queue, ModelDisk model, Shape shape, long seed, int operations, boolean mayFail) {
        this.queue = queue;
        this.model = model;
        this.sizeBytes = shape.sizeBytes();
        this.clusterBytes = shape.clusterBytes();
        this.random = new SplittableRandom(seed);
        this.operations = operations;
        this.mayFail = mayFail;
        this.buffer = Arena.ofAuto().allocate(Math.min(sizeBytes, 4L * clusterBytes), 4096);
    }

    List<IOException> failures() {
        return failures;
    }

    @Override
    public Void call() throws IOException {
        for (int i = 0; i < operations; i++) {
            one();
        }
        return null;
    }

    private void one() throws IOException {
        int kind = random.nextInt(100);
        long offset = offset();
        long length = length(offset);
        if (kind < 45) {
            MemorySegment bytes = buffer.asSlice(0, length);
            ModelDisk.Request request = model.beginWrite(offset, bytes);
            change(request, () -> queue.write(offset, bytes));
        } else if (kind < 65) {
            read(offset, length);
        } else if (kind < 77) {
            ZeroMode mode = random.nextBoolean() ? ZeroMode.MAY_UNMAP : ZeroMode.KEEP_ALLOCATED;
            change(model.beginZeroes(offset, length), () -> queue.writeZeroes(offset, length, mode));
        } else if (kind < 88) {
            change(model.beginDiscard(offset, length), () -> queue.discard(offset, length));
        } else {
            ModelDisk.Flush flush = model.beginFlush();
            try {
                queue.flush();
                flush.done();
            } catch (IOException e) {
                keep(e);
            }
        }
    }

    private interface Ask {
        void run() throws IOException;
    }

    private void change(ModelDisk.Request request, Ask ask) throws IOException {
        try {
            ask.run();
            request.done();
        } catch (IOException e) {
            request.failed();
            keep(e);
        }
    }

    private void read(long offset, long length) throws IOException {
        MemorySegment bytes = buffer.asSlice(0, length);
        ModelDisk.Read read = model.beginRead(offset);
        try {
            queue.read(offset, bytes);
        } catch (IOException e) {
            read.failed();
            keep(e);
            return;
        }
        read.saw(bytes);
    }

    private void keep(IOException failure) throws IOException {
        if (!mayFail) {
            throw failure;
        }
        failures.add(failure);
    }

    /** Half of the requests go to few clusters, so that they meet. */
    private long offset() {
        long bound = random.nextBoolean() ? Math.min(sizeBytes, 5L * clusterBytes) : sizeBytes;
        long unit = random.nextInt(3) == 0 ? clusterBytes : SECTOR;
        return random.nextLong(bound) / unit * unit;
    }

    private long length(long offset) {
        long length = switch (random.nextInt(4)) {
            case 0, 1 -> (1L + random.nextInt(8)) * SECTOR;
            case 2 -> (1L + random.nextInt(2)) * clusterBytes;
            default -> (1L + random.nextLong(3L * clusterBytes / SECTOR)) * SECTOR;
        };
        return Math.min(Math.min(length, buffer.byteSize()), sizeBytes - offset);
    }
}
