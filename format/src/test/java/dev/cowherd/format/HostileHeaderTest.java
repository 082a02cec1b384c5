package dev.cowherd.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Headers that lie are refused by type, with structure, place and value, and nothing is sized by what they claim. */
class HostileHeaderTest {
    private static final int CLUSTER = 65536;
    private static final long FILE = 10L * CLUSTER;
    private static final int EXTENSIONS = 112;

    /** A fault, the error it must give, and what its line must say. */
    record Hostile(
            String fault, Class<? extends ImageFormatException> error, String says, Consumer<ByteBuffer> damage) {
        @Override
        public String toString() {
            return fault;
        }
    }

    private static Hostile corrupt(String fault, String says, Consumer<ByteBuffer> damage) {
        return new Hostile(fault, CorruptImageException.class, says, damage);
    }

    private static Hostile unsupported(String fault, String says, Consumer<ByteBuffer> damage) {
        return new Hostile(fault, UnsupportedImageException.class, says, damage);
    }

    static Stream<Hostile> all() {
        return Stream.of(fields(), names(), tables(), countsAndSnapshots(), extensions(), knownExtensions())
                .flatMap(hostile -> hostile);
    }

    static Stream<Hostile> fields() {
        return Stream.of(
                corrupt("1 magic", "header at offset 0x0: no QCOW2 magic", b -> b.putInt(0, 0x51464900)),
                unsupported("1 version 1", "header at offset 0x4: unsupported version 1", b -> b.putInt(4, 1)),
                unsupported("1 version 4", "unsupported version 4", b -> b.putInt(4, 4)),
                unsupported("1 version -1", "unsupported version 4294967295", b -> b.putInt(4, -1)),
                unsupported(
                        "3 cluster bits 8",
                        "header at offset 0x14: unsupported cluster size 2^8",
                        b -> b.putInt(20, 8)),
                unsupported("3 cluster bits 22", "unsupported cluster size 2^22", b -> b.putInt(20, 22)),
                unsupported("3 cluster bits -1", "unsupported cluster size 2^4294967295", b -> b.putInt(20, -1)),
                corrupt("4 header length 96", "header at offset 0x64: header length 96", b -> b.putInt(100, 96)),
                corrupt("4 header length 108", "header length 108", b -> b.putInt(100, 108)),
                corrupt("4 header length beyond a cluster", "header length 65544", b -> b.putInt(100, CLUSTER + 8)),
                corrupt("4 header length -8", "header length 4294967288", b -> b.putInt(100, -8)),
                unsupported(
                        "5 unknown feature",
                        "header at offset 0x48: unsupported features: unknown (incompatible bit 5)",
                        b -> b.putLong(72, 32)),
                unsupported(
                        "5 two unknown features",
                        "unknown (incompatible bit 7), unknown (incompatible bit 63)",
                        b -> b.putLong(72, Long.MIN_VALUE | 128)),
                unsupported(
                        "7 encryption method 3",
                        "header at offset 0x20: unknown encryption method 3",
                        b -> b.putInt(32, 3)),
                unsupported("7 encryption method -1", "unknown encryption method 4294967295", b -> b.putInt(32, -1)),
                corrupt("8 refcount order 7", "header at offset 0x60: refcount order 7", b -> b.putInt(96, 7)),
                corrupt("8 refcount order -1", "refcount order 4294967295", b -> b.putInt(96, -1)),
                unsupported(
                        "9 compression type 2",
                        "header at offset 0x68: unknown compression type 2",
                        b -> b.put(104, (byte) 2)),
                corrupt(
                        "9 zstd without its bit",
                        "compression type zstd, but its incompatible feature bit is not set",
                        b -> b.put(104, (byte) 1)),
                corrupt(
                        "9 the bit without zstd",
                        "compression type zlib, but its incompatible feature bit is set",
                        b -> b.putLong(72, 8)),
                corrupt(
                        "10 size beyond the L1 table",
                        "active L1 table too small: 2 entries",
                        b -> b.putLong(24, 1L << 31)),
                corrupt(
                        "10 size beyond 2^63",
                        "header at offset 0x18: disk size 18446744073709551615",
                        b -> b.putLong(24, -1)),
                corrupt("10 size near 2^63", "active L1 table too small", b -> b.putLong(24, Long.MAX_VALUE)));
    }

