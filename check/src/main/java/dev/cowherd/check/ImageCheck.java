package dev.cowherd.check;

import dev.cowherd.storage.Storage;
import java.io.IOException;

/**
 * Checks a QCOW2 image: counts what refers to each cluster of its file and compares that with the refcounts there.
 *
 * <p>Only the image's own file is read. Backing files and an external data file do not matter to a check, so names in the
 * image are not followed. Nothing is written.
 */
public final class ImageCheck {
    private ImageCheck() {}

    /**
     * Checks an image. Returns when all is checked; the calling thread works too, with up to {@code threads - 1} others that
     * have ended when this returns.
     *
     * @param file the image's file; stays open
     * @param options how many threads and how much memory
     * @param listener hears of faults and progress, on the calling thread
     * @return what was found
     * @throws dev.cowherd.format.ImageFormatException if the image is too broken to be checked, or asks for too much
     * @throws IOException if the host fails
     */
    public static CheckReport run(Storage file, CheckOptions options, CheckListener listener) throws IOException {
        try (HostTables host = new HostTables(file)) {
            Findings findings = new Findings(listener);
            Inspection inspection = new Inspection(file, options, listener, host, findings);
            inspection.count(null, SnapshotEntries.Mending.NO);
            inspection.compare().report(host, findings);
            inspection.auditCopied(false, null);
            listener.progress(1);
            return inspection.report();
        }
    }
}
