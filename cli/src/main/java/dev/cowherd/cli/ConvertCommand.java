package dev.cowherd.cli;

import dev.cowherd.cli.convert.Conversion;
import dev.cowherd.cli.convert.ConvertTarget;
import dev.cowherd.cli.convert.RawTarget;
import dev.cowherd.cli.convert.TargetTooSmallException;
import dev.cowherd.cli.disk.SectorDisk;
import dev.cowherd.cli.parallel.Progress;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Layer;
import dev.cowherd.storage.CacheMode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** {@code cowherd convert}: what a guest sees of one or more images, written to a raw file, a device or a QCOW2 image. */
final class ConvertCommand implements Command {
    @Override
    public int run(Invocation in) throws Exception {
        ConvertArguments args = ConvertArguments.parse(in.args());
        CacheMode targetCache = args.targetCacheMode();
        List<Disk> disks = new ArrayList<>();
        try {
            DiskOptions options = sourceOptions(in, args).withWarnings(in::warn);
            for (String source : args.sources) {
                disks.add(openSource(in, source, options, args));
            }
            Path target = in.path(args.target);
            refuseSources(disks, target, args.target);
            SectorDisk source = new SectorDisk(disks);
            convert(in, source, target, targetCache, args);
            return 0;
        } finally {
            closeAll(disks);
        }
    }

    private static DiskOptions sourceOptions(Invocation in, ConvertArguments args) throws CommandException {
        DiskOptions options = in.diskOptions().withForceShare(args.forceShare);
        if (args.sourceFormat != null) {
            options = options.withFormat(DiskArguments.format(args.sourceFormat));
        }
        if (args.sourceCache != null) {
            String complaint = "Invalid source cache option: " + args.sourceCache;
            options = options.withCacheMode(CacheArgument.parse(args.sourceCache, complaint));
        }
        return options;
    }

    private static Disk openSource(Invocation in, String source, DiskOptions options, ConvertArguments args)
            throws IOException, CommandException {
        if (args.snapshot == null) {
            return DiskArguments.open(in, source, options);
        }
        String id;
        try (Disk current = DiskArguments.open(in, source, options)) {
            id = SnapshotArgument.idOf(
                    args.snapshot, current.layers().getFirst().snapshots());
        }
        return DiskArguments.open(in, source, options.withSnapshot(id));
    }

    /** Writing into any file of a source's chain would destroy what is being read. */
    private static void refuseSources(List<Disk> disks, Path target, String name) throws IOException, CommandException {
        if (!Files.exists(target)) {
            return;
        }
        for (Disk disk : disks) {
            for (Layer layer : disk.layers()) {
                if (isSame(layer.storage().name(), target)) {
                    throw new CommandException(name + ": the target is one of the files that the source is read from");
                }
            }
        }
    }

    private static boolean isSame(String file, Path target) throws IOException {
        Path path = Path.of(file);
        return Files.exists(path) && Files.isSameFile(path, target);
    }

    private static ConvertTarget openTarget(
            Invocation in, Path path, long sizeBytes, CacheMode cache, ConvertArguments args) throws CommandException {
        CreationOptions creation = Objects.requireNonNull(args.creation);
        try {
            if (!creation.isRaw()) {
                return ImageTargets.open(in, path, sizeBytes, cache, args, creation);
            }
            return args.noCreate
                    ? RawTarget.existing(path, sizeBytes, cache, args.targetIsZero)
                    : RawTarget.create(path, sizeBytes, cache);
        } catch (TargetTooSmallException e) {
            throw new CommandException(String.valueOf(e.getMessage()), e);
        } catch (IOException e) {
            throw args.noCreate ? Failures.couldNotOpen(args.target, e) : new CommandException(Failures.lineOf(e), e);
        }
    }

    /** Ctrl-C is watched for from before the target is there: what is half made must not stay. */
    private static void convert(Invocation in, SectorDisk source, Path path, CacheMode cache, ConvertArguments args)
            throws IOException, CommandException {
        boolean existed = Files.exists(path);
        try (CtrlC ctrlC = new CtrlC(Thread.currentThread()::interrupt)) {
            ConvertTarget opened;
            try {
                opened = openTarget(in, path, source.sizeBytes(), cache, args);
            } catch (CommandException e) {
                // Only making a target takes long enough to be interrupted in; one that is there was opened or not.
                if (!ctrlC.pressed() || args.noCreate) {
                    throw e;
                }
                String fate = existed ? " holds no image" : " removed";
                throw new CommandException(CtrlC.EXIT_CODE, "interrupted; " + args.target + fate, e);
            }
            try (ConvertTarget output = opened) {
                copy(in, source, output, args, ctrlC);
            }
        }
    }

    private static void copy(Invocation in, SectorDisk source, ConvertTarget output, ConvertArguments args, CtrlC ctrlC)
            throws CommandException {
        Progress progress = new Progress(in.out(), args.progress && !args.quiet, source.sizeBytes());
        Conversion.Options options = new Conversion.Options(args.sparseBytes, args.queues, args.bytesPerSecond);
        Conversion conversion = new Conversion(source, output, options, progress);
        try {
            conversion.run();
            output.finish();
            progress.complete();
        } catch (IOException | RuntimeException e) {
            String fate = fateOf(output, e);
            throw ctrlC.pressed()
                    ? new CommandException(CtrlC.EXIT_CODE, "interrupted; " + fate)
                    : new CommandException(Failures.lineOf(e) + "; " + fate, e);
        } finally {
            progress.end();
        }
    }

    private static String fateOf(ConvertTarget output, Exception failure) {
        try {
            return output.discard();
        } catch (IOException e) {
            failure.addSuppressed(e);
            return "what was written could not be removed: " + Failures.lineOf(e);
        }
    }

    private static void closeAll(List<Disk> disks) throws IOException {
        IOException failure = null;
        for (Disk disk : disks) {
            try {
                disk.close();
            } catch (IOException e) {
                failure = e;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
