package dev.cowherd.cli.parallel;

import java.io.PrintStream;
import java.util.Locale;

/**
 * The line that {@code -p} shows, in qemu-img's form: {@code "    (12.34/100%)"} and a carriage return, at most once a
 * percent. Any thread may report.
 */
public final class Progress {
    private final PrintStream out;
    private final boolean shown;
    private final long totalBytes;
    private long doneBytes;
    private double printed;

    /**
     * Starts at 0 and shows it.
     *
     * @param out where to show it
     * @param shown whether to show anything at all
     * @param totalBytes what makes 100 percent
     */
    public Progress(PrintStream out, boolean shown, long totalBytes) {
        this.out = out;
        this.shown = shown;
        this.totalBytes = totalBytes;
        print(0);
    }

    /**
     * Reports work done.
     *
     * @param bytes how much more is done
     */
    public synchronized void add(long bytes) {
        doneBytes += bytes;
        double percent = 100.0 * doneBytes / totalBytes;
        if (shown && percent > printed + 1 && doneBytes < totalBytes) {
            print(percent);
        }
    }

    /** Shows 100 percent, whatever was reported. */
    public synchronized void complete() {
        print(100);
    }

    /** Leaves the line; call it once, however the work ended. */
    public synchronized void end() {
        if (shown) {
            out.println();
            out.flush();
        }
    }

    private void print(double percent) {
        if (shown) {
            out.print(String.format(Locale.ROOT, "    (%3.2f/100%%)\r", percent));
            out.flush();
            printed = percent;
        }
    }
}
