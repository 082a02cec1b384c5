package dev.cowherd.bench;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The images that benchmarks read, made once by the real qemu-img in a folder and kept there for the next run. */
public final class Fixtures {
    private static final int MIB = 1 << 20;

    private final Path folder;
    private final long plainBytes;
    private final long compressibleBytes;

    /**
     * Uses a folder.
     *
     * @param folder where images are made, and found again
     * @param quick whether they are small
     * @throws IOException if the folder cannot be made
     */
    public Fixtures(Path folder, boolean quick) throws IOException {
        this.folder = Files.createDirectories(folder);
        this.plainBytes = (quick ? 256L : 1024L) * MIB;
        this.compressibleBytes = (quick ? 128L : 512L) * MIB;
    }

    /**
     * Where the images are.
     *
     * @return the folder
     */
    public Path folder() {
        return folder;
    }

    /**
     * A raw file, every byte allocated.
     *
     * @return the file
     * @throws IOException if it cannot be made
     */
    public Path raw() throws IOException {
        return warm(made("plain-" + plainBytes + ".raw", path -> fill(path, plainBytes)));
    }

    /**
     * The same bytes in QCOW2, 64 KiB clusters, every cluster allocated.
     *
     * @return the image
     * @throws IOException if it cannot be made
     */
    public Path plain() throws IOException {
        Path raw = raw();
        return warm(made("plain-" + plainBytes + ".qcow2", path -> qemuImg("convert", "-O", "qcow2", raw, path)));
    }

    /** The plain pair again, raw and QCOW2, for those who write into it. */
    Path rawToWrite() throws IOException {
        return warmByBlocks(made("written-" + plainBytes + ".raw", path -> fill(path, plainBytes)));
    }

    /**
     * All clusters allocated, to be written.
     *
     * @return the image
     * @throws IOException if it cannot be made
     */
    public Path plainToWrite() throws IOException {
        Path raw = raw();
        return warmByBlocks(
                made("written-" + plainBytes + ".qcow2", path -> qemuImg("convert", "-O", "qcow2", raw, path)));
    }

    /** A new image of that name, over a raw file or over nothing. */
    Path fresh(String name, long bytes, @Nullable Path backing) throws IOException {
        Path path = folder.resolve(name);
        Files.deleteIfExists(path);
        if (backing == null) {
            qemuImg("create", "-q", "-f", "qcow2", path, bytes);
        } else {
            qemuImg("create", "-q", "-f", "qcow2", "-b", backing, "-F", "raw", path, bytes);
        }
        return path;
    }

    /** A new image of that name, its clusters allocated and reserved on the host, unwritten. */
    Path freshAllocated(String name, long bytes) throws IOException {
        Path path = folder.resolve(name);
        Files.deleteIfExists(path);
        qemuImg("create", "-q", "-f", "qcow2", "-o", "preallocation=falloc", path, bytes);
        return path;
    }

    /**
     * How large the plain disks are.
     *
     * @return guest bytes
     */
    public long plainBytes() {
        return plainBytes;
    }

    /**
     * A disk of programs and texts, compressed cluster by cluster.
     *
     * @param type {@code zlib} or {@code zstd}
     * @return the image
     * @throws IOException if it cannot be made
     */
    public Path compressed(String type) throws IOException {
        Path raw = compressible();
        return warm(made(
                type + "-" + compressibleBytes + ".qcow2",
                path -> qemuImg("convert", "-c", "-O", "qcow2", "-o", "compression_type=" + type, raw, path)));
    }

    /** An overlay over QCOW2 over raw: a third of the clusters in each layer, spread. */
    Path chain() throws IOException {
        Path raw = raw();
        Path middle = made("middle-" + plainBytes + ".qcow2", path -> {
            qemuImg("create", "-q", "-f", "qcow2", "-b", raw, "-F", "raw", path);
            writeThird(path, 0);
        });
        warm(middle);
        return warm(made("top-" + plainBytes + ".qcow2", path -> {
            qemuImg("create", "-q", "-f", "qcow2", "-b", middle, "-F", "qcow2", path);
            writeThird(path, 1);
        }));
    }

    /**
     * A large disk with all metadata preallocated and no data.
     *
     * @param size as {@code qemu-img create} takes it
     * @return the image
     * @throws IOException if it cannot be made
     */
    public Path preallocated(String size) throws IOException {
        return made(
                "metadata-" + size + ".qcow2",
                path -> qemuImg("create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", path, size));
    }

