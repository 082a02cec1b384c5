package dev.cowherd.format;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** A random header that is valid for its file, with every feature and every kind of extension. */
record RandomHeader(Header header, long fileBytes) {
    static RandomHeader of(Random random) {
        boolean v3 = random.nextInt(4) > 0;
        int clusterBits = 9 + random.nextInt(random.nextInt(20) == 0 ? 13 : 7);
        long features = v3 ? random.nextLong() & 0b00011 : 0;
        boolean extended = v3 && clusterBits >= 14 && random.nextBoolean();
        boolean external = v3 && random.nextInt(4) == 0;
        CompressionType compression = v3 && random.nextBoolean() ? CompressionType.ZSTD : CompressionType.ZLIB;
        int length = v3 ? 104 + 8 * random.nextInt(compression == CompressionType.ZSTD ? 1 : 0, 6) : 72;
        features |= extended ? Feature.EXTENDED_L2.mask() : 0;
        features |= external ? Feature.EXTERNAL_DATA_FILE.mask() : 0;
        features |= compression == CompressionType.ZSTD ? Feature.COMPRESSION_TYPE.mask() : 0;
        boolean bitmaps = v3 && random.nextInt(3) == 0;
        long autoclear = v3 ? random.nextLong() & ~3L : 0;
        autoclear |= bitmaps && random.nextBoolean() ? Feature.BITMAPS.mask() : 0;
        autoclear |= external && random.nextBoolean() ? Feature.RAW_EXTERNAL_DATA.mask() : 0;
        int crypt = random.nextInt(4) == 0 ? random.nextInt(3) : 0;
        int cluster = 1 << clusterBits;
        int fileClusters = 40 + random.nextInt(1000);
        Geometry geometry = new Geometry(clusterBits, extended, v3 ? random.nextInt(7) : 4);
        int l1Entries = 1 + random.nextInt(Math.min(Limits.MAX_L1_BYTES / 8, 4 * cluster));
        long size = random.nextLong(
                Math.min(l1Entries, Long.MAX_VALUE >> geometry.guestBitsPerL2Table()) * geometry.guestBytesPerL2Table()
                        + 1);
        byte[] tail = new byte[Math.max(0, length - 105)];
        random.nextBytes(tail);
        List<HeaderExtension> extensions = extensions(random, cluster, bitmaps, crypt == Header.CRYPT_LUKS);
        String backing = random.nextInt(3) == 0 ? null : name(random, 1 + random.nextInt(clusterBits == 9 ? 20 : 300));
        int end = end(extensions, length);
        if (end + 48 + (backing == null ? 0 : Text.encode(backing).length) > cluster) {
            extensions = List.of();
            end = length;
            backing = null;
        }
        int nameAt = backing == null ? 0 : nameAt(random, end, cluster - Text.encode(backing).length);
        return new RandomHeader(
                new Header(
                        v3 ? 3 : 2,
                        nameAt,
                        backing == null ? random.nextInt() : Text.encode(backing).length,
                        clusterBits,
                        size,
                        crypt,
                        l1Entries,
                        (long) cluster * (1 + random.nextInt(8)),
                        (long) cluster * (1 + random.nextInt(8)),
                        1 + random.nextInt(Math.min(16, Limits.MAX_REFCOUNT_TABLE_BYTES / cluster)),
                        random.nextInt(3),
                        (long) cluster * (1 + random.nextInt(8)),
                        features,
                        v3 ? random.nextLong() : 0,
                        autoclear,
                        geometry.refcountOrder(),
                        length,
                        compression,
                        Bytes.of(tail),
                        extensions,
                        backing),
                (long) fileClusters << clusterBits);
    }

    /** Right behind the end mark, a little later, or where the last extension's padding would be. */
    private static int nameAt(Random random, int end, int last) {
        return Math.min(last, end + 8 + (random.nextBoolean() ? 0 : random.nextInt(32)));
    }

    private static int end(List<HeaderExtension> extensions, int from) {
        int end = from;
        for (HeaderExtension extension : extensions) {
            end += 8 + ((extension.data().remaining() + 7) & -8);
        }
        return end;
    }

    private static List<HeaderExtension> extensions(Random random, int cluster, boolean bitmaps, boolean luks) {
        List<HeaderExtension> extensions = new ArrayList<>();
        if (random.nextBoolean()) {
            extensions.add(new HeaderExtension.BackingFormat(random.nextBoolean() ? "qcow2" : name(random, 15)));
        }
        if (bitmaps) {
            int count = 1 + random.nextInt(10);
            extensions.add(new HeaderExtension.Bitmaps(count, 0, count * 32L, (long) cluster * random.nextInt(8)));
        }
        if (luks && random.nextBoolean()) {
            extensions.add(
                    new HeaderExtension.EncryptionHeader((long) cluster * random.nextInt(100), random.nextLong()));
        }
        if (random.nextInt(3) == 0) {
            extensions.add(new HeaderExtension.ExternalDataFile(name(random, 60)));
        }
        if (random.nextBoolean()) {
            extensions.add(new HeaderExtension.FeatureNames(bytes(random, random.nextInt(400))));
        }
        for (int i = random.nextInt(3); i > 0; i--) {
            extensions.add(new HeaderExtension.Unknown(1 + random.nextInt(0x1000), bytes(random, random.nextInt(50))));
        }
        return extensions;
    }

    private static Bytes bytes(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return Bytes.of(bytes);
    }

    /** A name that takes at most this many bytes. */
    static String name(Random random, int mostBytes) {
        StringBuilder name = new StringBuilder();
        int left = 1 + random.nextInt(mostBytes);
        while (left > 0) {
            int point = left >= 4 && random.nextInt(8) == 0 ? 0x1f400 + random.nextInt(50) : '!' + random.nextInt(90);
            name.appendCodePoint(point);
            left -= point > 0xffff ? 4 : 1;
        }
        return name.toString();
    }

    /** The first cluster of the image. */
    ByteBuffer firstCluster() {
        return ByteBuffer.allocate(1 << header.clusterBits())
                .put(header.encode())
                .rewind();
    }
}
