package dev.cowherd.format.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import dev.cowherd.format.Cases;
import dev.cowherd.format.CompressionType;
import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.QemuImages;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.Deflater;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every decoder gives what QEMU's clusters stand for, refuses what does not fill the cluster, and writes no byte more. */
class ClusterDecoderTest {
    private static final int CLUSTER = 4096;

    @TempDir
    private Path folder;

    /** The decoders, those for machines without native code too. */
    enum Kind {
        DEFLATE(CompressionType.ZLIB),
        DEFLATE_JDK(CompressionType.ZLIB),
        ZSTD(CompressionType.ZSTD),
        ZSTD_JAVA(CompressionType.ZSTD);

        private final CompressionType type;

        Kind(CompressionType type) {
            this.type = type;
        }

        ClusterDecoder make() {
            return switch (this) {
                case DEFLATE -> new DeflateDecoder(true);
                case DEFLATE_JDK -> new DeflateDecoder(false);
                case ZSTD -> new ZstdDecoder();
                case ZSTD_JAVA -> new JavaZstdDecoder();
            };
        }
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void clustersOfQemuDecodeToTheirContent(Kind kind) throws IOException {
        byte[] content = CompressedImage.compressible(new Random(7), 2 << 20);
        for (int bits : new int[] {9, 12, 16, 21}) {
            CompressedImage image = CompressedImage.make(new QemuImages(folder), kind.type, 1 << bits, content);
            assertThat(image.header().compressionType()).isEqualTo(kind.type);
            assertThat(image.clusters()).hasSizeGreaterThan(bits == 9 ? 100 : ((2 << 20) >> bits) - 1);
            try (ClusterDecoder decoder = kind.make()) {
                for (CompressedImage.Cluster cluster : image.clusters()) {
                    assertThat(decode(decoder, cluster.compressed().toArray(), 1 << bits))
                            .isEqualTo(cluster.content().toArray());
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void bytesOfOthersAfterTheStreamDoNotMatter(Kind kind) throws CorruptImageException {
        byte[] content = CompressedImage.compressible(new Random(1), CLUSTER);
        byte[] stream = compress(kind.type, content);
        byte[] longer = Arrays.copyOf(stream, stream.length + 511);
        Arrays.fill(longer, stream.length, longer.length, (byte) 0xa5);
        try (ClusterDecoder decoder = kind.make()) {
            assertThat(decode(decoder, longer, CLUSTER)).isEqualTo(content);
        }
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void aStreamThatGivesLessThanTheClusterOrIsCutIsRefused(Kind kind) {
        byte[] content = CompressedImage.compressible(new Random(2), CLUSTER);
        byte[] shorter = compress(kind.type, Arrays.copyOf(content, CLUSTER - 1));
        byte[] whole = compress(kind.type, content);
        try (ClusterDecoder decoder = kind.make()) {
            assertThatThrownBy(() -> decode(decoder, shorter, CLUSTER))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageContaining("compressed cluster");
            for (int length : new int[] {0, 1, 10, whole.length / 2}) {
                assertThatThrownBy(() -> decode(decoder, Arrays.copyOf(whole, length), CLUSTER))
                        .as("%d bytes", length)
                        .isInstanceOf(CorruptImageException.class);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Kind.class,
            names = {"DEFLATE", "DEFLATE_JDK"})
    void aDeflateStreamThatWouldGoOnIsTakenAsQemuDoes(Kind kind) throws CorruptImageException {
        byte[] content = CompressedImage.compressible(new Random(3), 2 * CLUSTER);
        try (ClusterDecoder decoder = kind.make()) {
            assertThat(decode(decoder, compress(kind.type, content), CLUSTER))
                    .isEqualTo(Arrays.copyOf(content, CLUSTER));
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Kind.class,
            names = {"ZSTD", "ZSTD_JAVA"})
    void aClusterMayBeSeveralZstdFrames(Kind kind) throws CorruptImageException {
        byte[] content = CompressedImage.compressible(new Random(4), CLUSTER);
        ByteArrayOutputStream frames = new ByteArrayOutputStream();
        for (int at = 0; at < CLUSTER; at += 1024) {
            frames.writeBytes(compress(kind.type, Arrays.copyOfRange(content, at, at + 1024)));
        }
        try (ClusterDecoder decoder = kind.make()) {
            assertThat(decode(decoder, frames.toByteArray(), CLUSTER)).isEqualTo(content);
        }
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void damagedStreamsAreRefusedByTypeOrFillExactlyTheCluster(Kind kind) {
        try (ClusterDecoder decoder = kind.make()) {
            Cases.run(700, random -> {
                byte[] stream = compress(kind.type, CompressedImage.compressible(random, CLUSTER));
                for (int i = 1 + random.nextInt(4); i > 0; i--) {
                    stream[random.nextInt(random.nextBoolean() ? 16 : stream.length)] = (byte) random.nextInt();
                }
                try {
                    decode(decoder, stream, CLUSTER);
                } catch (CorruptImageException e) {
                    assertThat(e.getMessage()).doesNotContain("\n");
                }
            });
        }
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void aClosedDecoderRefuses(Kind kind) {
        ClusterDecoder decoder = kind.make();
        decoder.close();
        decoder.close();
        assertThatThrownBy(() -> decode(decoder, new byte[100], CLUSTER)).isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @EnumSource(CompressionType.class)
    void theDecodersOfThisMachineAreTheNativeOnes(CompressionType type) {
        try (ClusterDecoder decoder = ClusterDecoder.of(type)) {
            assertThat(decoder).isInstanceOf(type == CompressionType.ZLIB ? DeflateDecoder.class : ZstdDecoder.class);
        }
    }

    /** Decodes into native memory with guards on both sides, which must not change. */
    static byte[] decode(ClusterDecoder decoder, byte[] compressed, int clusterBytes) throws CorruptImageException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment in = arena.allocateFrom(ValueLayout.JAVA_BYTE, compressed);
            MemorySegment guarded = arena.allocate(clusterBytes + 128, 64).fill((byte) 0x5a);
            CorruptImageException refused = null;
            try {
                decoder.decode(in, guarded.asSlice(64, clusterBytes));
            } catch (CorruptImageException e) {
                refused = e;
            }
            assertThat(guarded.asSlice(0, 64).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0x5a);
            assertThat(guarded.asSlice(64 + clusterBytes).toArray(ValueLayout.JAVA_BYTE))
                    .containsOnly(0x5a);
            return orThrow(guarded.asSlice(64, clusterBytes).toArray(ValueLayout.JAVA_BYTE), refused);
        }
    }

    private static byte[] orThrow(byte[] decoded, @Nullable CorruptImageException refused)
            throws CorruptImageException {
        if (refused != null) {
            throw refused;
        }
        return decoded;
    }

    static byte[] compress(CompressionType type, byte[] content) {
        if (type == CompressionType.ZSTD) {
            return Zstd.compress(content);
        }
        byte[] stream = new byte[2 * content.length + 100];
        try (Deflater deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true)) {
            deflater.setInput(content);
            deflater.finish();
            return Arrays.copyOf(stream, deflater.deflate(stream));
        }
    }
}