    static Stream<Hostile> names() {
        return Stream.of(
                corrupt(
                        "14 backing name outside the first cluster",
                        "backing file name at 65537",
                        b -> b.putLong(8, CLUSTER + 1)),
                corrupt("14 backing name at -1", "backing file name at 18446744073709551615", b -> b.putLong(8, -1)),
                corrupt(
                        "14 backing name of 1024 bytes",
                        "header at offset 0x10: backing file name of 1024 bytes is too long",
                        b -> b.putLong(8, 2048).putInt(16, 1024)),
                corrupt(
                        "14 backing name over the cluster's end",
                        "backing file name of 100 bytes is too long",
                        b -> b.putLong(8, CLUSTER - 99).putInt(16, 100)),
                corrupt(
                        "14 backing name with NUL",
                        "backing file name at offset 0x800: the name has a NUL at byte 1",
                        b -> b.putLong(8, 2048).putInt(16, 3).put(2048, new byte[] {'a', 0, 'b'})),
                unsupported(
                        "14 backing name that is no UTF-8",
                        "backing file name at offset 0x800: the name is not valid UTF-8",
                        b -> b.putLong(8, 2048).putInt(16, 2).put(2048, new byte[] {(byte) 0xc3, 'b'})));
    }

    static Stream<Hostile> tables() {
        return Stream.of(
                corrupt(
                        "16 raw data file bit without the data file bit",
                        "raw external data without an external data file",
                        b -> b.putLong(88, 2)),
                corrupt(
                        "18 L1 misaligned",
                        "active L1 table of 16 bytes at 0x30200, which is no cluster boundary",
                        b -> b.putLong(40, 0x30200)),
                corrupt("18 L1 past the end", "beyond the end of the file at 0xa0000", b -> b.putLong(40, FILE)),
                corrupt("18 L1 beyond 2^56", "active L1 table", b -> b.putLong(40, 1L << 57)),
                corrupt("18 L1 negative", "active L1 table", b -> b.putLong(40, Long.MIN_VALUE)),
                corrupt("18 L1 at 0", "where the header is", b -> b.putLong(40, 0)),
                corrupt(
                        "19 L1 over 32 MiB",
                        "header at offset 0x24: active L1 table too large: 4194305 entries",
                        b -> b.putInt(36, (32 << 20) / 8 + 1)),
                corrupt("19 L1 of 2^32 - 1 entries", "too large: 4294967295 entries", b -> b.putInt(36, -1)),
                corrupt("19 L1 larger than the file", "beyond the end of the file", b -> b.putInt(36, (32 << 20) / 8)),
                corrupt("19 L1 too small", "active L1 table too small: 0 entries", b -> b.putInt(36, 0)));
    }

