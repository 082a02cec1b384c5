package dev.cowherd.cli.demo;

import com.github.luben.zstd.Zstd;
import dev.cowherd.cli.demo.DemoContent.Image;
import dev.cowherd.cli.demo.DemoContent.Kind;
import dev.cowherd.format.CompressionType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.Deflater;

/**
 * Makes the demonstration's three images: a raw base, an overlay with clusters compressed by zlib, and one above it with
 * clusters compressed by zstd.
 */
final class DemoChain {
    private static final int ZSTD_LEVEL = 3;

    private final Path base;
    private final Path middle;
    private final Path top;
    private final long clusters;

    private DemoChain(Path folder, long clusters) {
        this.base = folder.resolve("base.raw");
        this.middle = folder.resolve("middle.qcow2");
        this.top = folder.resolve("top.qcow2");
        this.clusters = clusters;
    }

    /**
     * Writes the three files.
     *
     * @param folder an empty folder
     * @param sizeBytes the disk's size, whole clusters
     * @return the chain
     * @throws IOException if the host refuses
     */
    static DemoChain create(Path folder, long sizeBytes) throws IOException {
        DemoChain chain = new DemoChain(folder, sizeBytes >> DemoContent.CLUSTER_BITS);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment cluster = arena.allocate(DemoContent.CLUSTER_BYTES);
            chain.writeBase(cluster);
            chain.writeMiddle(cluster);
            chain.writeTop(cluster);
        }
        return chain;
    }

    Path base() {
        return base;
    }

    Path middle() {
        return middle;
    }

    Path top() {
        return top;
    }

    private void writeBase(MemorySegment cluster) throws IOException {
        try (FileChannel file = FileChannel.open(
                base, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, StandardOpenOption.SPARSE)) {
            for (long i = 0; i < clusters; i++) {
                if (DemoContent.kindOf(i) != Kind.NOWHERE) {
                    DemoContent.fill(cluster, i, Image.BASE, false);
                    writeAt(file, i << DemoContent.CLUSTER_BITS, cluster.asByteBuffer());
                }
            }
            // A hole at the end belongs to the disk as well.
            if (file.size() < clusters << DemoContent.CLUSTER_BITS) {
                writeAt(file, (clusters << DemoContent.CLUSTER_BITS) - 1, ByteBuffer.allocate(1));
            }
        }
    }

    private void writeMiddle(MemorySegment cluster) throws IOException {
        long sizeBytes = clusters << DemoContent.CLUSTER_BITS;
        try (ImageWriter writer = new ImageWriter(
                middle, sizeBytes, CompressionType.ZLIB, base.getFileName().toString(), "raw")) {
            for (long i = 0; i < clusters; i++) {
                long offset = i << DemoContent.CLUSTER_BITS;
                switch (DemoContent.kindOf(i)) {
                    // The top image hides these two; here lies what a wrong turn would find.
                    case TOP_DATA, TOP_ZEROS, MIDDLE_DATA -> {
                        DemoContent.fill(cluster, i, Image.MIDDLE, false);
                        writer.writeData(offset, cluster);
                    }
                    case TOP_COMPRESSED, MIDDLE_COMPRESSED -> {
                        DemoContent.fill(cluster, i, Image.MIDDLE, true);
                        writer.writeCompressed(offset, deflated(cluster));
                    }
                    case BASE_DATA, NOWHERE -> {}
                }
            }
            writer.finish();
        }
    }

    private void writeTop(MemorySegment cluster) throws IOException {
        long sizeBytes = clusters << DemoContent.CLUSTER_BITS;
        try (ImageWriter writer = new ImageWriter(
                top, sizeBytes, CompressionType.ZSTD, middle.getFileName().toString(), "qcow2")) {
            for (long i = 0; i < clusters; i++) {
                long offset = i << DemoContent.CLUSTER_BITS;
                switch (DemoContent.kindOf(i)) {
                    case TOP_DATA -> {
                        DemoContent.fill(cluster, i, Image.TOP, false);
                        writer.writeData(offset, cluster);
                    }
                    case TOP_COMPRESSED -> {
                        DemoContent.fill(cluster, i, Image.TOP, true);
                        writer.writeCompressed(offset, zstandard(cluster));
                    }
                    case TOP_ZEROS -> writer.writeZeros(offset);
                    case MIDDLE_DATA, MIDDLE_COMPRESSED, BASE_DATA, NOWHERE -> {}
                }
            }
            writer.finish();
        }
    }

    /** A raw deflate stream, without zlib's header, as the format wants it. */
    private static ByteBuffer deflated(MemorySegment cluster) {
        Deflater deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true);
        try {
            ByteBuffer out = ByteBuffer.allocateDirect(DemoContent.CLUSTER_BYTES);
            deflater.setInput(cluster.asByteBuffer());
            deflater.finish();
            while (!deflater.finished()) {
                if (deflater.deflate(out) == 0) {
                    throw new IllegalStateException("a cluster of the demonstration did not become smaller");
                }
            }
            return out.flip();
        } finally {
            deflater.end();
        }
    }

    private static ByteBuffer zstandard(MemorySegment cluster) {
        ByteBuffer out = ByteBuffer.allocateDirect(DemoContent.CLUSTER_BYTES);
        long bytes = Zstd.compressDirectByteBuffer(
                out, 0, out.capacity(), cluster.asByteBuffer(), 0, DemoContent.CLUSTER_BYTES, ZSTD_LEVEL);
        if (Zstd.isError(bytes)) {
            throw new IllegalStateException("zstd: " + Zstd.getErrorName(bytes));
        }
        return out.limit((int) bytes);
    }

    private static void writeAt(FileChannel file, long offset, ByteBuffer bytes) throws IOException {
        long at = offset;
        while (bytes.hasRemaining()) {
            at += file.write(bytes, at);
        }
    }
}
