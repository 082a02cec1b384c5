package dev.cowherd.proof;

import dev.cowherd.testkit.QemuImg;
import dev.cowherd.testkit.lab.ModelDisk;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** An image of one shape as QEMU makes it, with what it holds at the start; made once, copied for each run. */
final class Template {
    private static final Map<Shape, Template> MADE = new ConcurrentHashMap<>();

    final Shape shape;
    final Path folder;
    final Path top;
    final @Nullable Path data;
    final @Nullable Path base;
    /** Every file of it. */
    final List<Path> files = new ArrayList<>();

    private final List<Region> regions = new ArrayList<>();

    /** Guest bytes that are there at the start. */
    private record Region(long offset, long length) {}

    private Template(Shape shape, Path folder) {
        this.shape = shape;
        this.folder = folder;
        this.top = folder.resolve("top.qcow2");
        this.data = shape.data() == Shape.Data.INSIDE ? null : folder.resolve("top.data");
        this.base = shape.below() == Shape.Below.NONE ? null : folder.resolve("base.img");
    }

    /** The image of a shape; made by the first who asks. */
    static Template of(Shape shape) {
        return MADE.computeIfAbsent(shape, Template::make);
    }

    private static Template make(Shape shape) {
        try {
            Path root = Path.of(System.getProperty("java.io.tmpdir"), "proof");
            Files.createDirectories(root);
            Template template = new Template(shape, Files.createTempDirectory(root, shape + "-"));
            template.build();
            return template;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Tells a model what the disk holds at the start; stamps are drawn in the same order each time. */
    void tell(ModelDisk model) {
        for (Region region : regions) {
            model.holds(region.offset, MemorySegment.ofArray(new byte[Math.toIntExact(region.length)]));
        }
    }

    private void build() throws IOException {
        QemuImg qemu = QemuImg.v10();
        long size = shape.sizeBytes();
        // As many models as layers: what is told last hides what was told before, as the layers do.
        ModelDisk model = ModelDisk.ofZeros(2 * size);
        List<String> options = new ArrayList<>(List.of("-o", optionText()));
        if (base != null) {
            buildBase(qemu, model, base);
            boolean raw = shape.below() == Shape.Below.RAW || shape.below() == Shape.Below.SHORT;
            options.addAll(List.of("-b", base.getFileName().toString(), "-F", raw ? "raw" : "qcow2"));
        }
        qemu.create(top, Long.toString(size), options.toArray(String[]::new));
        files.add(top);
        if (data != null) {
            files.add(data);
        }
        List<String> commands = new ArrayList<>();
        long cluster = shape.clusterBytes();
        String flags = shape.packing() == Shape.Packing.NONE ? "" : "-c ";
        own(model, 0, 2 * cluster, flags, commands);
        own(model, 5 * cluster, 3 * cluster, flags, commands);
        own(model, 2 * cluster, cluster, "", commands);
        qemu.io(top, commands);
        if (shape.snapshot()) {
            qemu.run("snapshot", "-c", "first", top.toString()).orFail();
            commands.clear();
            own(model, cluster, cluster, "", commands);
            qemu.io(top, commands);
        }
    }

    private String optionText() {
        return "compat=" + (shape.version() == 2 ? "0.10" : "1.1") + ",cluster_size=" + shape.clusterBytes()
                + (shape.refcountOrder() == 4 ? "" : ",refcount_bits=" + (1 << shape.refcountOrder()))
                + (shape.extended() ? ",extended_l2=on" : "")
                + (shape.packing() == Shape.Packing.ZSTD ? ",compression_type=zstd" : "")
                + (data == null ? "" : ",data_file=" + data)
                + (shape.data() == Shape.Data.RAW_FILE ? ",data_file_raw=on" : "")
                + (shape.room() == Shape.Room.OFF
                        ? ""
                        : ",preallocation=" + shape.room().name().toLowerCase(Locale.ROOT))
                + (shape.lazy() ? ",lazy_refcounts=on" : "");
    }

    /** Has QEMU write a region of the top image, as far as the disk reaches. */
    private void own(ModelDisk model, long offset, long length, String flags, List<String> commands)
            throws IOException {
        long within = Math.min(length, shape.sizeBytes() / shape.clusterBytes() * shape.clusterBytes() - offset);
        if (within > 0) {
            writes(model, offset, within, shape.clusterBytes(), flags, commands);
        }
    }

    /** What an image of some cluster size is to be written; a compressed write is one cluster at a time. */
    private void writes(ModelDisk model, long offset, long length, long cluster, String flags, List<String> commands)
            throws IOException {
        Path content = folder.resolve("content-" + regions.size());
        stamped(model, offset, length, content);
        long step = flags.isEmpty() ? length : cluster;
        for (long at = 0; at < length; at += step) {
            Path piece = content;
            if (step < length) {
                piece = folder.resolve(content.getFileName() + "-" + at);
                byte[] all = Files.readAllBytes(content);
                Files.write(piece, Arrays.copyOfRange(all, (int) at, (int) Math.min(at + step, length)));
            }
            commands.add("write " + flags + "-s " + piece + " " + (offset + at) + " " + Math.min(step, length - at));
        }
    }

    private void stamped(ModelDisk model, long offset, long length, Path file) throws IOException {
        byte[] bytes = new byte[Math.toIntExact(length)];
        model.holds(offset, MemorySegment.ofArray(bytes));
        regions.add(new Region(offset, length));
        Files.write(file, bytes);
    }

    /** Data in the first three quarters, a hole behind them; the short one ends there. */
    private void buildBase(QemuImg qemu, ModelDisk model, Path image) throws IOException {
        files.add(image);
        if (shape.below() == Shape.Below.DEEP) {
            buildDeep(qemu, model, image);
            return;
        }
        long size = shape.sizeBytes();
        long filled = size * 3 / 4 / 512 * 512;
        Path raw = folder.resolve("base.raw");
        stamped(model, 0, filled, raw);
        long baseSize = switch (shape.below()) {
            case SHORT -> filled;
            case LONG -> size + shape.clusterBytes();
            case NONE, RAW, QCOW2, PACKED, DEEP -> size;
        };
        try (java.nio.channels.FileChannel channel =
                java.nio.channels.FileChannel.open(raw, StandardOpenOption.WRITE)) {
            if (baseSize > filled) {
                channel.write(java.nio.ByteBuffer.allocate(1), baseSize - 1);
            }
        }
        switch (shape.below()) {
            case RAW, SHORT -> Files.move(raw, image);
            case QCOW2, LONG -> qemu.convert(raw, image, "-O", "qcow2");
            case PACKED -> qemu.convert(raw, image, "-c", "-O", "qcow2");
            case NONE, DEEP -> throw new IllegalStateException("no base of one layer");
        }
    }

    /** Each layer has bytes of its own, some over those below, so that every one of them is read. */
    private void buildDeep(QemuImg qemu, ModelDisk model, Path image) throws IOException {
        long size = shape.sizeBytes();
        long upmost = size * 7 / 8 / 512 * 512 + 512;
        Path raw = folder.resolve("deep.raw");
        stamped(model, 0, upmost, raw);
        // What the upmost layer is too short for must never be seen.
        byte[] hidden = new byte[Math.toIntExact(size - upmost)];
        Arrays.fill(hidden, (byte) 0x5a);
        Files.write(raw, hidden, StandardOpenOption.APPEND);
        files.add(raw);
        Path zlib = folder.resolve("deep.zlib");
        layer(qemu, zlib, size, "cluster_size=4k", raw, "raw");
        Path zstd = folder.resolve("deep.zstd");
        layer(qemu, zstd, size, "cluster_size=4k,compression_type=zstd", zlib, "qcow2");
        layer(qemu, image, upmost, "cluster_size=8k", zstd, "qcow2");
        long cluster = 4096;
        long middle = size / 2 & -cluster;
        List<String> commands = new ArrayList<>();
        writes(model, 3 * cluster, 6 * cluster, cluster, "-c ", commands);
        writes(model, middle, 6 * cluster, cluster, "-c ", commands);
        qemu.io(zlib, commands);
        commands.clear();
        writes(model, 6 * cluster, 6 * cluster, cluster, "-c ", commands);
        writes(model, middle + 3 * cluster, 6 * cluster, cluster, "-c ", commands);
        qemu.io(zstd, commands);
        commands.clear();
        writes(model, 9 * cluster + 512, cluster, 2 * cluster, "", commands);
        qemu.io(image, commands);
    }

    private void layer(QemuImg qemu, Path image, long size, String options, Path below, String format) {
        qemu.create(
                image,
                Long.toString(size),
                "-o",
                options,
                "-b",
                below.getFileName().toString(),
                "-F",
                format);
        if (!image.equals(base)) {
            files.add(image);
        }
    }
}
