package dev.cowherd.image;

import dev.cowherd.metadata.ChainLookup;
import dev.cowherd.metadata.EraseStep;
import dev.cowherd.metadata.Extent;
import dev.cowherd.metadata.LayerHandles;
import dev.cowherd.metadata.WritableImage;
import dev.cowherd.metadata.WriteStep;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Writes to a QCOW2 top layer: asks the map where the bytes go, moves them itself, then lets the map say so. What a new cluster needs
 * besides the guest's bytes is read from where the guest would read it and goes to the host in the same write.
 */
final class Qcow2Writer implements QueueWriter {
    /** Up to this many guest bytes in the middle of a cluster, one read of all of it is cheaper than a read on either side. */
    private static final int OVERLAY_BYTES = 32 << 10;

    private static final int ZERO_BYTES = 64 << 10;

    /** Reads guest bytes as the queue's own reads do. */
    interface GuestReader {
        void read(long offset, MemorySegment destination) throws IOException;
    }

    private final Disk disk;
    private final WritableImage image;
    private final LayerHandles top;
    private final ChainLookup lookup;
    private final MemorySegment scratch;
    private final GuestReader reader;
    private final ScatteredReads scattered;
    private final Arena arena;
    private final long belowBytes;
    private final boolean punchHoles;
    private final int clusterBytes;
    private final EarlyWriteback earlyWriteback;
    private final CopyBuffers copyBuffers;
    private final WriteStep step = new WriteStep();
    private final EraseStep eraseStep = new EraseStep();
    private final MemorySegment[] parts = new MemorySegment[3];
    private MemorySegment zeros = MemorySegment.NULL;

    Qcow2Writer(
            Disk disk,
            WritableImage image,
            LayerHandles top,
            ChainLookup lookup,
            MemorySegment scratch,
            GuestReader reader,
            ScatteredReads scattered,
            Arena arena,
            boolean punchHoles,
            LaneShare share) {
        this.disk = disk;
        this.image = image;
        this.top = top;
        this.lookup = lookup;
        this.scratch = scratch;
        this.reader = reader;
        this.scattered = scattered;
        this.arena = arena;
        this.punchHoles = punchHoles;
        this.earlyWriteback = Objects.requireNonNull(share.early());
        this.copyBuffers = Objects.requireNonNull(share.copies());
        this.belowBytes = disk.belowBytes();
        this.clusterBytes = image.header().geometry().clusterBytes();
    }

    @Override
    public void write(long offset, MemorySegment source) throws IOException {
        long length = source.byteSize();
        boolean allocated = false;
        for (long done = 0; done < length; ) {
            image.prepareWrite(offset + done, length - done, top, scratch, step);
            long now = step.length();
            MemorySegment part = now == length ? source : source.asSlice(done, now);
            if (step.isInPlace()) {
                step.storage().write(step.hostOffset(), part);
            } else {
                allocate(part);
                allocated = true;
            }
            done += now;
        }
        if (allocated) {
            image.relieve(top);
        }
    }

    @Override
    public boolean isPlain(long offset, MemorySegment source, Place place) throws IOException {
        if (!image.isInPlace(offset, source.byteSize(), top, step)) {
            return false;
        }
        place.set(step.storage(), step.hostOffset());
        return true;
    }

