package dev.cowherd.check;

import dev.cowherd.format.BitmapEntry;
import dev.cowherd.format.BitmapTableEntry;
import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.HeaderExtension;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Counts what the image's bitmaps own: the directory, each table, each cluster of bits. A directory or table that breaks the
 * format's rules ends the check, as in QEMU: nothing says what such bitmaps own.
 */
final class BitmapOwners {
    private static final int CHUNK_WORDS = 8192;

    private final Header header;
    private final Geometry geometry;
    private final long fileBytes;
    private final HostTables host;
    private final ClusterOwners owners;
    private final Findings findings;
    private final long[] words = new long[CHUNK_WORDS];

    BitmapOwners(Header header, long fileBytes, HostTables host, ClusterOwners owners, Findings findings) {
        this.header = header;
        this.geometry = header.geometry();
        this.fileBytes = fileBytes;
        this.host = host;
        this.owners = owners;
        this.findings = findings;
    }

    void count() throws IOException {
        HeaderExtension.Bitmaps extension = header.bitmapsExtension();
        if (extension == null) {
            return;
        }
        if (!header.bitmapsConsistent()) {
            findings.note(
                    "warning: a program lacking bitmap support modified this file, so all bitmaps are now considered"
                            + " inconsistent; their clusters count as leaked");
            return;
        }
        owners.count(extension.directoryOffset(), extension.directoryBytes(), 1, 0);
        byte[] directory = new byte[Math.toIntExact(extension.directoryBytes())];
        host.bytes(extension.directoryOffset(), directory.length, directory);
        List<BitmapEntry> bitmaps = BitmapEntry.decodeDirectory(ByteBuffer.wrap(directory), extension);
        long budget = fileBytes + CheckLimits.BITMAP_TABLE_BYTES;
        for (BitmapEntry bitmap : bitmaps) {
            // A table past the file's end is a reference past the file's end, no reason to refuse the image.
            bitmap.require(header, Long.MAX_VALUE);
            long bytes = bitmap.tableEntries() * BitmapTableEntry.BYTES;
            owners.count(bitmap.tableOffset(), bytes, 1, 0);
            long there = Math.min(bytes, Math.max(0, fileBytes - bitmap.tableOffset()));
            budget -= there;
            if (budget < 0) {
                throw new CorruptImageException(
                        "bitmap directory",
                        extension.directoryOffset(),
                        "its tables overlap: they are larger than the file");
            }
            table(bitmap, there);
        }
    }

    private void table(BitmapEntry bitmap, long bytes) throws IOException {
        int entries = (int) ((bytes + BitmapTableEntry.BYTES - 1) / BitmapTableEntry.BYTES);
        for (int at = 0; at < entries; at += CHUNK_WORDS) {
            int count = Math.min(CHUNK_WORDS, entries - at);
            long from = bitmap.tableOffset() + (long) at * BitmapTableEntry.BYTES;
            host.words(from, count, words);
            for (int i = 0; i < count; i++) {
                long offset = BitmapTableEntry.hostOffset(words[i]);
                if (BitmapTableEntry.reserved(words[i]) != 0 || geometry.offsetInCluster(offset) != 0) {
                    throw new CorruptImageException(
                            "table of bitmap '" + bitmap.name() + "'",
                            from + (long) i * BitmapTableEntry.BYTES,
                            "entry 0x" + Findings.hex(words[i]) + " is misaligned or has reserved bits set");
                }
                if (offset != 0) {
                    owners.count(offset, geometry.clusterBytes(), 1, 0);
                }
            }
        }
    }
}
