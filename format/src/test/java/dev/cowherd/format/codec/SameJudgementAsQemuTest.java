package dev.cowherd.format.codec;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cowherd.format.Cases;
import dev.cowherd.format.CompressionType;
import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.QemuImages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A damaged cluster is refused exactly if QEMU refuses it; what deflate gives all the same is what QEMU gives. */
class SameJudgementAsQemuTest {
    private static final int CLUSTER = 4096;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource(CompressionType.class)
    void ofDamagedStreams(CompressionType type) throws IOException {
        QemuImages qemu = new QemuImages(folder);
        int[] taken = {0};
        CompressedImage image =
                CompressedImage.make(qemu, type, CLUSTER, CompressedImage.compressible(new Random(5), CLUSTER));
        CompressedImage.Cluster cluster = image.clusters().getFirst();
        try (ClusterDecoder decoder = ClusterDecoder.of(type)) {
            Cases.run(Integer.getInteger("cowherd.cases", 60), random -> {
                byte[] stream = cluster.compressed().toArray();
                for (int i = 1 + random.nextInt(2); i > 0; i--) {
                    stream[random.nextInt(random.nextInt(4) == 0 ? 8 : stream.length)] ^=
                            (byte) (1 << random.nextInt(8));
                }
                byte[] theirs = byQemu(qemu, cluster, stream);
                byte[] ours = ours(decoder, stream);
                if (type == CompressionType.ZLIB) {
                    assertThat(ours).isEqualTo(theirs);
                } else {
                    // What a damaged stream gives differs between versions of the library.
                    assertThat(ours == null).isEqualTo(theirs == null);
                }
                taken[0] += theirs == null ? 0 : 1;
            });
        }
        assertThat(taken[0])
                .as("damaged streams that fill the cluster all the same")
                .isPositive();
    }

    @ParameterizedTest
    @EnumSource(CompressionType.class)
    void ofStreamsThatAreShorterOrLongerThanTheCluster(CompressionType type) throws IOException {
        QemuImages qemu = new QemuImages(folder);
        byte[] content = CompressedImage.compressible(new Random(6), 2 * CLUSTER);
        CompressedImage.Cluster cluster = CompressedImage.make(
                        qemu, type, CLUSTER, CompressedImage.compressible(new Random(5), CLUSTER))
                .clusters()
                .getFirst();
        try (ClusterDecoder decoder = ClusterDecoder.of(type)) {
            for (int length : new int[] {0, 1, 100, CLUSTER - 1, CLUSTER, CLUSTER + 1, CLUSTER + 100}) {
                byte[] given = Arrays.copyOf(content, length);
                byte[] stream = ClusterDecoderTest.compress(type, given);
                assertThat(stream.length)
                        .isLessThanOrEqualTo(cluster.compressed().length());
                byte[] padded = Arrays.copyOf(stream, cluster.compressed().length());
                assertThat(ours(decoder, padded)).as("%d bytes", length).isEqualTo(byQemu(qemu, cluster, padded));
            }
        }
    }

    private static byte @Nullable [] ours(ClusterDecoder decoder, byte[] stream) {
        try {
            return ClusterDecoderTest.decode(decoder, stream, CLUSTER);
        } catch (CorruptImageException e) {
            return null;
        }
    }

    private static byte @Nullable [] byQemu(QemuImages qemu, CompressedImage.Cluster cluster, byte[] stream)
            throws IOException {
        try (FileChannel channel = FileChannel.open(qemu.path("c.qcow2"), StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(stream), cluster.hostOffset());
        }
        QemuImages.Result result = qemu.run("qemu-img", "convert", "-O", "raw", "c.qcow2", "out.raw");
        return result.exit() == 0 ? Files.readAllBytes(qemu.path("out.raw")) : null;
    }
}