    static Stream<Hostile> countsAndSnapshots() {
        return Stream.of(
                corrupt(
                        "20 refcount table misaligned",
                        "refcount table of 65536 bytes at 0x10001",
                        b -> b.putLong(48, 0x10001)),
                corrupt("20 refcount table at 0", "where the header is", b -> b.putLong(48, 0)),
                corrupt("20 refcount table beyond INT64_MAX", "refcount table", b -> b.putLong(48, -CLUSTER)),
                corrupt("20 refcount table past the end", "beyond the end of the file", b -> b.putLong(48, FILE)),
                corrupt("21 no refcount table", "header at offset 0x38: no refcount table", b -> b.putInt(56, 0)),
                corrupt(
                        "21 refcount table over 8 MiB",
                        "refcount table too large: 129 clusters",
                        b -> b.putInt(56, 129)),
                corrupt(
                        "21 refcount table of 2^32 - 1 clusters",
                        "too large: 4294967295 clusters",
                        b -> b.putInt(56, -1)),
                corrupt(
                        "22 too many snapshots",
                        "header at offset 0x3c: too many snapshots: 65537",
                        b -> b.putInt(60, 65537)),
                corrupt("22 2^32 - 1 snapshots", "too many snapshots: 4294967295", b -> b.putInt(60, -1)),
                corrupt(
                        "22 snapshot table misaligned",
                        "snapshot table of 0 bytes at 0x8, which is no cluster boundary",
                        b -> b.putLong(64, 8)),
                corrupt("22 snapshot table at 0", "where the header is", b -> b.putInt(60, 1)),
                corrupt(
                        "22 snapshot table past the end",
                        "snapshot table of 40 bytes at 0xa0000, beyond the end",
                        b -> b.putInt(60, 1).putLong(64, FILE)),
                unsupported(
                        "34 extended L2 entries with small clusters",
                        "header at offset 0x14: extended L2 entries",
                        b -> b.putInt(20, 13).putLong(72, 16)));
    }

    static Stream<Hostile> extensions() {
        return Stream.of(
                corrupt(
                        "12 length past the area",
                        "header extension at offset 0x70: length 65417 goes beyond the area",
                        b -> b.putInt(EXTENSIONS, 0x1234).putInt(EXTENSIONS + 4, CLUSTER - EXTENSIONS - 7)),
                corrupt(
                        "12 length 2^32 - 1",
                        "length 4294967295 goes beyond the area",
                        b -> b.putInt(EXTENSIONS, 0x1234).putInt(EXTENSIONS + 4, -1)),
                corrupt(
                        "12 end mark with a length past the area",
                        "goes beyond the area",
                        b -> b.putInt(EXTENSIONS + 4, -1)),
                corrupt(
                        "12 over the backing file's name",
                        "which ends at 128",
                        b -> b.putLong(8, 128)
                                .putInt(16, 1)
                                .put(128, (byte) 'x')
                                .putInt(EXTENSIONS, 9)
                                .putInt(EXTENSIONS + 4, 9)),
                corrupt(
                        "12 half an extension before the backing file's name",
                        "only 4 bytes left",
                        b -> b.putLong(8, EXTENSIONS + 4).putInt(16, 1).put(EXTENSIONS + 4, (byte) 'x')),
                corrupt("12 a chain without end", "header extension", b -> {
                    for (int at = EXTENSIONS; at < CLUSTER - 8; at += 8) {
                        b.putInt(at, 0x99);
                    }
                    b.putInt(CLUSTER - 8, 0x99).putInt(CLUSTER - 4, 1);
                }),
                corrupt(
                        "13 a second backing format",
                        "header extension at offset 0x78: a second one of type 0xe2792aca",
                        b -> b.putInt(EXTENSIONS, 0xe2792aca).putInt(EXTENSIONS + 8, 0xe2792aca)),
                corrupt(
                        "13 encryption header without LUKS",
                        "the image is not encrypted with LUKS",
                        b -> b.putInt(EXTENSIONS, 0x0537be77).putInt(EXTENSIONS + 4, 16)),
                corrupt(
                        "13 encryption header of 8 bytes",
                        "encryption header extension at offset 0x70: length 8, must be 16",
                        b -> b.putInt(32, 2).putInt(EXTENSIONS, 0x0537be77).putInt(EXTENSIONS + 4, 8)),
                corrupt(
                        "13 encryption header misaligned",
                        "offset 0x10 is no cluster boundary",
                        b -> b.putInt(32, 2)
                                .putInt(EXTENSIONS, 0x0537be77)
                                .putInt(EXTENSIONS + 4, 16)
                                .putLong(EXTENSIONS + 8, 16)));
    }

