package dev.cowherd.cli;

import dev.cowherd.format.Snapshot;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.List;

/** Prints the table of internal snapshots. A class of its own: it alone needs the time zone, which is costly to load. */
final class SnapshotText {
    private static final long NANOS = 1_000_000_000;
    private static final long NANOS_PER_MILLI = 1_000_000;

    private final StringBuilder text;
    private final boolean compat7;

    private SnapshotText(StringBuilder text, boolean compat7) {
        this.text = text;
        this.compat7 = compat7;
    }

    static void append(StringBuilder text, List<Snapshot> snapshots, boolean compat7) {
        SnapshotText table = new SnapshotText(text, compat7);
        text.append("Snapshot list:\n");
        table.row("ID", "TAG", compat7 ? "VM SIZE" : "VM_SIZE", "DATE", compat7 ? "VM CLOCK" : "VM_CLOCK", "ICOUNT");
        for (int i = 0; i < snapshots.size(); i++) {
            Snapshot snapshot = snapshots.get(i);
            table.row(
                    snapshot.id(),
                    snapshot.name(),
                    SizeText.of(snapshot.vmStateBytes()),
                    date(snapshot.dateSeconds()),
                    table.clock(snapshot.vmClockNanos()),
                    snapshot.icount() != -1 ? Long.toString(snapshot.icount()) : compat7 ? "" : "--");
        }
    }

    private void row(String id, String tag, String size, String date, String clock, String icount) {
        if (compat7) {
            left(id, 9);
            text.append(' ');
            left(tag, 16);
            text.append(' ');
            right(size, 8);
            right(date, 20);
            right(clock, 13);
            right(icount, 11);
        } else {
            left(id, 7);
            text.append(' ');
            left(tag, 16);
            text.append(' ');
            right(size, 8);
            text.append(' ');
            right(date, 19);
            text.append(' ');
            right(clock, 15);
            text.append(' ');
            right(icount, 10);
        }
        text.append('\n');
    }

    private static String date(long seconds) {
        LocalDateTime time = LocalDateTime.ofInstant(Instant.ofEpochSecond(seconds), ZoneId.systemDefault());
        return digits(time.getYear(), 4) + "-" + digits(time.getMonthValue(), 2) + "-" + digits(time.getDayOfMonth(), 2)
                + " " + digits(time.getHour(), 2) + ":" + digits(time.getMinute(), 2) + ":"
                + digits(time.getSecond(), 2);
    }

    private String clock(long nanos) {
        long seconds = Long.divideUnsigned(nanos, NANOS);
        return digits(seconds / 3600, compat7 ? 2 : 4) + ":" + digits(seconds / 60 % 60, 2) + ":"
                + digits(seconds % 60, 2) + "." + digits(Long.remainderUnsigned(nanos, NANOS) / NANOS_PER_MILLI, 3);
    }

    private static String digits(long value, int width) {
        String digits = Long.toString(value);
        return digits.length() >= width
                ? digits
                : "0".repeat(width - digits.length()).concat(digits);
    }

    private void left(String value, int width) {
        text.append(value).repeat(' ', Math.max(0, width - bytes(value)));
    }

    private void right(String value, int width) {
        text.repeat(' ', Math.max(0, width - bytes(value))).append(value);
    }

    /** QEMU's columns count bytes, not characters. */
    private static int bytes(String value) {
        return value.getBytes(StandardCharsets.UTF_8).length;
    }
}
