package dev.cowherd.proof;

import dev.cowherd.image.Request;
import dev.cowherd.image.ZeroMode;
import dev.cowherd.testkit.lab.ModelDisk;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** Drawn requests of up to so many clusters. */
final class DrawnScript extends Script {
    private static final int SECTOR = 512;

    private final long sizeBytes;
    private final int clusterBytes;
    private final SplittableRandom random;
    private final MemorySegment buffer;
    private int left;

    DrawnScript(ModelDisk model, Shape shape, long seed, int operations, boolean mayFail) {
        super(model, mayFail);
        this.sizeBytes = shape.sizeBytes();
        this.clusterBytes = shape.clusterBytes();
        this.random = new SplittableRandom(seed);
        this.left = operations;
        this.buffer = Arena.ofAuto().allocate(Math.min(sizeBytes, 4L * clusterBytes), 4096);
    }

    /** As many requests, shared by several guests. */
    static List<Script> several(int count, ModelDisk model, Shape shape, long seed, int operations, boolean mayFail) {
        List<Script> scripts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int share = operations * (i + 1) / count - operations * i / count;
            scripts.add(new DrawnScript(model, shape, seed * 16 + i, share, mayFail));
        }
        return scripts;
    }

    @Override
    @Nullable
    Asked next() {
        if (left-- <= 0) {
            return null;
        }
        int kind = random.nextInt(100);
        long offset = offset();
        long length = length(offset);
        if (kind < 45) {
            MemorySegment bytes = buffer.asSlice(0, length);
            return change(model().beginWrite(offset, bytes), new Request.Write(0, offset, bytes));
        } else if (kind < 65) {
            return read(new Request.Read(0, offset, buffer.asSlice(0, length)));
        } else if (kind < 77) {
            ZeroMode mode = random.nextBoolean() ? ZeroMode.MAY_UNMAP : ZeroMode.KEEP_ALLOCATED;
            return change(model().beginZeroes(offset, length), new Request.WriteZeroes(0, offset, length, mode));
        } else if (kind < 88) {
            return change(model().beginDiscard(offset, length), new Request.Discard(0, offset, length));
        } else {
            return flush();
        }
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