    static Stream<Hostile> knownExtensions() {
        return Stream.of(
                corrupt(
                        "14 backing format of 16 bytes",
                        "backing format extension at offset 0x70: length 16, at most 15",
                        b -> b.putInt(EXTENSIONS, 0xe2792aca).putInt(EXTENSIONS + 4, 16)),
                corrupt(
                        "14 backing format with NUL",
                        "the name has a NUL at byte 0",
                        b -> b.putInt(EXTENSIONS, 0xe2792aca).putInt(EXTENSIONS + 4, 1)),
                corrupt(
                        "16 data file name of 60000 bytes",
                        "external data file extension at offset 0x70: length 60000",
                        b -> b.putInt(EXTENSIONS, 0x44415441).putInt(EXTENSIONS + 4, 60000)),
                corrupt(
                        "16 data file name with NUL",
                        "the name has a NUL",
                        b -> b.putInt(EXTENSIONS, 0x44415441).putInt(EXTENSIONS + 4, 1)),
                corrupt(
                        "24 bitmaps extension of 8 bytes",
                        "bitmaps extension at offset 0x70: length 8, must be 24",
                        b -> b.putInt(EXTENSIONS, 0x23852875).putInt(EXTENSIONS + 4, 8)),
                corrupt("24 no bitmaps", "0 bitmaps, must be 1 to 65535", b -> bitmaps(b, 0, 0, 24, CLUSTER)),
                corrupt("24 too many bitmaps", "65536 bitmaps", b -> bitmaps(b, 65536, 0, 24, CLUSTER)),
                corrupt("24 reserved field", "reserved field is 0x1", b -> bitmaps(b, 1, 1, 24, CLUSTER)),
                corrupt(
                        "24 directory over 64 MiB",
                        "bitmap directory of 67108865 bytes is too large",
                        b -> bitmaps(b, 1, 0, (64 << 20) + 1, CLUSTER)),
                corrupt("24 directory of 2^64 - 1 bytes", "18446744073709551615", b -> bitmaps(b, 1, 0, -1, CLUSTER)),
                corrupt("24 directory misaligned", "misplaced at 0x10008", b -> bitmaps(b, 1, 0, 24, CLUSTER + 8)),
                corrupt("24 directory past the end", "misplaced at 0xa0000", b -> bitmaps(b, 1, 0, 24, FILE)),
                corrupt("24 directory beyond 2^63", "misplaced", b -> bitmaps(b, 1, 0, 24, Long.MIN_VALUE)));
    }

    private static void bitmaps(ByteBuffer b, int count, int reserved, long bytes, long offset) {
        b.putLong(88, 1).putInt(EXTENSIONS, 0x23852875).putInt(EXTENSIONS + 4, 24);
        b.putInt(EXTENSIONS + 8, count).putInt(EXTENSIONS + 12, reserved);
        b.putLong(EXTENSIONS + 16, bytes).putLong(EXTENSIONS + 24, offset);
    }

    /** A valid image of 1 GiB: refcount table at cluster 1, L1 table at cluster 3. */
    static ByteBuffer valid() {
        ByteBuffer bytes = ByteBuffer.allocate(CLUSTER);
        bytes.putInt(0, Header.MAGIC).putInt(4, 3).putInt(20, 16).putLong(24, 1 << 30);
        bytes.putInt(36, 2).putLong(40, 3L * CLUSTER).putLong(48, CLUSTER).putInt(56, 1);
        return bytes.putInt(96, 4).putInt(100, 112);
    }

    @Test
    void theImageThatTheCasesDamageIsValid() throws ImageFormatException {
        Header header = Header.decode(valid(), FILE);
        assertThat(header.geometry().l1EntriesFor(header.sizeBytes())).isEqualTo(2);
        header.requireSupported();
    }

