package dev.cowherd.testkit;

import static dev.cowherd.testkit.HandMadeImage.*;
import static dev.cowherd.testkit.HostileImage.either;
import static dev.cowherd.testkit.HostileImage.read;
import static dev.cowherd.testkit.HostileImage.refused;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.List;

/** Rows 1 to 17: header and header extensions. */
final class HostileHeaders {
    private static final long BACKING_FORMAT = 0xe2792acaL;
    private static final long FEATURE_NAMES = 0x6803f857L;
    private static final long DATA_FILE = 0x44415441L;
    private static final long ENCRYPTION = 0x0537be77L;

    private HostileHeaders() {}

    static List<HostileImage> all() {
        List<HostileImage> all = new ArrayList<>();
        all.addAll(identity());
        all.addAll(fields());
        all.addAll(sizes());
        all.addAll(extensions());
        all.addAll(names());
        return all;
    }

    private static List<HostileImage> identity() {
        List<HostileImage> all = new ArrayList<>(List.of(
                refused(1, "magic of nothing", () -> plain().put32(0, 0x12345678)),
                refused(1, "version 0", 0, () -> plain().put32(VERSION, 0)),
                refused(1, "version 1", 1, () -> plain().put32(VERSION, 1)),
                refused(1, "version 4", 4, () -> plain().put32(VERSION, 4)),
                refused(1, "version 2^32-1", 0xffffffffL, () -> plain().put32(VERSION, -1))));
        for (int fileBytes : new int[] {0, 3, 4, 71, 72, 103, 111}) {
            all.add(refused(2, "file of " + fileBytes + " bytes", () -> plain().fileBytes(fileBytes)));
        }
        all.add(refused(2, "version 2, file of 71 bytes", () -> of(2, 16).fileBytes(71)));
        for (long bits : new long[] {0, 8, 22, 31, 32, 63, 64, 0xffffffffL}) {
            all.add(refused(3, "cluster_bits " + bits, bits, () -> plain().put32(CLUSTER_BITS, bits)));
        }
        for (long length : new long[] {0, 72, 103, 105, 111, 65544, 0xfffffff8L}) {
            all.add(refused(4, "header_length " + length, length, () -> plain().put32(HEADER_LENGTH, length)));
        }
        return all;
    }

    private static List<HostileImage> fields() {
        byte[] feature = new byte[48];
        feature[1] = 13;
        System.arraycopy("levitation".getBytes(UTF_8), 0, feature, 2, 10);
        List<HostileImage> all = new ArrayList<>(List.of(
                refused(5, "unknown incompatible bit 5", () -> plain().put64(INCOMPATIBLE, 1L << 5)),
                refused(5, "unknown incompatible bit 63", () -> plain().put64(INCOMPATIBLE, 1L << 63)),
                refused(5, "all incompatible bits", () -> plain().put64(INCOMPATIBLE, -1)),
                refused(
                        5,
                        "unknown incompatible bit 13 with the name levitation",
                        () -> plain().put64(INCOMPATIBLE, 1L << 13).extension(FEATURE_NAMES, feature)),
                refused(
                        5,
                        "unknown incompatible bit and a feature table cut inside a name",
                        () -> plain().put64(INCOMPATIBLE, 1L << 13).extension(FEATURE_NAMES, new byte[47])),
                read(6, "corrupt bit", () -> plain().put64(INCOMPATIBLE, 1L << 1)),
                read(6, "dirty bit", () -> plain().put64(INCOMPATIBLE, 1)),
                read(6, "unknown autoclear bits", () -> plain().put64(AUTOCLEAR, -1L << 2))));
        for (long method : new long[] {1, 2, 3, 0xffffffffL}) {
            all.add(refused(7, "crypt_method " + method, () -> plain().put32(CRYPT_METHOD, method)));
        }
        all.add(refused(
                7,
                "LUKS with its header pointer past the file",
                () -> plain().put32(CRYPT_METHOD, 2)
                        .extension(ENCRYPTION, new byte[] {127, 0, 0, 0, 0, 0, 0, 0, 127, 0, 0, 0, 0, 0, 0, 0})));
        for (long order : new long[] {7, 8, 64, 255, 0x80000000L, 0xffffffffL}) {
            all.add(refused(8, "refcount_order " + order, order, () -> plain().put32(REFCOUNT_ORDER, order)));
        }
        for (int type : new int[] {2, 255}) {
            all.add(refused(
                    9,
                    "compression type " + type,
                    type,
                    () -> plain().put64(INCOMPATIBLE, 1L << 3).put(COMPRESSION_TYPE, (byte) type)));
        }
        all.add(refused(9, "compression bit, but zlib", () -> plain().put64(INCOMPATIBLE, 1L << 3)));
        all.add(refused(9, "zstd without its bit", () -> plain().put(COMPRESSION_TYPE, (byte) 1)));
        return all;
    }

