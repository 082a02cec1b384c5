package dev.cowherd.cli;

import dev.cowherd.cli.bench.BenchResult;
import dev.cowherd.cli.bench.BenchRun;
import dev.cowherd.cli.bench.BenchSettings;
import dev.cowherd.cli.bench.Profile;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Engine;
import dev.cowherd.image.RequestQueue;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** {@code cowherd bench}: how fast an image is read or written; qemu-img's flags and first lines, and more of both. */
final class BenchCommand implements Command {
    private static final double MEBIBYTE = 1 << 20;
    private static final double P50 = 50;
    private static final double P99 = 99;
    private static final double P999 = 99.9;
    private static final int MOST_QUEUES = 1024;

    private @Nullable String format;
    private @Nullable String cache;
    private Engine engine = Engine.AUTO;
    private boolean forceShare;
    private boolean quiet;
    private boolean random;
    private boolean json;
    private boolean drain = true;
    private boolean profile;
    private boolean write;
    private int pattern;
    private int flushInterval;
    private int count = 75_000;
    private int depth = 64;
    private int queues = 1;
    private int bufferBytes = 4096;
    private long stepBytes;
    private long offset;
    private @Nullable Duration runtime;
    private @Nullable Duration warmupAsked;

    @Override
    public int run(Invocation in) throws Exception {
        String file = parse(in.args());
        DiskOptions options = in.diskOptions()
                .withFormat(format == null ? null : DiskArguments.format(format))
                .withForceShare(forceShare)
                .withWritable(write)
                .withEngine(engine)
                .withWarnings(in::warn);
        if (cache != null) {
            options = options.withCacheMode(CacheArgument.parse(cache, "Invalid cache mode"));
        }
        try (Disk disk = DiskArguments.open(in, file, options)) {
            if (offset > disk.sizeBytes() - bufferBytes) {
                throw new CommandException("a request of " + bufferBytes + " bytes at offset " + offset
                        + " does not fit on the disk of " + disk.sizeBytes() + " bytes");
            }
            BenchSettings settings = new BenchSettings(
                    write,
                    pattern,
                    flushInterval,
                    drain,
                    queues,
                    inFlight(disk),
                    count,
                    runtime,
                    warmup(),
                    bufferBytes,
                    stepBytes,
                    offset,
                    random);
            if (!json) {
                announce(in.out(), settings);
            }
            try (Profile recorded = profile ? Profile.start() : null) {
                BenchResult result = new BenchRun(disk, settings).run();
                if (json) {
                    in.out().print(jsonOf(result));
                } else {
                    report(in.out(), result);
                }
                if (recorded != null) {
                    recorded.print(json ? in.err() : in.out());
                }
            }
        }
        return 0;
    }

    private String parse(List<String> args) throws CommandException {
        Flags flags = new Flags(
                args,
                "-f --format=",
                "-t --cache=",
                "-c --count=",
                "-d --depth=",
                "-o --offset=",
                "-s --buffer-size=",
                "-S --step-size=",
                "-i --aio=",
                "-n --native",
                "-q --quiet",
                "-U --force-share",
                "-w --write",
                "--pattern=",
                "--flush-interval=",
                "--no-drain",
                "--image-opts",
                "--engine=",
                "--queues=",
                "--random",
                "--runtime=",
                "--warmup=",
                "--profile",
                "--output=");
        for (String flag = flags.next(); flag != null; flag = flags.next()) {
            take(flag, flags);
        }
        if (flags.operands().size() != 1) {
            throw new CommandException("Expecting one image file name");
        }
        checkWriting();
        if (stepBytes == 0) {
            stepBytes = bufferBytes;
        }
        return flags.operands().getFirst();
    }

    private void take(String flag, Flags flags) throws CommandException {
        switch (flag) {
            case "-f" -> format = flags.value();
            case "-t" -> cache = flags.value();
            case "-c" -> count = number(flags.value(), "request count", 1);
            case "-d" -> depth = depth(flags.value());
            case "-o" -> offset = SizeArgument.parse("offset", flags.value());
            case "-s" -> bufferBytes = number(flags.value(), "buffer size", 1);
            case "-S" -> stepBytes = number(flags.value(), "step size", 0);
            case "-i" -> checkAio(flags.value());
            case "-n" -> {} // QEMU's native AIO, "if possible": --engine says more
            case "-q" -> quiet = true;
            case "-U" -> forceShare = true;
            case "-w" -> write = true;
            case "--pattern" -> pattern = patternByte(flags.value());
            case "--flush-interval" -> flushInterval = number(flags.value(), "flush interval", 0);
            case "--no-drain" -> drain = false;
            case "--engine" -> engine = EngineArgument.parse(flags.value());
            case "--queues" -> queues = queues(flags.value());
            case "--random" -> random = true;
            case "--runtime" -> runtime = seconds(flags.value(), "runtime");
            case "--warmup" -> warmupAsked = seconds(flags.value(), "warmup");
            case "--profile" -> profile = true;
            case "--output" -> json = isJson(flags.value());
            default -> throw new CommandException("bench " + flag + " is not implemented");
        }
    }

    private void checkWriting() throws CommandException {
        if (!write && flushInterval != 0) {
            throw new CommandException("--flush-interval is only available in write tests");
        }
        if (flushInterval != 0 && flushInterval < depth) {
            throw new CommandException("Flush interval can't be smaller than depth");
        }
        if (write && forceShare) {
            throw new CommandException("force-share=on can only be used with read-only images");
        }
    }

