package dev.cowherd.image;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Header;
import dev.cowherd.format.Snapshot;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;

/** Reads an image's header and snapshot table from its file; memory is bounded by what the file holds. */
final class HeaderFile {
    private HeaderFile() {}

    static boolean hasMagic(Storage file) throws IOException {
        return Header.hasMagic(read(file, 0, Header.PREFIX_BYTES));
    }

    static Header readHeader(Storage file) throws IOException {
        long fileBytes = file.sizeBytes();
        int needed = Header.bytesNeeded(read(file, 0, Header.PREFIX_BYTES), fileBytes);
        return Header.decode(read(file, 0, needed), fileBytes);
    }

    static List<Snapshot> readSnapshots(Storage file, Header header) throws IOException {
        if (header.snapshotCount() == 0) {
            return List.of();
        }
        long fileBytes = file.sizeBytes();
        ByteBuffer table = ByteBuffer.allocate(0);
        int needed = Snapshot.bytesNeeded(table, header, fileBytes);
        while (needed > table.limit()) {
            table = read(file, header.snapshotsOffset(), needed);
            if (table.limit() < needed) {
                throw new CorruptImageException(
                        "snapshot table", header.snapshotsOffset(), "the file ends within its " + needed + " bytes");
            }
            needed = Snapshot.bytesNeeded(table, header, fileBytes);
        }
        return Snapshot.decodeTable(table, header);
    }

    /** The bytes from an offset on, fewer where the file ends. */
    private static ByteBuffer read(Storage file, long offset, int length) throws IOException {
        byte[] bytes = new byte[length];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment = arena.allocate(Math.max(length, 1), 4096).asSlice(0, length);
            int read = (int) file.read(offset, segment);
            MemorySegment.copy(segment, 0, MemorySegment.ofArray(bytes), 0, read);
            return ByteBuffer.wrap(bytes, 0, read).slice();
        }
    }
}
