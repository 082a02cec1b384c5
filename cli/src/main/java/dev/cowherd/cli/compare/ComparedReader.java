package dev.cowherd.cli.compare;

import dev.cowherd.cli.disk.SectorReader;
import dev.cowherd.image.BlockStatus;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Reads one of the two disks on one thread; failures become findings that name the disk and the place. */
final class ComparedReader implements AutoCloseable {
    /** The most that one read takes. */
    static final int BUFFER_BYTES = 512 << 10;

    /** Ends the work on this range; the finding goes into the race for the first. */
    static final class FoundException extends Exception {
        private static final long serialVersionUID = 1L;
        private final transient Finding finding;

        FoundException(Finding finding) {
            super(finding.text());
            this.finding = finding;
        }

        Finding finding() {
            return finding;
        }
    }

    private final ComparedDisk compared;
    private final SectorReader reader;
    private final MemorySegment buffer;

    ComparedReader(ComparedDisk compared, Arena arena) throws IOException {
        this.compared = compared;
        this.buffer = arena.allocate(BUFFER_BYTES, 4096);
        this.reader = compared.disk().openReader();
    }

    BlockStatus status(long offset, long maxLength) throws FoundException {
        try {
            return reader.status(offset, maxLength);
        } catch (IOException e) {
            String text = "Sector allocation test failed for " + compared.fileName() + ": " + e.getMessage();
            throw found(new Finding(offset, Finding.Kind.STATUS_FAILED, text), e);
        }
    }

    /** The bytes; valid until the next read. */
    MemorySegment read(long offset, long length) throws FoundException {
        MemorySegment bytes = buffer.asSlice(0, length);
        try {
            reader.read(offset, bytes);
        } catch (IOException e) {
            String text = "Error while reading offset " + offset + " of " + compared.fileName() + ": " + e.getMessage();
            throw found(new Finding(offset, Finding.Kind.READ_FAILED, text), e);
        }
        return bytes;
    }

    private static FoundException found(Finding finding, IOException cause) {
        FoundException found = new FoundException(finding);
        found.initCause(cause);
        return found;
    }

    @Override
    public void close() throws IOException {
        reader.close();
    }
}