    private static List<HostileImage> sizes() {
        return List.of(
                refused(10, "size 2^63", () -> plain().put64(SIZE, 1L << 63)),
                refused(10, "size 2^64-1", () -> plain().put64(SIZE, -1)),
                refused(10, "size 2^63-512", () -> plain().put64(SIZE, Long.MAX_VALUE - 511)),
                refused(10, "size of two L1 entries, L1 of one", () -> plain().put64(SIZE, (1L << 29) + 1)),
                refused(
                        11,
                        "2^60 bytes, L1 past the file's end",
                        () -> of(3, 16).put64(SIZE, 1L << 60).put32(L1_SIZE, 1L << 22)),
                read(
                        11,
                        "2 EiB in a file of holes",
                        () -> of(3, 21)
                                .put64(SIZE, 1L << 61)
                                .put32(L1_SIZE, 1L << 22)
                                .put64(L1_OFFSET, 16L << 21)
                                .fileBytes((16L << 21) + (32L << 20))));
    }

    private static List<HostileImage> extensions() {
        return List.of(
                refused(
                        12,
                        "extension of 2^32-1 bytes",
                        () -> plain().put32(112, 0x1234).put32(116, -1)),
                refused(
                        12,
                        "extension that ends 8 bytes past the first cluster",
                        () -> plain().put32(112, 0x1234).put32(116, 65536 - 120 + 8)),
                refused(
                        12,
                        "backing format of 2^31 bytes",
                        () -> plain().put32(112, BACKING_FORMAT).put32(116, 0x80000000L)),
                either(12, "chain without end", HostileHeaders::chainWithoutEnd),
                either(
                        12,
                        "extension header cut by the cluster's end",
                        () -> plain().put32(112, 0x1234)
                                .put32(116, 65536 - 120 - 8 + 4)
                                .put32(65536 - 4, 0x1234)),
                either(
                        13,
                        "two backing formats",
                        () -> plain().extension(BACKING_FORMAT, "raw".getBytes(UTF_8))
                                .extension(BACKING_FORMAT, "qcow2".getBytes(UTF_8))),
                either(
                        13,
                        "two data files",
                        () -> plain().extension(DATA_FILE, "a".getBytes(UTF_8))
                                .extension(DATA_FILE, "b".getBytes(UTF_8))),
                either(
                        13,
                        "a data file's name without its bit",
                        () -> plain().extension(DATA_FILE, "a".getBytes(UTF_8))),
                refused(13, "data file bit without a name", () -> plain().put64(INCOMPATIBLE, 4)),
                either(
                        17,
                        "version 2 with the bits of version 3",
                        () -> of(2, 16).put64(INCOMPATIBLE, -1)),
                refused(17, "version 2 with a zero flag", () -> of(2, 16).l2(3, 1)),
                refused(
                        17,
                        "version 2 with an extension past the first cluster",
                        () -> of(2, 16).put32(72, 0x1234).put32(76, 0x7ffffff0)));
    }

    private static HandMadeImage chainWithoutEnd() {
        HandMadeImage image = plain();
        while (image.extensionsEnd() < 65536) {
            image.extension(0x1234, new byte[0]);
        }
        return image;
    }

    private static List<HostileImage> names() {
        List<HostileImage> all = new ArrayList<>(List.of(
                refused(
                        14,
                        "backing name outside the first cluster",
                        () -> plain().backing("x.raw", "raw").put64(BACKING_OFFSET, 65536)),
                refused(
                        14,
                        "backing name across the first cluster's end",
                        () -> plain().backing("x.raw", "raw").put64(BACKING_OFFSET, 65534)),
                refused(
                        14,
                        "backing name at 2^64-1",
                        () -> plain().backing("x.raw", "raw").put64(BACKING_OFFSET, -1)),
                refused(14, "backing name of 1024 bytes", () -> plain().backing("x".repeat(1024), "raw")),
                refused(
                        14,
                        "backing name of 2^32-1 bytes",
                        () -> plain().backing("x.raw", "raw").put32(BACKING_SIZE, -1)),
                refused(
                        14,
                        "backing name inside the header",
                        () -> plain().backing("x.raw", "raw").put64(BACKING_OFFSET, 4)),
                refused(14, "backing name with NUL", () -> plain().backing("x\0.raw", "raw")),
                refused(
                        14,
                        "backing name that is not UTF-8",
                        () -> plain().backing("x.raw", "raw")
                                .backingName(new byte[] {(byte) 0xff, (byte) 0xfe, 'x'}))));
        for (String name : List.of(
                "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}}",
                "nbd://localhost/x",
                "nbd:localhost:10809",
                "https://localhost/x",
                "ssh://localhost/x",
                "fat:rw:/tmp",
                "nvme://0000:01:00.0/1",
                "blkdebug::x.raw",
                "unheard-of:x")) {
            all.add(refused(15, "backing name " + name, () -> plain().backing(name, "raw")));
        }
        for (String name : List.of("/etc/passwd", "../../../../../../etc/passwd", "json:{}", "nbd://localhost/x", "")) {
            all.add(refused(
                    16,
                    "data file '" + name + "'",
                    () -> plain().put64(INCOMPATIBLE, 4).extension(DATA_FILE, name.getBytes(UTF_8))));
        }
        return all;
    }
}