    @ParameterizedTest
    @MethodSource("all")
    void isRefusedWithAClearLine(Hostile hostile) {
        ByteBuffer bytes = valid();
        hostile.damage().accept(bytes);
        assertThatThrownBy(() -> Header.decode(bytes, FILE))
                .isExactlyInstanceOf(hostile.error())
                .hasMessageContaining(hostile.says())
                .message()
                .doesNotContain("\n");
    }

    @Test
    void aFileShorterThanItsHeaderIsRefused() {
        for (int length : List.of(0, 3, 4, 8, 71, 72, 103, 104, 111)) {
            assertThatThrownBy(() -> Header.decode(valid().slice(0, length), length))
                    .as("%d bytes", length)
                    .isInstanceOf(CorruptImageException.class);
        }
    }

    @Test
    void anUnknownFeatureIsNamedByTheImagesOwnTable() {
        ByteBuffer bytes = valid().putLong(72, 1L << 40);
        bytes.putInt(EXTENSIONS, 0x6803f857).putInt(EXTENSIONS + 4, 48);
        bytes.put(EXTENSIONS + 9, (byte) 40).put(EXTENSIONS + 10, "time travel".getBytes(StandardCharsets.UTF_8));
        assertThatThrownBy(() -> Header.decode(bytes, FILE))
                .isInstanceOf(UnsupportedImageException.class)
                .hasMessageContaining("unsupported features: time travel (incompatible bit 40)");
    }

    @Test
    void aNameInTheImageSteersNoTerminal() {
        ByteBuffer bytes = valid().putLong(72, 1L << 40);
        bytes.putInt(EXTENSIONS, 0x6803f857).putInt(EXTENSIONS + 4, 48);
        bytes.put(EXTENSIONS + 9, (byte) 40).put(EXTENSIONS + 10, "a\n\033[2Jb".getBytes(StandardCharsets.UTF_8));
        assertThatThrownBy(() -> Header.decode(bytes, FILE))
                .isInstanceOfSatisfying(
                        UnsupportedImageException.class,
                        e -> assertThat(e.reason()).isEqualTo("unsupported features: a??[2Jb (incompatible bit 40)"))
                .hasMessageEndingWith("unsupported features: a??[2Jb (incompatible bit 40)");
    }

    @Test
    void aCorruptOrDirtyOrEncryptedImageDecodesAndSaysSo() throws ImageFormatException {
        assertThat(Header.decode(valid().putLong(72, 2), FILE).isCorrupt()).isTrue();
        assertThat(Header.decode(valid().putLong(72, 1), FILE).isDirty()).isTrue();
        Header luks = Header.decode(valid().putInt(32, 2), FILE);
        assertThatThrownBy(luks::requireSupported).hasMessageContaining("LUKS encryption is not supported");
        Header aes = Header.decode(valid().putInt(32, 1), FILE);
        assertThatThrownBy(aes::requireSupported).hasMessageContaining("AES encryption is not supported");
    }

    @Test
    void aVersion2HeaderHasNoVersion3Fields() throws ImageFormatException {
        ByteBuffer bytes = valid().putInt(4, 2).putInt(96, 0).putInt(100, 0);
        bytes.putInt(72, 0x77).putInt(76, 4).putInt(80, -1);
        Header header = Header.decode(bytes, FILE);
        assertThat(header.incompatibleFeatures()).isZero();
        assertThat(header.refcountOrder()).isEqualTo(4);
        assertThat(header.headerLength()).isEqualTo(72);
        assertThat(header.extensions()).hasSize(1);
    }

    @Test
    void aCheckMayLookAtAnImageWithoutRefcountsOrWithALostSnapshotTable() throws ImageFormatException {
        ByteBuffer bytes = valid().putInt(56, 0).putInt(60, -1).putLong(64, 77);
        Header header = Header.decodeForCheck(bytes, FILE);
        assertThat(header.refcountTableClusters()).isZero();
        assertThat(Integer.toUnsignedLong(header.snapshotCount())).isEqualTo(0xffff_ffffL);
    }
}
