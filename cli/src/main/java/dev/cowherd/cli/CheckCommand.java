package dev.cowherd.cli;

import dev.cowherd.check.CheckListener;
import dev.cowherd.check.CheckOptions;
import dev.cowherd.check.CheckReport;
import dev.cowherd.check.ImageCheck;
import dev.cowherd.check.ImageRepair;
import dev.cowherd.check.NeedsRebuildException;
import dev.cowherd.check.RepairMode;
import dev.cowherd.format.Header;
import dev.cowherd.format.ImageFormatException;
import dev.cowherd.storage.CacheMode;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.LockMode;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * {@code cowherd check}: checks one image, and with {@code -r} repairs it; flags, texts and exit codes are qemu-img's, and
 * {@code -p} shows progress. Only the image's own file is opened: no backing file and no data file, because neither is needed.
 */
final class CheckCommand implements Command {
    private static final int CORRUPT = 2;
    private static final int LEAKS = 3;
    private static final int NO_CHECK = 63;

    private @Nullable String format;
    private CacheMode cache = CacheMode.WRITEBACK;
    private OutputFormat output = OutputFormat.HUMAN;
    private boolean progress;
    private boolean quiet;
    private boolean forceShare;
    private @Nullable RepairMode repair;

    @Override
    public int run(Invocation in) throws Exception {
        String file = parse(in.args());
        if (format != null && !format.equals("qcow2") && !format.equals("raw")) {
            throw new CommandException("Could not open '" + file + "': Unknown driver '" + format + "'");
        }
        if (repair != null && forceShare) {
            throw new CommandException(
                    "Could not open '" + file + "': force-share=on can only be used with read-only images");
        }
        FileOptions options = (repair == null ? FileOptions.reading() : FileOptions.writing()).withCacheMode(cache);
        try (Storage storage = open(in, file, forceShare ? options.withLock(LockMode.NONE) : options)) {
            requireCheckable(storage, file);
            Told told = new Told(in.out(), in.err(), progress && !quiet);
            CheckReport report = repair == null ? check(storage, file, told) : repair(in, storage, file, told, repair);
            return answer(in, file, report);
        }
    }

    private String parse(List<String> args) throws CommandException {
        Flags flags = new Flags(
                args,
                "-f --format=",
                "-T --cache=",
                "-r --repair=",
                "-U --force-share",
                "-q --quiet",
                "-p --progress",
                "--output=",
                "--image-opts",
                "--object=");
        for (String flag = flags.next(); flag != null; flag = flags.next()) {
            switch (flag) {
                case "-f" -> format = flags.value();
                case "-T" -> cache = cacheMode(flags.value());
                case "-r" -> repair = repairMode(flags.value());
                case "-U" -> forceShare = true;
                case "-q" -> quiet = true;
                case "-p" -> progress = true;
                case "--output" -> output = OutputFormat.parse(flags.value());
                default -> throw new CommandException("check " + flag + " is not implemented");
            }
        }
        if (flags.operands().size() != 1) {
            throw new CommandException("Expecting one image file name");
        }
        return flags.operands().get(0);
    }

    private static CacheMode cacheMode(String name) throws CommandException {
        try {
            return CacheMode.parse(name);
        } catch (IllegalArgumentException e) {
            throw new CommandException("Invalid source cache option: " + name, e);
        }
    }

    private static RepairMode repairMode(String name) throws CommandException {
        return switch (name) {
            case "leaks" -> RepairMode.LEAKS;
            case "all" -> RepairMode.ALL;
            default -> throw new CommandException("--repair (-r) expects 'leaks' or 'all' not '" + name + "'");
        };
    }

    private static Storage open(Invocation in, String file, FileOptions options) throws CommandException {
        try {
            return FileStorage.open(in.path(file), options);
        } catch (IOException e) {
            throw Failures.couldNotOpen(file, e);
        }
    }

    /** Raw images have nothing that could be checked. A file without the magic is raw unless the user says otherwise. */
    private void requireCheckable(Storage storage, String file) throws IOException, CommandException {
        if ("raw".equals(format)) {
            throw new CommandException(NO_CHECK, "This image format does not support checks");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment prefix = arena.allocate(Header.PREFIX_BYTES);
            ByteBuffer read = prefix.asByteBuffer().limit((int) storage.read(0, prefix));
            if (!Header.hasMagic(read)) {
                throw format == null
                        ? new CommandException(NO_CHECK, "This image format does not support checks")
                        : new CommandException("Could not open '" + file + "': Image is not in qcow2 format");
            }
        }
    }

    private static CheckReport check(Storage storage, String file, Told told) throws IOException {
        try {
            return ImageCheck.run(storage, CheckOptions.defaults(), told);
        } catch (ImageFormatException e) {
            throw e.path() == null ? e.withPath(file) : e;
        } finally {
            told.end();
        }
    }

    /** Repairs, and if that changed anything checks what is there now. */
    private CheckReport repair(Invocation in, Storage storage, String file, Told told, RepairMode mode)
            throws IOException, CommandException {
        CheckReport repaired;
        try {
            repaired = ImageRepair.run(storage, mode, CheckOptions.defaults(), told);
        } catch (ImageFormatException e) {
            throw e.path() == null ? e.withPath(file) : e;
        } catch (NeedsRebuildException e) {
            throw new CommandException("Check failed: Input/output error", e);
        } finally {
            told.end();
        }
        if (!repaired.anythingFixed()) {
            return repaired;
        }
        if (!quiet && output == OutputFormat.HUMAN) {
            in.out().print(CheckText.repaired(repaired));
        }
        return check(storage, file, told).after(repaired);
    }

    private int answer(Invocation in, String file, CheckReport report) throws CommandException {
        if (!quiet) {
            in.out()
                    .print(
                            switch (output) {
                                case HUMAN -> CheckText.human(report);
                                case JSON -> CheckText.json(report, file);
                            });
        }
        if (report.checkErrors() > 0) {
            throw new CommandException("Check failed");
        }
        return report.corruptions() > 0 ? CORRUPT : report.leaks() > 0 ? LEAKS : 0;
    }

    /** Shows faults on the error stream at once, and progress in qemu-img's form, at most once a percent. */
    private static final class Told implements CheckListener {
        private final PrintStream out;
        private final PrintStream err;
        private final boolean shown;
        private double lastPercent = -1;

        Told(PrintStream out, PrintStream err, boolean shown) {
            this.out = out;
            this.err = err;
            this.shown = shown;
        }

        @Override
        public void found(String line) {
            err.println(line);
        }

        @Override
        public void progress(double fraction) {
            double percent = 100 * fraction;
            if (shown && (percent >= lastPercent + 1 || lastPercent < 0 || (fraction == 1 && percent > lastPercent))) {
                out.print("    (" + CheckText.hundredths(percent) + "/100%)\r");
                out.flush();
                lastPercent = percent;
            }
        }

        void end() {
            if (shown) {
                out.println();
                out.flush();
            }
        }
    }
}
