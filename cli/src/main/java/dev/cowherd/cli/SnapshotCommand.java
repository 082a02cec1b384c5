package dev.cowherd.cli;

import dev.cowherd.format.Header;
import dev.cowherd.format.Snapshot;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code snapshot}: lists, creates, applies and deletes internal snapshots. */
final class SnapshotCommand implements Command {
    private String action = "";
    private String snapshot = "";
    private @Nullable String format;
    private boolean forceShare;

    @Override
    public int run(Invocation in) throws CommandException {
        Flags flags = new Flags(
                in.args(),
                "-l --list",
                "-c= --create=",
                "-a= --apply=",
                "-d= --delete=",
                "-q --quiet",
                "-f= --format=",
                "-U --force-share",
                "--image-opts",
                "--object=",
                "-h --help");
        for (String flag = flags.next(); flag != null; flag = flags.next()) {
            switch (flag) {
                case "-l" -> setAction(flag, "");
                case "-c", "-a", "-d" -> setAction(flag, flags.value());
                case "-q" -> {} // nothing is said anyway
                case "-f" -> format = flags.value();
                case "-U" -> forceShare = true;
                case "-h" -> {
                    return new HelpCommand().run(in);
                }
                default -> throw flags.notSupported(flag);
            }
        }
        String name = flags.oneOperand("Expecting one image file name");
        if (action.isEmpty() || action.equals("-l")) {
            list(in, name);
            return 0;
        }
        if (forceShare) {
            throw new CommandException(
                    "Could not open '" + name + "': force-share=on can only be used with read-only images");
        }
        change(in, name);
        return 0;
    }

    private void setAction(String flag, String argument) throws CommandException {
        if (!action.isEmpty()) {
            throw new CommandException("Cannot mix '-l', '-a', '-c', '-d'");
        }
        action = flag;
        snapshot = argument;
    }

    private void list(Invocation in, String name) throws CommandException {
        List<Snapshot> snapshots =
                ImageInspector.inspect(in.path(name), name, format, forceShare).snapshots();
        if (!snapshots.isEmpty()) {
            StringBuilder text = new StringBuilder();
            SnapshotText.append(text, snapshots, in.compat7());
            in.out().print(text);
        }
    }

    private void change(Invocation in, String name) throws CommandException {
        DiskOptions options = in.diskOptions().withWritable(true).withWarnings(in::warn);
        if (format != null) {
            try {
                options = options.withFormat(DiskArguments.format(format));
            } catch (CommandException e) {
                throw new CommandException("Could not open '" + name + "': " + e.getMessage(), e);
            }
        }
        try (Disk disk = DiskArguments.open(in, name, options)) {
            Header header = disk.layers().getFirst().header();
            switch (action) {
                case "-c" -> create(disk, header);
                case "-a" -> apply(disk, header);
                default -> delete(disk);
            }
        } catch (IOException e) {
            throw new CommandException(failure() + Failures.lineOf(e), e);
        }
    }

    private void create(Disk disk, @Nullable Header header) throws IOException, CommandException {
        if (header == null || header.hasExternalDataFile()) {
            throw new CommandException(failure() + "Operation not supported");
        }
        disk.createSnapshot(snapshot);
    }

    private void apply(Disk disk, @Nullable Header header) throws IOException, CommandException {
        if (header == null) {
            throw new CommandException(failure() + "Block driver does not support snapshots");
        }
        if (disk.snapshots().stream()
                .noneMatch(one -> one.id().equals(snapshot) || one.name().equals(snapshot))) {
            throw new CommandException(failure() + "Failed to load snapshot: No such file or directory");
        }
        disk.applySnapshot(snapshot);
    }

    /** Deleting goes by name alone, as for qemu-img: a number that is typed could be meant as one. */
    private void delete(Disk disk) throws IOException, CommandException {
        for (Snapshot one : disk.snapshots()) {
            if (one.name().equals(snapshot)) {
                disk.deleteSnapshot(one.id());
                return;
            }
        }
        throw new CommandException(failure() + "snapshot not found");
    }

    private String failure() {
        String verb = switch (action) {
            case "-c" -> "create";
            case "-a" -> "apply";
            default -> "delete";
        };
        return "Could not " + verb + " snapshot '" + snapshot + "': ";
    }
}
