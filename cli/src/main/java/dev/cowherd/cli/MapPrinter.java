package dev.cowherd.cli;

import dev.cowherd.image.BlockStatus;
import java.io.PrintStream;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Prints runs of a disk as {@code map} does, adjacent runs of one nature as one. */
final class MapPrinter {
    private static final String HUMAN_HEAD = "Offset          Length          Mapped to       File\n";
    private static final int COLUMN = 16;

    private final PrintStream out;
    private final OutputFormat format;
    private final boolean compat7;
    private final StringBuilder line = new StringBuilder(160);
    private @Nullable BlockStatus current;
    private boolean printed;

    MapPrinter(PrintStream out, OutputFormat format, boolean compat7) {
        this.out = out;
        this.format = format;
        this.compat7 = compat7;
    }

    void begin() {
        out.print(format == OutputFormat.JSON ? "[" : HUMAN_HEAD);
    }

    /** Takes the run that follows the one before. */
    void add(BlockStatus next) throws CommandException {
        BlockStatus before = current;
        if (before == null) {
            current = next;
        } else if (isContinued(before, next)) {
            current = new BlockStatus(
                    before.offset(),
                    before.length() + next.length(),
                    before.depth(),
                    before.present(),
                    before.zero(),
                    before.data(),
                    before.compressed(),
                    before.hostOffset(),
                    before.fileName());
        } else {
            print(before);
            current = next;
        }
    }

    /**
     * Prints what is left.
     *
     * @param start where the map began; of an empty map QEMU prints one run without length there
     */
    void end(long start) throws CommandException {
        print(current != null ? current : new BlockStatus(start, 0, 0, false, false, false, false, -1, null));
        if (format == OutputFormat.JSON) {
            out.print("]\n");
        }
    }

    private static boolean isContinued(BlockStatus before, BlockStatus next) {
        return before.zero() == next.zero()
                && before.data() == next.data()
                && before.present() == next.present()
                && before.depth() == next.depth()
                && before.compressed() == next.compressed()
                && Objects.equals(before.fileName(), next.fileName())
                && (before.hostOffset() < 0
                        ? next.hostOffset() < 0
                        : before.hostOffset() + before.length() == next.hostOffset());
    }

    private void print(BlockStatus run) throws CommandException {
        line.setLength(0);
        if (format == OutputFormat.JSON) {
            json(run);
        } else {
            human(run);
        }
        out.append(line);
    }

    private void json(BlockStatus run) {
        if (printed) {
            line.append(",\n");
        }
        printed = true;
        line.append("{ \"start\": ").append(run.offset());
        line.append(", \"length\": ").append(run.length());
        line.append(", \"depth\": ").append(run.depth());
        line.append(", \"present\": ").append(run.present());
        line.append(", \"zero\": ").append(run.zero());
        line.append(", \"data\": ").append(run.data());
        if (!compat7) {
            line.append(", \"compressed\": ").append(run.compressed());
        }
        if (run.hostOffset() >= 0) {
            line.append(", \"offset\": ").append(run.hostOffset());
        }
        line.append('}');
    }

    private void human(BlockStatus run) throws CommandException {
        if (run.data() && run.hostOffset() < 0) {
            throw new CommandException("File contains external, encrypted or compressed clusters.");
        }
        if (run.data() && !run.zero()) {
            column(run.offset());
            column(run.length());
            column(run.hostOffset());
            line.append(run.fileName() == null ? "" : run.fileName()).append('\n');
        }
    }

    private void column(long value) {
        int end = line.length() + COLUMN;
        if (value != 0) {
            line.append("0x");
        }
        line.append(Long.toHexString(value));
        while (line.length() < end) {
            line.append(' ');
        }
    }
}
