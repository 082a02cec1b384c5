package dev.cowherd.cli;

import dev.cowherd.cli.disk.SectorDisk;
import dev.cowherd.format.Header;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.Limits;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.Preallocation;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.List;

/** {@code resize}: gives a disk another size, absolute or by so much more or less. */
final class ResizeCommand implements Command {
    private static final int SECTOR_BYTES = 512;

    private String format = "";
    private boolean quiet;
    private boolean shrink;
    private Preallocation preallocation = Preallocation.OFF;

    @Override
    public int run(Invocation in) throws CommandException {
        List<String> args = in.args();
        if (args.contains("-h") || args.contains("--help")) {
            return new HelpCommand().run(in);
        }
        if (args.size() < 2) {
            throw new CommandException(in.compat7() ? "Not enough arguments" : "Expecting image file name and size");
        }
        // The last word is the size, whatever it looks like: -1M is no flag.
        String size = args.getLast();
        Flags flags = new Flags(
                args.subList(0, args.size() - 1),
                "-f= --format=",
                "-q --quiet",
                "--shrink",
                "--preallocation=",
                "--image-opts",
                "--object=");
        for (String flag = flags.next(); flag != null; flag = flags.next()) {
            switch (flag) {
                case "-f" -> format = flags.value();
                case "-q" -> quiet = true;
                case "--shrink" -> shrink = true;
                case "--preallocation" -> preallocation = preallocation(flags.value());
                default -> throw flags.notSupported(flag);
            }
        }
        if (flags.operands().isEmpty()) {
            throw new CommandException("Expecting image file name and size");
        }
        if (flags.operands().size() > 1) {
            throw new CommandException("Extra argument(s) in command line");
        }
        // The image is whole at any time, but closing it in order leaves no leaked clusters behind.
        try (CtrlC _ = new CtrlC(Thread.currentThread()::interrupt)) {
            resize(in, flags.operands().get(0), size);
        }
        if (!quiet) {
            in.out().println("Image resized.");
        }
        return 0;
    }

    private static Preallocation preallocation(String mode) throws CommandException {
        return switch (mode) {
            case "off" -> Preallocation.OFF;
            case "metadata" -> Preallocation.METADATA;
            case "falloc" -> Preallocation.FALLOC;
            case "full" -> Preallocation.FULL;
            default -> throw new CommandException("Invalid preallocation mode '" + mode + "'");
        };
    }

    private void resize(Invocation in, String name, String size) throws CommandException {
        char sign = size.isEmpty() ? ' ' : size.charAt(0);
        boolean relative = sign == '+' || sign == '-';
        long bytes = bytes(relative ? size.substring(1) : size);
        try (Disk disk = open(in, name)) {
            long old = SectorDisk.wholeSectors(disk.sizeBytes());
            long wanted = switch (sign) {
                case '+' -> old + bytes;
                case '-' -> old - bytes;
                default -> bytes;
            };
            if (wanted <= 0) {
                throw new CommandException("New image size must be positive");
            }
            if (wanted <= old && preallocation != Preallocation.OFF) {
                throw new CommandException("Preallocation can only be used for growing images");
            }
            if (wanted < old && !shrink) {
                throw new CommandException("Use the --shrink option to perform a shrink operation.\n"
                        + "cowherd: warning: Shrinking an image will delete all data beyond the shrunken image's end."
                        + " Before performing such an operation, make sure there is no important data there.");
            }
            Header header = disk.layers().getFirst().header();
            if (header != null) {
                requireFit(header, disk, wanted);
            } else if (preallocation == Preallocation.METADATA) {
                throw new CommandException("Unsupported preallocation mode: metadata");
            }
            disk.resize(wanted, preallocation);
        } catch (InterruptedIOException e) {
            throw new CommandException(CtrlC.EXIT_CODE, name + ": interrupted; it has its old size", e);
        } catch (IOException e) {
            throw new CommandException(Failures.lineOf(e), e);
        }
    }

    /** A number too large to be one comes out below zero, as for qemu-img. */
    private static long bytes(String size) throws CommandException {
        long bytes = size.startsWith("-") || size.startsWith("+") ? SizeArgument.NO_SIZE : SizeArgument.tryParse(size);
        if (bytes == SizeArgument.NO_SIZE) {
            throw new CommandException("""
                    Parameter 'size' expects a non-negative number below 2^64
                    Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-
                    and exabytes, respectively.""");
        }
        return bytes;
    }

    private Disk open(Invocation in, String name) throws CommandException {
        DiskOptions options = in.diskOptions().withWritable(true).withWarnings(in::warn);
        if (!format.isEmpty()) {
            try {
                options = options.withFormat(DiskArguments.format(format));
            } catch (CommandException e) {
                throw new CommandException("Could not open '" + name + "': " + e.getMessage(), e);
            }
        }
        return DiskArguments.open(in, name, options);
    }

    private void requireFit(Header header, Disk disk, long wanted) throws CommandException {
        if (wanted % SECTOR_BYTES != 0) {
            throw new CommandException("The new size must be a multiple of 512");
        }
        if (header.version() < 3 && !disk.snapshots().isEmpty()) {
            throw new CommandException("Can't resize a v2 image which has snapshots");
        }
        if (header.geometry().l1EntriesFor(wanted) > Limits.MAX_L1_BYTES / L1Entry.BYTES) {
            throw new CommandException("Failed to grow the L1 table: File too large");
        }
    }
}
