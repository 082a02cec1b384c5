package dev.cowherd.metadata;

import dev.cowherd.format.Feature;
import dev.cowherd.format.Header;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.function.UnaryOperator;

/**
 * The image's header as it stands on disk now, and the one way to change it: the whole record is encoded again, so that no field and
 * no extension is lost, and it is durable when the change returns. What differs lies in the first sector but for changed extensions,
 * so a cut leaves the old header or the new one. If that fails, nobody knows which of the two the disk has, and a write by the tables of
 * one may destroy what the other names: so the image takes no more writes.
 *
 * <p>Thread-safe; changes take turns.
 */
final class ImageHeader {
    private final Turn turn;
    private final Health health;
    private volatile Header header;
    private volatile boolean preparedForWriting;

    ImageHeader(Header header, Health health, Waits waits) {
        this.health = health;
        this.header = header;
        this.turn = new Turn(waits, WaitEvent.For.HEADER);
    }

    Header current() {
        return header;
    }

    /** Whether the image may have been changed. */
    boolean isPreparedForWriting() {
        return preparedForWriting;
    }

    /** Replaces the header, on disk first. */
    void change(Storage file, UnaryOperator<Header> change) throws IOException {
        turn.take();
        try {
            write(file, change.apply(header));
        } finally {
            turn.give();
        }
    }

    private void write(Storage file, Header changed) throws IOException {
        ByteBuffer bytes = changed.encode();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(bytes.remaining(), 4096);
            segment.copyFrom(MemorySegment.ofBuffer(bytes));
            file.write(0, segment);
            file.sync();
        } catch (IOException | RuntimeException | Error e) {
            health.stop("the host failed to write the header, which may be the old one or the new one now", e);
            throw e;
        }
        header = changed;
    }

    /**
     * Called before anything of the image changes: clears the autoclear bits of features that this engine does not keep right, once.
     * They must be gone before the first change is there.
     *
     * @param bitmapsAreKept whether bitmaps are kept right, or marked one by one
     */
    void prepareForWriting(Storage file, boolean bitmapsAreKept) throws IOException {
        if (preparedForWriting) {
            return;
        }
        turn.take();
        try {
            if (!preparedForWriting) {
                long known = Feature.RAW_EXTERNAL_DATA.mask() | (bitmapsAreKept ? Feature.BITMAPS.mask() : 0);
                long kept = header.autoclearFeatures() & known;
                if (kept != header.autoclearFeatures()) {
                    write(file, header.withFeatures(header.incompatibleFeatures(), header.compatibleFeatures(), kept));
                }
                preparedForWriting = true;
            }
        } finally {
            turn.give();
        }
    }
}
