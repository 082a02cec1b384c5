package dev.cowherd.cli;

import dev.cowherd.format.BitmapEntry;
import dev.cowherd.format.Header;
import dev.cowherd.image.BlockStatus;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import dev.cowherd.image.Layer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code measure}: the space that a new image of a size, or with the contents of an image, takes. */
final class MeasureCommand implements Command {
    private static final long SECTOR_BYTES = 512;

    private String targetFormat = "raw";
    private String creation = "";
    private @Nullable Long sizeBytes;
    private DiskOptions source = DiskOptions.defaults();
    private boolean sourceGiven;
    private OutputFormat output = OutputFormat.HUMAN;

    @Override
    public int run(Invocation in) throws IOException, CommandException {
        source = in.diskOptions();
        Flags flags = new Flags(
                in.args(),
                "-f= --format= --source-format=",
                "-O= --target-format=",
                "-o= --options=",
                "-l= --snapshot=",
                "--size= -s=",
                "-U --force-share",
                "--output=",
                "--image-opts",
                "--object=",
                "-h --help");
        for (String flag = flags.next(); flag != null; flag = flags.next()) {
            switch (flag) {
                case "-f" -> source = source.withFormat(DiskArguments.format(flags.value()));
                case "-O" -> targetFormat = flags.value();
                case "-o" -> addCreation(flags.value());
                case "-l" -> source = source.withSnapshot(DiskArguments.snapshot(flags.value()));
                case "-U" -> source = source.withForceShare(true);
                case "--size" -> sizeBytes = SizeArgument.parse("image size", flags.value());
                case "--output" -> output = OutputFormat.parse(flags.value());
                case "-h" -> {
                    return new HelpCommand().run(in);
                }
                default -> throw flags.notSupported(flag);
            }
            sourceGiven |= flag.equals("-f") || flag.equals("-l");
        }
        print(in, measure(in, flags.operands()));
        return 0;
    }

    private void addCreation(String options) throws CommandException {
        if (options.isEmpty() || options.startsWith(",") || options.endsWith(",")) {
            throw new CommandException("Invalid option list: " + options);
        }
        creation = creation.isEmpty() ? options : creation + "," + options;
    }

    private Need measure(Invocation in, List<String> operands) throws IOException, CommandException {
        Long size = sizeBytes;
        if (operands.size() > 1) {
            throw new CommandException("At most one filename argument is allowed.");
        }
        if (size != null && !operands.isEmpty()) {
            throw new CommandException("--size N cannot be used together with a filename.");
        }
        if (size == null && operands.isEmpty()) {
            throw new CommandException("Either --size N or one filename must be specified.");
        }
        if (size != null && sourceGiven) {
            throw new CommandException("--image-opts, -f, or -l can only be used with a filename argument.");
        }
        Qcow2Target target = target();
        if (size != null) {
            return target == null
                    ? Need.ofRaw(Math.ceilDiv(size, SECTOR_BYTES) * SECTOR_BYTES)
                    : Need.of(target, target.roundedGuestBytes(size), 0, -1);
        }
        try (Disk disk = DiskArguments.open(in, operands.get(0), source)) {
            return target == null ? Need.ofRaw(disk.sizeBytes()) : needOf(disk, target);
        }
    }

    private @Nullable Qcow2Target target() throws CommandException {
        return switch (targetFormat) {
            case "qcow2" -> Qcow2Target.parse(creation);
            case "raw" -> {
                refuseOptionsOfRaw();
                yield null;
            }
            default -> throw new CommandException("Unknown file format '" + targetFormat + "'");
        };
    }

    private void refuseOptionsOfRaw() throws CommandException {
        for (String name : Qcow2Target.split(creation).keySet()) {
            if (!name.equals("preallocation") && !name.equals("size")) {
                throw new CommandException("Invalid parameter '" + name + "'");
            }
        }
    }

    /** Data costs the clusters it touches; what reads as zeros costs nothing. */
    private static Need needOf(Disk disk, Qcow2Target target) throws IOException, CommandException {
        long size = disk.sizeBytes();
        long rounded = target.roundedGuestBytes(size);
        long cluster = target.clusterBytes();
        long data = 0;
        if (target.hasBackingFile()) {
            data = rounded; // How much of it the new backing file holds is not known: none, at the worst.
        } else {
            try (DiskQueue queue = disk.openQueue()) {
                for (long at = 0; at < size; ) {
                    BlockStatus status = queue.status(at, size - at);
                    long end = at + status.length();
                    if (status.data() && !status.zero()) {
                        end = Math.ceilDiv(end, cluster) * cluster;
                        data += end - at / cluster * cluster;
                    }
                    at = end;
                }
            }
        }
        return Need.of(target, rounded, data, bitmapBytes(disk, target));
    }

    private static long bitmapBytes(Disk disk, Qcow2Target target) throws CommandException, IOException {
        Layer top = disk.layers().get(0);
        Header header = top.header();
        if (target.version() < 3 || header == null || header.version() < 3) {
            return -1;
        }
        List<BitmapEntry> kept = new ArrayList<>();
        for (BitmapEntry bitmap : ImageInspector.bitmaps(top.storage(), header)) {
            if (!bitmap.inUse()) {
                kept.add(bitmap);
            }
        }
        int[] granularityBits = new int[kept.size()];
        int[] nameBytes = new int[kept.size()];
        for (int i = 0; i < kept.size(); i++) {
            granularityBits[i] = kept.get(i).granularityBits();
            nameBytes[i] = kept.get(i).name().getBytes(StandardCharsets.UTF_8).length;
        }
        return target.bitmapBytes(disk.sizeBytes(), granularityBits, nameBytes);
    }

    private void print(Invocation in, Need need) {
        if (output == OutputFormat.JSON) {
            JsonWriter json = new JsonWriter().beginObject();
            if (need.bitmapBytes >= 0) {
                json.member("bitmaps", need.bitmapBytes);
            }
            json.member("required", need.requiredBytes).member("fully-allocated", need.fullBytes);
            in.out().print(json.endObject());
        } else {
            in.out().print("required size: " + need.requiredBytes + "\nfully allocated size: " + need.fullBytes + "\n");
            if (need.bitmapBytes >= 0) {
                in.out().print("bitmaps size: " + need.bitmapBytes + "\n");
            }
        }
    }

    /**
     * The answer.
     *
     * @param requiredBytes the file's length with the source's data in it
     * @param fullBytes its length with every cluster allocated
     * @param bitmapBytes what copies of the source's bitmaps take on top, -1 if that is no question
     */
    private record Need(long requiredBytes, long fullBytes, long bitmapBytes) {
        static Need ofRaw(long bytes) {
            return new Need(bytes, bytes, -1);
        }

        static Need of(Qcow2Target target, long guestBytes, long dataBytes, long bitmapBytes) {
            long full = target.fullyAllocatedBytes(guestBytes);
            return new Need(
                    full - guestBytes + (target.fullyPreallocated() ? guestBytes : dataBytes), full, bitmapBytes);
        }
    }
}
