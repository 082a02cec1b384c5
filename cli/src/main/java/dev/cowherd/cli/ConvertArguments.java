package dev.cowherd.cli;

import dev.cowherd.storage.CacheMode;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The arguments of {@code convert}: qemu-img's, taken apart and checked with its words. */
final class ConvertArguments {
    private static final int LARGEST_SPARSE_BYTES = 16 << 20;
    private static final int MOST_QUEUES = 16;

    @Nullable
    String sourceFormat;

    @Nullable
    String snapshot;

    @Nullable
    String sourceCache;

    @Nullable
    String targetCache;

    boolean noCreate;
    boolean targetIsZero;
    boolean progress;
    boolean quiet;
    boolean forceShare;
    int sparseBytes = 4096;
    int queues = Runtime.getRuntime().availableProcessors();
    long bytesPerSecond;
    List<String> sources = List.of();
    String target = "";

    private String targetFormat = "raw";
    private final List<String> targetOptions = new ArrayList<>();
    private boolean compress;
    private boolean backing;
    private boolean bitmaps;

    static ConvertArguments parse(List<String> args) throws CommandException {
        ConvertArguments parsed = new ConvertArguments();
        Flags flags = new Flags(
                args,
                "-f --source-format=",
                "-O --target-format=",
                "-l --source-snapshot=",
                "-T --source-cache=",
                "-t --target-cache=",
                "-o --target-options=",
                "-B --backing=",
                "-F --backing-format=",
                "-S --sparse-size=",
                "-m --parallel=",
                "-r --rate=",
                "-n --no-create",
                "-p --progress",
                "-q --quiet",
                "-c --compress",
                "-U --force-share",
                "-W --oob-writes",
                "-C --copy-range-offloading",
                "--target-is-zero",
                "--bitmaps",
                "--skip-broken-bitmaps",
                "--salvage",
                "--image-opts --source-image-opts",
                "--target-image-opts",
                "--object=");
        for (String flag = flags.next(); flag != null; flag = flags.next()) {
            parsed.take(flag, flags);
        }
        parsed.check(flags.operands());
        return parsed;
    }

    private void take(String flag, Flags flags) throws CommandException {
        switch (flag) {
            case "-f" -> sourceFormat = flags.value();
            case "-O" -> targetFormat = flags.value();
            case "-l" -> snapshot = flags.value();
            case "-T" -> sourceCache = flags.value();
            case "-t" -> targetCache = flags.value();
            case "-o" -> targetOptions.add(flags.value());
            case "-B", "-F" -> backing = true;
            case "-S" -> sparseBytes = sparseSize(flags.value());
            case "-m" -> queues = parallel(flags.value());
            case "-r" -> bytesPerSecond = SizeArgument.parse("rate limit", flags.value());
            case "-n" -> noCreate = true;
            case "-p" -> progress = true;
            case "-q" -> quiet = true;
            case "-c" -> compress = true;
            case "-U" -> forceShare = true;
            case "-W", "-C", "--skip-broken-bitmaps" -> {} // hints: ranges are always written as they come
            case "--target-is-zero" -> targetIsZero = true;
            case "--bitmaps" -> bitmaps = true;
            default -> throw new CommandException("convert " + flag + " is not implemented");
        }
    }

    private void check(List<String> operands) throws CommandException {
        switch (targetFormat) {
            case "raw" -> {}
            case "qcow2" -> throw new CommandException("convert to qcow2 is not implemented yet; -O raw is");
            default -> throw new CommandException("Unknown file format '" + targetFormat + "'");
        }
        if (targetIsZero && !noCreate) {
            throw new CommandException("--target-is-zero requires use of -n flag");
        }
        if (noCreate && !targetOptions.isEmpty()) {
            throw new CommandException("-o has no effect when skipping image creation");
        }
        if (operands.size() < 2) {
            throw new CommandException("Must specify image file name");
        }
        sources = operands.subList(0, operands.size() - 1);
        target = operands.getLast();
        if (sources.size() > 1 && snapshot != null) {
            throw new CommandException("No support for concatenating multiple snapshot");
        }
        if (compress) {
            throw new CommandException("Compression not supported for this file format");
        }
        if (backing) {
            throw new CommandException("Backing file not supported for file format 'raw'");
        }
        if (bitmaps) {
            throw new CommandException("Format driver 'raw' does not support bitmaps");
        }
        for (String list : targetOptions) {
            for (String option : list.split(",", -1)) {
                checkTargetOption(option);
            }
        }
    }

    private static void checkTargetOption(String option) throws CommandException {
        int equals = option.indexOf('=');
        String name = equals < 0 ? option : option.substring(0, equals);
        switch (name) {
            case "size" -> {} // the source's size counts, as for qemu-img
            case "preallocation" -> {
                if (!option.equals("preallocation=off")) {
                    throw new CommandException("-o " + option + " is not implemented; -S 0 allocates by writing zeros");
                }
            }
            case "nocow", "extent_size_hint" -> throw new CommandException("-o " + option + " is not implemented");
            default -> throw new CommandException("Invalid parameter '" + name + "'");
        }
    }

    /** The cache mode of the target. When we say it is done, it is on the disk; qemu-img's default, {@code unsafe}, does not wait. */
    CacheMode targetCacheMode() throws CommandException {
        return targetCache == null
                ? CacheMode.WRITEBACK
                : CacheArgument.parse(targetCache, "Invalid cache option: " + targetCache);
    }

    private static int sparseSize(String text) throws CommandException {
        long bytes = SizeArgument.parse("buffer size for sparse output", text);
        if (bytes % 512 != 0 || bytes > LARGEST_SPARSE_BYTES) {
            throw new CommandException(
                    "Invalid buffer size for sparse output specified. Valid sizes are multiples of 512" + " up to "
                            + LARGEST_SPARSE_BYTES
                            + ". Select 0 to disable sparse detection (fully allocates output).");
        }
        return (int) bytes;
    }

    private static int parallel(String text) throws CommandException {
        try {
            int number = Integer.parseInt(text);
            if (number >= 1 && number <= MOST_QUEUES) {
                return number;
            }
        } catch (NumberFormatException e) {
            throw new CommandException("Invalid number of coroutines specified: '" + text + "'.", e);
        }
        throw new CommandException(
                "Invalid number of coroutines specified. Must be between 1 and " + MOST_QUEUES + ".");
    }
}
