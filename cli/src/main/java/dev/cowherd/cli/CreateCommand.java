package dev.cowherd.cli;

import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.ImageCreator;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code create}: makes an empty image, or one that lies over a backing file. */
final class CreateCommand implements Command {
    private String format = "raw";
    private @Nullable String backing;
    private @Nullable String backingFormat;
    private boolean unsafe;
    private boolean quiet;
    private final OptionList list = new OptionList();

    @Override
    public int run(Invocation in) throws CommandException {
        Flags flags = new Flags(
                in.args(),
                "-f= --format=",
                "-o= --options=",
                "-b= --backing=",
                "-F= --backing-format=",
                "-u --backing-unsafe",
                "-q --quiet",
                "--object=",
                "-h --help");
        for (String flag = flags.next(); flag != null; flag = flags.next()) {
            switch (flag) {
                case "-f" -> format = flags.value();
                case "-o" -> list.add(flags.value());
                case "-b" -> backing = flags.value();
                case "-F" -> backingFormat = flags.value();
                case "-u" -> unsafe = true;
                case "-q" -> quiet = true;
                case "-h" -> {
                    return new HelpCommand().run(in);
                }
                default -> throw flags.notSupported(flag);
            }
        }
        List<String> operands = flags.operands();
        if (list.asksForHelp()) {
            in.out().print(CreationOptions.help(!format.equals("qcow2")));
            return 0;
        }
        if (operands.isEmpty()) {
            throw new CommandException("Expecting image file name");
        }
        if (operands.size() > 2) {
            throw new CommandException("Unexpected argument: " + operands.get(2));
        }
        String name = operands.get(0);
        long size = operands.size() == 1 ? -1 : SizeArgument.parse("image size", operands.get(1));
        create(in, name, options(in, name, size));
        return 0;
    }

    private CreationOptions options(Invocation in, String name, long size) throws CommandException {
        CreationOptions options = CreationOptions.of(name, name + ": ", format, list.split());
        if (BackingNames.hasProtocol(name)) {
            throw new CommandException(name + ": Unknown protocol '" + name.substring(0, name.indexOf(':')) + "'");
        }
        if (size >= 0) {
            if (options.sizeBytes() >= 0) {
                throw new CommandException(name + ": The image size must be specified only once");
            }
            options.setSize(size);
        }
        options.setBacking(backing, backingFormat);
        String below = options.backingFile();
        if (below != null) {
            if (below.equals(name)) {
                throw new CommandException(
                        name + ": Error: Trying to create an image with the same filename as the backing file");
            }
            if (!unsafe) {
                lookBelow(in, name, below, options);
            } else if (options.backingFormat() == null) {
                throw new CommandException(name + ": Backing file specified without backing format");
            }
        }
        if (options.sizeBytes() < 0) {
            throw new CommandException(name + ": Image creation needs a size parameter");
        }
        return options;
    }

    /** The backing file must open, with all that is below it, and say its size if nobody else does. */
    private static void lookBelow(Invocation in, String name, String below, CreationOptions options)
            throws CommandException {
        String file = below.startsWith("/")
                ? below
                : name.substring(0, name.lastIndexOf('/') + 1).concat(below);
        String format = options.backingFormat();
        try {
            if (format == null) {
                throw new CommandException(name + ": Backing file specified without backing format\nDetected format of "
                        + ImageInspector.inspect(in.path(file), file, null, false)
                                .format() + ".");
            }
            try (Disk disk = DiskArguments.open(in, file, in.diskOptions().withFormat(DiskArguments.format(format)))) {
                if (options.sizeBytes() < 0) {
                    options.setSize(disk.sizeBytes());
                }
            }
        } catch (CommandException e) {
            String message = String.valueOf(e.getMessage());
            throw format == null && message.startsWith(name + ": ")
                    ? e
                    : new CommandException(name + ": " + message + "\nCould not open backing image.", e);
        } catch (IOException e) {
            throw new CommandException(name + ": " + Failures.lineOf(e), e);
        }
    }

    private void create(Invocation in, String name, CreationOptions options) throws CommandException {
        if (!quiet) {
            in.out().println(options.announcement());
            in.out().flush();
        }
        Path path = in.path(name);
        if (name.isEmpty() || Files.isDirectory(path)) {
            throw new CommandException(name + ": Could not create '" + name + "': "
                    + (name.isEmpty() ? "No such file or directory" : "Is a directory"));
        }
        boolean existed = Files.exists(path);
        // Space that is written may take minutes.
        try (CtrlC _ = new CtrlC(Thread.currentThread()::interrupt)) {
            if (options.isRaw()) {
                ImageCreator.createRaw(path, options.wholeSectors(), options.preallocation());
                return;
            }
            CreateOptions qcow2 = options.qcow2();
            ImageCreator.create(path, qcow2);
        } catch (IllegalArgumentException e) {
            throw new CommandException(name + ": " + e.getMessage(), e);
        } catch (InterruptedIOException e) {
            String fate = existed ? "what was in it is gone, and it holds no image" : "it was removed";
            throw new CommandException(CtrlC.EXIT_CODE, name + ": interrupted; " + fate, e);
        } catch (IOException e) {
            throw new CommandException(
                    name + ": Could not create '" + name + "': " + Failures.withoutName(e, path.toString()), e);
        }
    }
}
