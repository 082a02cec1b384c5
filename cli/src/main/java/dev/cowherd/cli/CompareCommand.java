package dev.cowherd.cli;

import dev.cowherd.cli.compare.ComparedDisk;
import dev.cowherd.cli.compare.Comparison;
import dev.cowherd.cli.compare.Finding;
import dev.cowherd.cli.disk.SectorDisk;
import dev.cowherd.cli.parallel.Progress;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.storage.CacheMode;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code cowherd compare}: whether a guest sees the same on two images; texts and exit codes are qemu-img's. */
final class CompareCommand implements Command {
    /** An image cannot be opened. */
    private static final int OPEN_FAILED = 2;

    private @Nullable String formatA;
    private @Nullable String formatB;
    private @Nullable String cache;
    private boolean strict;
    private boolean progress;
    private boolean quiet;
    private boolean forceShare;

    @Override
    public int run(Invocation in) throws Exception {
        List<String> files = parse(in.args());
        String a = files.get(0);
        String b = files.get(1);
        CacheMode cacheMode = cache == null
                ? CacheMode.WRITEBACK
                : CacheArgument.parse(cache, "Invalid source cache option: " + cache, OPEN_FAILED);
        DiskOptions options = in.diskOptions()
                .withForceShare(forceShare)
                .withCacheMode(cacheMode)
                .withWarnings(in::warn);
        try (Disk diskA = open(in, a, options, formatA);
                Disk diskB = open(in, b, options, formatB)) {
            return compare(in, compared(a, diskA), compared(b, diskB));
        }
    }

    private List<String> parse(List<String> args) throws CommandException {
        Flags flags = new Flags(
                args,
                "-f --a-format=",
                "-F --b-format=",
                "-T --cache=",
                "-s --strict",
                "-p --progress",
                "-q --quiet",
                "-U --force-share",
                "--image-opts",
                "--object=");
        for (String flag = flags.next(); flag != null; flag = flags.next()) {
            switch (flag) {
                case "-f" -> formatA = flags.value();
                case "-F" -> formatB = flags.value();
                case "-T" -> cache = flags.value();
                case "-s" -> strict = true;
                case "-p" -> progress = true;
                case "-q" -> quiet = true;
                case "-U" -> forceShare = true;
                default -> throw new CommandException("compare " + flag + " is not implemented");
            }
        }
        if (flags.operands().size() != 2) {
            throw new CommandException("Expecting two image file names");
        }
        return flags.operands();
    }

    private static Disk open(Invocation in, String file, DiskOptions options, @Nullable String format)
            throws CommandException {
        try {
            DiskOptions own = format == null ? options : options.withFormat(DiskArguments.format(format));
            return DiskArguments.open(in, file, own);
        } catch (CommandException e) {
            throw new CommandException(OPEN_FAILED, String.valueOf(e.getMessage()), e);
        }
    }

    private static ComparedDisk compared(String file, Disk disk) {
        return new ComparedDisk(file, new SectorDisk(List.of(disk)));
    }

    private int compare(Invocation in, ComparedDisk a, ComparedDisk b) throws IOException, CommandException {
        long sizeA = a.disk().sizeBytes();
        long sizeB = b.disk().sizeBytes();
        Progress shown = new Progress(in.out(), progress && !quiet, Math.max(sizeA, sizeB));
        try {
            if (strict && sizeA != sizeB) {
                say(in, "Strict mode: Image size mismatch!");
                return 1;
            }
            int queues = Runtime.getRuntime().availableProcessors();
            Comparison comparison = new Comparison(a, b, strict, queues, shown);
            Finding finding = comparison.compareCommonPart();
            if (finding == null && sizeA != sizeB) {
                say(in, "Warning: Image size mismatch!");
                finding = comparison.compareExcess();
            }
            if (finding != null) {
                return answer(in, finding);
            }
            shown.complete();
            say(in, "Images are identical.");
            return 0;
        } finally {
            shown.end();
        }
    }

    private int answer(Invocation in, Finding finding) throws CommandException {
        return switch (finding.kind()) {
            case DIFFERENCE -> {
                say(in, finding.text());
                yield finding.kind().exitCode();
            }
            case STATUS_FAILED, READ_FAILED ->
                throw new CommandException(finding.kind().exitCode(), finding.text());
        };
    }

    private void say(Invocation in, String line) {
        if (!quiet) {
            in.out().println(line);
        }
    }
}
