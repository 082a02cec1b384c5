package dev.cowherd.cli;

import dev.cowherd.image.Preallocation;
import dev.cowherd.storage.CacheMode;
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

    /** The target's format and all that {@code -o}, {@code -B} and {@code -F} say of it; set once the arguments are checked. */
    @Nullable
    CreationOptions creation;

    @Nullable
    String backingFile;

    private String targetFormat = "raw";
    private final OptionList targetOptions = new OptionList();
    private @Nullable String backingFormat;
    private boolean compress;
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
            case "-B" -> backingFile = flags.value();
            case "-F" -> backingFormat = flags.value();
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
        if (!targetFormat.equals("raw") && !targetFormat.equals("qcow2")) {
            throw new CommandException("Unknown file format '" + targetFormat + "'");
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
        boolean raw = targetFormat.equals("raw");
        if (compress) {
            throw new CommandException(
                    raw ? "Compression not supported for this file format" : "convert -c is not implemented");
        }
        if (bitmaps) {
            throw new CommandException(
                    raw ? "Format driver 'raw' does not support bitmaps" : "convert --bitmaps is not implemented");
        }
        creation = creation(raw);
    }

    private CreationOptions creation(boolean raw) throws CommandException {
        CreationOptions options = CreationOptions.of(target, "", targetFormat, targetOptions.split());
        options.setBacking(backingFile, backingFormat);
        options.setContext(target + ": error while converting " + targetFormat + ": ");
        backingFile = options.backingFile();
        if (backingFile != null && options.backingFormat() == null && !noCreate) {
            throw new CommandException("Use of backing file requires explicit backing format");
        }
        if (raw && options.preallocation() != Preallocation.OFF) {
            throw new CommandException("-o preallocation is not implemented for raw; -S 0 allocates by writing zeros");
        }
        return options;
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