    private void allocate(MemorySegment part) throws IOException {
        try {
            move(part);
            image.commitWrite(step, top, scratch);
        } catch (IOException | RuntimeException | Error e) {
            try {
                image.abortWrite(step, top);
            } catch (IOException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
        earlyWriteback.wrote(step.hostOffset(), step.end() - step.start());
    }

    /** Brings the step's bytes to the host: what lies before the guest's in the cluster, the guest's, what lies behind. */
    private void move(MemorySegment part) throws IOException {
        long head = step.offset() - step.start();
        long tail = step.end() - step.offset() - step.length();
        if (head == 0 && tail == 0) {
            step.storage().write(step.hostOffset(), part);
            return;
        }
        MemorySegment copied = copyBuffers.take();
        try {
            fill(part, head, tail, copied);
        } finally {
            copyBuffers.giveBack(copied);
        }
    }

    private void fill(MemorySegment part, long head, long tail, MemorySegment copied) throws IOException {
        long all = step.end() - step.start();
        if (head > 0 && tail > 0 && step.length() <= OVERLAY_BYTES && all <= copied.byteSize()) {
            MemorySegment whole = copied.asSlice(0, all);
            reader.read(step.start(), withinDisk(step.start(), whole));
            MemorySegment.copy(part, 0, whole, head, step.length());
            step.storage().write(step.hostOffset(), whole);
            return;
        }
        MemorySegment before = copied.asSlice(0, head);
        MemorySegment behind = copied.asSlice(clusterBytes, tail);
        long end = step.offset() + step.length();
        scattered.readTwo(step.start(), before, end, withinDisk(end, behind));
        int count = 0;
        if (head > 0) {
            parts[count++] = before;
        }
        parts[count++] = part;
        if (tail > 0) {
            parts[count++] = behind;
        }
        step.storage().writev(step.hostOffset(), parts, count);
    }

    /** The part that the guest would read; what lies past the disk's end, within its last cluster, is zeroed. */
    private MemorySegment withinDisk(long offset, MemorySegment destination) {
        long within = Math.clamp(disk.sizeBytes() - offset, 0, destination.byteSize());
        if (within < destination.byteSize()) {
            destination.asSlice(within).fill((byte) 0);
        }
        return destination.asSlice(0, within);
    }

    @Override
    public void zero(long offset, long length, ZeroMode mode) throws IOException {
        boolean mayUnmap = mode == ZeroMode.MAY_UNMAP;
        for (long done = 0; done < length; ) {
            long at = offset + done;
            image.zero(at, length - done, mayUnmap, belowBytes, top, scratch, eraseStep);
            long now = eraseStep.length();
            switch (eraseStep.kind()) {
                case DONE -> {}
                case WRITE_ZEROS -> writeZeros(at, now);
                case ERASE_HOST -> eraseHost(mayUnmap);
            }
            done += now;
        }
        image.relieve(top);
    }

    /** Writes zeros where there are not zeros yet. */
    private void writeZeros(long offset, long length) throws IOException {
        if (zeros.byteSize() == 0) {
            zeros = arena.allocate(ZERO_BYTES, 4096);
        }
        for (long done = 0; done < length; ) {
            Extent there = lookup.map(offset + done, length - done);
            long now = Math.min(there.length(), ZERO_BYTES);
            if (there instanceof Extent.Zero) {
                now = there.length();
            } else {
                write(offset + done, zeros.asSlice(0, now));
            }
            done += now;
        }
    }

    private void eraseHost(boolean mayUnmap) throws IOException {
        try {
            if (mayUnmap && punchHoles) {
                top.guestData().punchHole(eraseStep.hostOffset(), eraseStep.length());
            } else {
                top.guestData().zero(eraseStep.hostOffset(), eraseStep.length());
            }
        } finally {
            image.finishErase(eraseStep);
        }
    }

    @Override
    public boolean zeroesAreFast(long offset, long length) throws IOException {
        int unit = image.header().geometry().subclusterBytes();
        long end = offset + length;
        return image.header().version() >= 3
                && offset % unit == 0
                && (end % unit == 0 || end == disk.sizeBytes())
                && !isInsideCompressed(offset)
                && !isInsideCompressed(end);
    }

    /** Whether a range that begins or ends here has a part of a compressed cluster: an entry cannot make subclusters of it zeros. */
    private boolean isInsideCompressed(long at) throws IOException {
        return at % clusterBytes != 0
                && at < disk.sizeBytes()
                && lookup.map(at, 1) instanceof Extent.Compressed compressed
                && compressed.depth() == 0;
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        for (long done = 0; done < length; ) {
            image.discard(offset + done, length - done, belowBytes, top, scratch, eraseStep);
            long now = eraseStep.length();
            if (eraseStep.kind() == EraseStep.Kind.ERASE_HOST) {
                eraseHost(true);
            }
            done += now;
        }
        image.relieve(top);
    }

    @Override
    public void flush() throws IOException {
        image.flush(top);
    }
}
