package dev.cowherd.cli;

import dev.cowherd.image.BlockStatus;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.DiskQueue;
import java.io.IOException;

/** {@code map}: which bytes of a disk are stored where, over its whole chain. */
final class MapCommand implements Command {
    @Override
    public int run(Invocation in) throws IOException, CommandException {
        DiskOptions options = in.diskOptions();
        OutputFormat output = OutputFormat.HUMAN;
        long start = 0;
        long length = Long.MAX_VALUE;
        Flags flags = new Flags(
                in.args(),
                "-f= --format=",
                "-U --force-share",
                "-s= --start-offset=",
                "-l= --max-length=",
                "--output=",
                "--image-opts",
                "--object=",
                "-h --help");
        for (String flag = flags.next(); flag != null; flag = flags.next()) {
            switch (flag) {
                case "-f" -> options = options.withFormat(DiskArguments.format(flags.value()));
                case "-U" -> options = options.withForceShare(true);
                case "-s" -> start = SizeArgument.parse("start offset", flags.value());
                case "-l" -> length = SizeArgument.parse("max length", flags.value());
                case "--output" -> output = OutputFormat.parse(flags.value());
                case "-h" -> {
                    return new HelpCommand().run(in);
                }
                default -> throw flags.notSupported(flag);
            }
        }
        String name = flags.oneOperand("Expecting one image file name");
        MapPrinter printer = new MapPrinter(in.out(), output, in.compat7());
        try (Disk disk = DiskArguments.open(in, name, options);
                DiskQueue queue = disk.openQueue()) {
            printer.begin();
            long end = length > disk.sizeBytes() - start ? disk.sizeBytes() : start + length;
            for (long at = start; at < end; ) {
                BlockStatus status = queue.status(at, end - at);
                printer.add(status);
                at += status.length();
            }
            printer.end(start);
        }
        return 0;
    }
}
