package dev.cowherd.format.codec;

import dev.cowherd.format.Bytes;
import dev.cowherd.format.CompressionType;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.L2Entry;
import dev.cowherd.format.QemuImages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** An image that qemu-img compressed, taken apart into its clusters. */
record CompressedImage(Header header, List<Cluster> clusters) {
    /** One compressed cluster: its bytes up to the end of the last sector, where they are, and what they stand for. */
    record Cluster(Bytes compressed, long hostOffset, Bytes content) {}

    static CompressedImage make(QemuImages qemu, CompressionType type, int clusterBytes, byte[] content)
            throws IOException {
        Files.write(qemu.path("source.raw"), content);
        String options = "compression_type=" + type.label() + ",cluster_size=" + clusterBytes;
        qemu.qemuImg("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, "source.raw", "c.qcow2");
        return read(qemu.path("c.qcow2"), content);
    }

    private static CompressedImage read(Path path, byte[] content) throws IOException {
        ByteBuffer image = ByteBuffer.wrap(Files.readAllBytes(path));
        Header header = Header.decode(image, image.limit());
        Geometry geometry = header.geometry();
        List<Cluster> clusters = new ArrayList<>();
        for (int at = 0; at < content.length; at += geometry.clusterBytes()) {
            long l1 = image.getLong((int) (header.l1Offset() + L1Entry.BYTES * geometry.l1Index(at)));
            int l2At = (int) L1Entry.l2Offset(l1) + geometry.l2EntryBytes() * geometry.l2Index(at);
            long word = l1 == 0 ? 0 : image.getLong(l2At);
            if (L2Entry.isCompressed(word)) {
                int from = (int) L2Entry.compressedHostOffset(word, geometry.clusterBits());
                int bytes = L2Entry.compressedBytes(word, geometry.clusterBits());
                clusters.add(new Cluster(
                        Bytes.of(Arrays.copyOfRange(image.array(), from, from + bytes)),
                        from,
                        Bytes.of(Arrays.copyOfRange(content, at, at + geometry.clusterBytes()))));
            }
        }
        return new CompressedImage(header, clusters);
    }

    /** Bytes that compress to about a half, differently from cluster to cluster. */
    static byte[] compressible(Random random, int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            boolean repeat = i > 100 && random.nextInt(10) > 0;
            bytes[i] = repeat ? bytes[i - 1 - random.nextInt(3) * 13] : (byte) random.nextInt(64);
        }
        return bytes;
    }
}
