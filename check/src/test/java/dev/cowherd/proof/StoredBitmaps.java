package dev.cowherd.proof;

import dev.cowherd.format.BitmapEntry;
import dev.cowherd.format.BitmapTableEntry;
import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Header;
import dev.cowherd.format.ImageFormatException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/** The bitmaps that an image's bytes hold, read without the engine. */
record StoredBitmaps(Header header, Map<String, Stored> all) {
    /** One of them; the bits are what its table says, whatever its flags. */
    record Stored(BitmapEntry entry, BitSet dirty) {
        boolean isDirty(long offset) {
            return dirty.get((int) (offset >>> entry.granularityBits()));
        }
    }

    /** Reads them; none where the image says that they do not agree with it. */
    static StoredBitmaps of(byte[] image) throws ImageFormatException {
        Header header = Header.decode(ByteBuffer.wrap(image), image.length);
        Map<String, Stored> all = new LinkedHashMap<>();
        if (header.bitmapsConsistent()) {
            var extension = Objects.requireNonNull(header.bitmapsExtension());
            ByteBuffer directory =
                    ByteBuffer.wrap(image, (int) extension.directoryOffset(), (int) extension.directoryBytes());
            for (BitmapEntry entry : BitmapEntry.decodeDirectory(directory.slice(), extension)) {
                all.put(entry.name(), new Stored(entry, bits(image, header, entry)));
            }
        }
        return new StoredBitmaps(header, all);
    }

    private static BitSet bits(byte[] image, Header header, BitmapEntry entry) throws CorruptImageException {
        int clusterBytes = header.geometry().clusterBytes();
        BitSet bits = new BitSet();
        for (int i = 0; i < entry.tableEntries(); i++) {
            long word = ByteBuffer.wrap(image).getLong((int) entry.tableOffset() + i * BitmapTableEntry.BYTES);
            int at = (int) BitmapTableEntry.hostOffset(word);
            if (BitmapTableEntry.reserved(word) != 0 || at % clusterBytes != 0) {
                throw new CorruptImageException("table of " + entry.name(), at, "entry " + Long.toHexString(word));
            }
            int first = i * clusterBytes * Byte.SIZE;
            if (at != 0) {
                BitSet part = BitSet.valueOf(Arrays.copyOfRange(image, at, at + clusterBytes));
                part.stream().forEach(bit -> bits.set(first + bit));
            } else if (BitmapTableEntry.allOnes(word)) {
                bits.set(first, first + clusterBytes * Byte.SIZE);
            }
        }
        long granule = 1L << entry.granularityBits();
        int count = (int) ((header.guestBytes() + granule - 1) / granule);
        bits.clear(count, Math.max(count, bits.length()));
        return bits;
    }

    Stored get(String name) {
        return Objects.requireNonNull(all.get(name), name);
    }

    /** The only bitmap. */
    Stored only() {
        return all.values().iterator().next();
    }
}