    /** A QCOW2 image of the given size with every cluster allocated and filled. */
    Path allocated(long bytes) throws IOException {
        Path raw = made("allocated-" + bytes + ".raw", path -> fill(path, bytes));
        return made("allocated-" + bytes + ".qcow2", path -> {
            qemuImg("convert", "-O", "qcow2", raw, path);
            Files.deleteIfExists(raw);
        });
    }

    private Path compressible() throws IOException {
        return made("programs-" + compressibleBytes + ".raw", path -> fillWithPrograms(path, compressibleBytes));
    }

    private void writeThird(Path image, int phase) throws IOException {
        StringBuilder script = new StringBuilder();
        for (long at = phase * 65536L; at < plainBytes; at += 3 * 65536L) {
            script.append("write -P ").append(1 + phase).append(' ').append(at).append(" 64k\n");
        }
        Processes.feed(script.toString(), Processes.qemu10("qemu-io").toString(), "-f", "qcow2", image.toString());
    }

    /** Writes bytes that no compressor makes smaller and no zero detection skips. */
    private static void fill(Path path, long bytes) throws IOException {
        SplittableRandom random = new SplittableRandom(42);
        byte[] chunk = new byte[MIB];
        try (OutputStream out = Files.newOutputStream(path)) {
            for (long written = 0; written < bytes; written += MIB) {
                random.nextBytes(chunk);
                out.write(chunk);
            }
        }
    }

    /** Writes what a guest's disk is full of: the programs, libraries and texts of this machine, in the order of their names. */
    private static void fillWithPrograms(Path path, long bytes) throws IOException {
        List<Path> files = new ArrayList<>();
        for (String folder : List.of("/usr/bin", "/usr/lib", "/usr/share")) {
            try (Stream<Path> found = Files.walk(Path.of(folder))) {
                found.filter(f -> Files.isRegularFile(f, LinkOption.NOFOLLOW_LINKS) && Files.isReadable(f))
                        .sorted()
                        .forEach(files::add);
            }
        }
        try (FileChannel out = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            while (out.position() < bytes) {
                long before = out.position();
                for (Path file : files) {
                    try (FileChannel in = FileChannel.open(file)) {
                        in.transferTo(0, Math.min(in.size(), bytes - out.position()), out);
                    }
                    if (out.position() >= bytes) {
                        break;
                    }
                }
                if (out.position() == before) {
                    throw new IOException("this machine has no files to fill a disk with");
                }
            }
        }
    }

    /**
     * Lets a file into the page cache by one sequential read, whoever wrote it: how a file got there decides how large the
     * kernel's pages for it are, which is worth a tenth of a small read.
     */
    private static Path warm(Path file) throws IOException {
        Processes.run("dd", "of=" + file, "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none");
        Processes.run("dd", "if=" + file, "of=/dev/null", "bs=1M", "status=none");
        return file;
    }

    /**
     * Lets a file into the page cache by writing its own bytes to it in blocks, as a guest's small writes do. On a file system that keeps
     * a large page as a list of blocks (ext4), a small write into one that read-ahead has made walks all of them, which would be most
     * of what is measured, whoever writes.
     */
    private static Path warmByBlocks(Path file) throws IOException {
        Processes.run("dd", "of=" + file, "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none");
        return dirty(file);
    }

    /**
     * The same for a file whose pages are as they should be: afterwards all of them wait to be written back. A first write into a page
     * since then costs a file system several times what the next one does, and who closes an image leaves no such page; so each
     * side begins with this.
     */
    static Path dirty(Path file) throws IOException {
        Processes.run(
                "dd", "if=" + file, "of=" + file, "iflag=direct", "ibs=1M", "obs=4k", "conv=notrunc", "status=none");
        return file;
    }

    private static void qemuImg(Object... arguments) throws IOException {
        String[] command = new String[arguments.length + 1];
        command[0] = Processes.qemu10("qemu-img").toString();
        for (int i = 0; i < arguments.length; i++) {
            command[i + 1] = arguments[i].toString();
        }
        Processes.run(command);
    }

    private Path made(String name, Maker maker) throws IOException {
        Path path = folder.resolve(name);
        if (!Files.exists(path)) {
            Path unfinished = folder.resolve("unfinished-" + name);
            Files.deleteIfExists(unfinished);
            System.err.println("making " + name);
            maker.make(unfinished);
            Files.move(unfinished, path);
        }
        return path;
    }

    private interface Maker {
        void make(Path path) throws IOException;
    }
}