    private int inFlight(Disk disk) throws IOException {
        return disk.queueEngine(depth) == Engine.SYNC ? 0 : depth;
    }

    /** Writes of a warm-up would allocate what the measured ones are meant to, so there is none unless it is asked for. */
    private Duration warmup() {
        if (warmupAsked != null) {
            return warmupAsked;
        }
        return write ? Duration.ZERO : Duration.ofSeconds(1);
    }

    private void announce(PrintStream out, BenchSettings settings) {
        String kind = write ? "write" : "read";
        Duration warmup = warmup();
        String order = random ? "random offsets" : "starting at offset " + offset + ", step size " + stepBytes;
        if (runtime == null) {
            out.printf(
                    Locale.ROOT,
                    "Sending %d %s requests, %d bytes each, %d in parallel (%s)%n",
                    count,
                    kind,
                    bufferBytes,
                    depth,
                    order);
        } else {
            out.printf(
                    Locale.ROOT,
                    "Sending %s requests for %s seconds, %d bytes each, %d in parallel (%s)%n",
                    kind,
                    inSeconds(runtime),
                    bufferBytes,
                    depth,
                    order);
        }
        if (flushInterval != 0) {
            out.printf(Locale.ROOT, "Sending flush every %d requests%n", flushInterval);
        }
        out.printf(
                Locale.ROOT,
                "%d %s, %s; %s%n",
                queues,
                queues == 1 ? "queue" : "queues",
                settings.depth() == 0
                        ? "sync engine: a queue performs its requests one after another"
                        : "ring engine: each with up to " + settings.depth() + " in flight",
                warmup.isZero() ? "no warm-up" : inSeconds(warmup) + " s of warm-up not counted");
        out.flush();
    }

    private void report(PrintStream out, BenchResult result) {
        out.printf(Locale.ROOT, "Run completed in %.3f seconds.%n", result.seconds());
        if (quiet) {
            return;
        }
        out.printf(
                Locale.ROOT,
                "%d requests, %.0f IOPS, %.1f MiB/s%n",
                result.requests(),
                result.iops(),
                result.bytesPerSecond() / MEBIBYTE);
        out.printf(
                Locale.ROOT,
                "Latency in µs: p50 %.2f, p99 %.2f, p99.9 %.2f, max %.2f%n",
                result.latencyMicros(P50),
                result.latencyMicros(P99),
                result.latencyMicros(P999),
                result.maxLatencyMicros());
    }

    private static String jsonOf(BenchResult result) {
        return new JsonWriter()
                .beginObject()
                .member("iops", Math.round(result.iops() * 10) / 10.0)
                .member("bytes_per_second", Math.round(result.bytesPerSecond()))
                .member("requests", result.requests())
                .member("seconds", result.seconds())
                .key("latency_us")
                .beginObject()
                .member("p50", result.latencyMicros(P50))
                .member("p99", result.latencyMicros(P99))
                .member("p999", result.latencyMicros(P999))
                .member("max", result.maxLatencyMicros())
                .endObject()
                .endObject()
                .toString();
    }

    private static String inSeconds(Duration duration) {
        double seconds = duration.toNanos() / 1e9;
        return seconds == Math.rint(seconds) ? Long.toString((long) seconds) : Double.toString(seconds);
    }

    private static boolean isJson(String output) throws CommandException {
        return switch (output) {
            case "json" -> true;
            case "human" -> false;
            default -> throw new CommandException("--output must be used with human or json as argument.");
        };
    }

    private static void checkAio(String name) throws CommandException {
        switch (name) {
            case "threads", "native", "io_uring" -> {} // accepted for scripts' sake: they are QEMU's engines
            default -> throw new CommandException("Invalid aio option: " + name);
        }
    }

    private static int number(String text, String what, int least) throws CommandException {
        long number = SizeArgument.parse(what, text);
        if (number < least || number > Integer.MAX_VALUE) {
            throw new CommandException(
                    "Invalid " + what + " specified. Must be between " + least + " and " + Integer.MAX_VALUE + ".");
        }
        return (int) number;
    }

    private static int patternByte(String text) throws CommandException {
        long number = SizeArgument.parse("pattern byte", text);
        if (number < 0 || number > 0xff) {
            throw new CommandException("Invalid pattern byte specified. Must be between 0 and 255.");
        }
        return (int) number;
    }

    private static int queues(String text) throws CommandException {
        int number = number(text, "number of queues", 1);
        if (number > MOST_QUEUES) {
            throw new CommandException(
                    "Invalid number of queues specified. Must be between 1 and " + MOST_QUEUES + ".");
        }
        return number;
    }

    private static int depth(String text) throws CommandException {
        int number = number(text, "queue depth", 1);
        if (number >= RequestQueue.MAX_DEPTH) {
            throw new CommandException(
                    "Invalid queue depth specified. Must be between 1 and " + (RequestQueue.MAX_DEPTH - 1) + ".");
        }
        return number;
    }

    private static Duration seconds(String text, String what) throws CommandException {
        try {
            double seconds = Double.parseDouble(text);
            if (seconds >= 0 && seconds <= 1e6) {
                return Duration.ofNanos(Math.round(seconds * 1e9));
            }
        } catch (NumberFormatException e) {
            throw new CommandException("Invalid " + what + " specified: '" + text + "' is not a number of seconds.", e);
        }
        throw new CommandException("Invalid " + what + " specified. Must be between 0 and 1000000 seconds.");
    }
}
