package dev.cowherd.testkit;

import dev.cowherd.testkit.ImageRecipe.Below;
import dev.cowherd.testkit.ImageRecipe.Compression;
import dev.cowherd.testkit.ImageRecipe.DataFile;
import dev.cowherd.testkit.ImageRecipe.Preallocation;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.CRC32;

/**
 * Makes the images of the matrix by QEMU 10 and keeps them below a {@code target} folder, so that the tests of all
 * modules make each only once.
 *
 * <p>Safe for any number of threads and processes. An image made by other code than today's is made anew.
 */
public final class QemuImages {
    private static final List<String> IO_FLAGS = List.of("-f", "qcow2", "-t", "unsafe", "-d", "unmap");
    private static final String TOP = "top.qcow2";

    private final QemuImg qemu = QemuImg.v10();
    private final Path folder;
    private final GuestWrites writes;

    /**
     * Opens the store of images.
     *
     * @param folder made if it is not there
     */
    public QemuImages(Path folder) {
        try {
            String today = fingerprint();
            clearOthers(folder, today);
            this.folder = Files.createDirectories(folder.resolve(today)).toAbsolutePath();
            try (FileChannel gate = gate("patterns")) {
                gate.lock();
                this.writes = new GuestWrites(this.folder);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * The store that all modules of the build share.
     *
     * @return the store below the test kit's {@code target} folder
     */
    public static QemuImages shared() {
        String root = System.getProperty("cowherd.root");
        Path base = root == null ? Path.of(System.getProperty("java.io.tmpdir")) : Path.of(root, "testkit", "target");
        return new QemuImages(base.resolve("images"));
    }

    /**
     * The image of a recipe, made now unless it is there already.
     *
     * @param recipe a possible recipe
     * @return the image
     */
    public MadeImage make(ImageRecipe recipe) {
        Path home = folder.resolve(recipe.name());
        MadeImage made =
                new MadeImage(recipe, home.resolve(TOP), recipe.snapshots() ? List.of("one", "three") : List.of());
        synchronized (QemuImages.class) {
            try (FileChannel gate = gate(recipe.name())) {
                gate.lock();
                Path marker = home.resolve("made");
                if (!Files.exists(marker)) {
                    clear(home);
                    Files.createDirectories(home);
                    makeIn(home, recipe);
                    Files.createFile(marker);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return made;
    }

    private void makeIn(Path home, ImageRecipe recipe) throws IOException {
        Random random = new Random(recipe.seed());
        List<Long> sizes = sizesFromTheTop(recipe, random);
        Path below = home;
        String belowFormat = "";
        for (int depth = recipe.layers() - 1; depth >= 0; depth--) {
            boolean lowest = depth == recipe.layers() - 1;
            boolean raw = lowest && depth > 0 && (recipe.below() == Below.UNALIGNED || random.nextInt(3) == 0);
            ImageRecipe layer = depth == 0 ? recipe : lowerLayer(recipe, lowest, random);
            Path file = home.resolve(depth == 0 ? TOP : "layer" + depth + (raw ? ".raw" : ".qcow2"));
            if (raw) {
                writeRaw(file, sizes.get(depth), random);
            } else {
                create(file, layer, sizes.get(depth), lowest ? List.of() : backing(below, belowFormat));
                fill(file, layer, sizes.get(depth), depth == 0, random);
            }
            below = file;
            belowFormat = raw ? "raw" : "qcow2";
        }
    }

    private static List<String> backing(Path below, String format) {
        return List.of("-b", below.getFileName().toString(), "-F", format);
    }

    private static ImageRecipe lowerLayer(ImageRecipe top, boolean lowest, Random random) {
        while (true) {
            ImageRecipe layer = ImageRecipes.anyLayer(random);
            boolean fits = lowest
                    || (layer.dataFile() != DataFile.RAW
                            && (layer.preallocation() == Preallocation.OFF || layer.extendedL2()));
            // A small disk in tiny clusters and a large one would not meet in the same order of size.
            if (fits && layer.sizeBytes() / 4 <= top.sizeBytes()) {
                return layer;
            }
        }
    }

    private static List<Long> sizesFromTheTop(ImageRecipe recipe, Random random) {
        List<Long> sizes = new ArrayList<>(List.of(recipe.sizeBytes()));
        for (int depth = 1; depth < recipe.layers(); depth++) {
            long above = sizes.get(depth - 1);
            boolean lowest = depth == recipe.layers() - 1;
            long sectors = above / 512;
            sizes.add(
                    switch (recipe.below()) {
                        case SAME -> above;
                        case SHORTER -> 512 * (sectors - 1 - random.nextLong(sectors / 3));
                        case LONGER -> 512 * (sectors + 1 + random.nextLong(sectors / 3));
                        case UNALIGNED ->
                            512 * (sectors - 1 - random.nextLong(sectors / 3)) + (lowest ? 1 + random.nextInt(511) : 0);
                    });
        }
        return sizes;
    }

    private void create(Path file, ImageRecipe layer, long sizeBytes, List<String> backing) {
        List<String> options = new ArrayList<>(List.of(
                "compat=" + (layer.version() == 2 ? "0.10" : "1.1"),
                "cluster_size=" + layer.clusterBytes(),
                "preallocation=" + layer.preallocation().name().toLowerCase(Locale.ROOT)));
        if (layer.version() == 3) {
            options.add("refcount_bits=" + layer.refcountBits());
            options.add("extended_l2=" + (layer.extendedL2() ? "on" : "off"));
            options.add("compression_type=" + (layer.compression() == Compression.ZSTD ? "zstd" : "zlib"));
        }
        if (layer.dataFile() != DataFile.NONE) {
            options.add("data_file=" + file + ".data");
            options.add("data_file_raw=" + (layer.dataFile() == DataFile.RAW ? "on" : "off"));
        }
        List<String> flags = new ArrayList<>(List.of("-o", String.join(",", options)));
        flags.addAll(backing);
        qemu.create(file, Long.toString(sizeBytes), flags.toArray(new String[0]));
    }

    private void fill(Path file, ImageRecipe layer, long sizeBytes, boolean top, Random random) {
        if (top && layer.bitmaps()) {
            qemu.run("bitmap", "--add", "-g", "4096", file.toString(), "dirty").orFail();
            qemu.run("bitmap", "--add", "--disable", file.toString(), "still").orFail();
        }
        BitSet touched = new BitSet();
        write(file, layer, sizeBytes, touched, random);
        if (top && layer.snapshots()) {
            for (String name : List.of("one", "two", "three")) {
                qemu.run("snapshot", "-c", name, file.toString()).orFail();
                write(file, layer, sizeBytes, touched, random);
                if (name.equals("three")) {
                    // Leaves a gap in the ids, and clusters that have been shared and no longer are.
                    qemu.run("snapshot", "-d", "two", file.toString()).orFail();
                }
            }
        }
    }

    private void write(Path file, ImageRecipe layer, long sizeBytes, BitSet touched, Random random) {
        qemu.ioOn(IO_FLAGS, file, writes.commands(layer, sizeBytes, touched, random));
    }

    private void writeRaw(Path file, long sizeBytes, Random random) throws IOException {
        try (RandomAccessFile raw = new RandomAccessFile(file.toFile(), "rw")) {
            raw.setLength(sizeBytes);
            for (int i = 0; i < 6; i++) {
                long offset = i == 0 ? Math.max(0, sizeBytes - 5_000) : random.nextLong(sizeBytes);
                raw.seek(offset);
                raw.write(writes.pattern(random, (int) Math.min(1 + random.nextInt(400_000), sizeBytes - offset)));
            }
        }
    }

    /** Closing it gives its lock back. */
    private FileChannel gate(String name) throws IOException {
        return FileChannel.open(folder.resolve(name + ".gate"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    }

    /** Images made by other code are of no use and large. */
    private static void clearOthers(Path base, String today) throws IOException {
        if (!Files.exists(base)) {
            return;
        }
        try (Stream<Path> folders = Files.list(base)) {
            for (Path other : folders.toList()) {
                if (!other.getFileName().toString().equals(today)) {
                    clear(other);
                }
            }
        }
    }

    private static void clear(Path home) throws IOException {
        if (!Files.exists(home)) {
            return;
        }
        try (Stream<Path> files = Files.walk(home)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    /** Changes when the code that makes images changes. */
    private static String fingerprint() throws IOException {
        CRC32 sum = new CRC32();
        for (Class<?> code : List.of(QemuImages.class, GuestWrites.class, ImageRecipe.class, ImageRecipes.class)) {
            try (InputStream bytes = code.getResourceAsStream(code.getSimpleName() + ".class")) {
                sum.update(Objects.requireNonNull(bytes).readAllBytes());
            }
        }
        return Long.toHexString(sum.getValue());
    }
}
