package dev.cowherd.check;

import dev.cowherd.format.CorruptImageException;
import dev.cowherd.format.Feature;
import dev.cowherd.format.Header;
import dev.cowherd.storage.Storage;
import java.io.IOException;

/**
 * Repairs a QCOW2 image: makes refcounts, their tables and the flags that depend on them agree with what the image's own
 * structures refer to. Every owner that the format knows counts: L1 and L2 tables of the disk and of snapshots, data, compressed
 * data, bitmaps, the LUKS header, the refcount structures themselves. What a guest reads never changes.
 *
 * <p>At whatever point a repair is cut, the image is no worse than before: refcounts are raised before any is lowered, new refcount
 * structures are durable before the header names them, flags change after the refcounts that they speak of.
 *
 * <p>Only the image's own file is used, which the caller has opened for writing with the locks of a writer. No other user may
 * have it.
 */
public final class ImageRepair {
    private final Storage storage;
    private final RepairMode mode;
    private final CheckOptions options;
    private final CheckListener listener;
    private final HostTables host;
    private final Findings findings;

    private ImageRepair(
            Storage storage, RepairMode mode, CheckOptions options, CheckListener listener, HostTables host) {
        this.storage = storage;
        this.mode = mode;
        this.options = options;
        this.listener = listener;
        this.host = host;
        this.findings = new Findings(listener);
    }

    /**
     * Checks an image and repairs what the mode allows. Durable on return. The dirty and the corrupt bit are taken off an image
     * that has no corruption left. A repair may bring faults to light that it hid before: {@link ImageCheck} afterwards tells
     * what is left, as {@code qemu-img} does.
     *
     * @param file the image's file, writable; stays open
     * @param mode what may be changed
     * @param options how many threads and how much memory
     * @param listener hears of faults, repairs and progress, on the calling thread
     * @return what was found, what of it was repaired and what is left
     * @throws NeedsRebuildException if the refcount structures are broken and the mode is {@link RepairMode#LEAKS}
     * @throws dev.cowherd.format.ImageFormatException if the image is too broken to be checked, or asks for too much
     * @throws IOException if the host fails
     */
    public static CheckReport run(Storage file, RepairMode mode, CheckOptions options, CheckListener listener)
            throws IOException {
        try (HostTables host = new HostTables(file)) {
            return new ImageRepair(file, mode, options, listener, host).repair();
        }
    }

    /**
     * Makes a dirty image fit to be written: one whose last writer did not come to bring its refcounts up to date, which the
     * format demands before anything is allocated (specification: dirty bit). A file that is no QCOW2 image, or not dirty, or also
     * marked corrupt (then it must not be written anyway), is left alone.
     *
     * @param file the image's file, writable; stays open
     * @param options how many threads and how much memory
     * @param listener hears of faults and repairs, on the calling thread
     * @return whether the image was repaired
     * @throws CorruptImageException if it could not be repaired
     * @throws IOException if the host fails
     */
    public static boolean cleanDirty(Storage file, CheckOptions options, CheckListener listener) throws IOException {
        try (HostTables host = new HostTables(file)) {
            Header header = Inspection.readHeaderIfAny(file, host);
            if (header == null || !header.isDirty() || header.isCorrupt()) {
                return false;
            }
        }
        CheckReport report = run(file, RepairMode.ALL, options, listener);
        if (report.checkErrors() > 0 || report.corruptions() > 0) {
            throw new CorruptImageException(
                    Feature.DIRTY.label(),
                    -1,
                    "the image was not closed by its last writer and could not be repaired: " + report.corruptions()
                            + " corruptions are left");
        }
        return true;
    }

    private CheckReport repair() throws IOException {
        Inspection inspection = new Inspection(storage, options, listener, host, findings);
        RepairWriter writer = new RepairWriter(storage, inspection.header());
        EntryRepairs entries = mode == RepairMode.ALL ? inspection.repairs(writer) : null;
        inspection.count(entries, entries == null ? SnapshotEntries.Mending.NO : SnapshotEntries.Mending.TOLD);
        Findings.Mark counted = findings.mark();
        CompareStage compare = inspection.compare();
        compare.report(host, findings);
        boolean rebuild = inspection.needsRebuild();
        if (rebuild) {
            requireRebuildable(inspection);
        } else {
            findings.backTo(counted);
        }
        if (entries != null) {
            entries.applyNoted();
        }
        if (rebuild) {
            inspection = rebuild(inspection, counted, writer);
        } else {
            new RefcountRepair(mode, inspection, storage, host, findings, writer).run(compare);
        }
        inspection.auditCopied(writer.begun(), mayFlip() ? inspection.repairs(writer) : null);
        if (inspection.snapshots().toMend() > 0) {
            new SnapshotTableRepair(inspection, storage, host, findings, writer).run();
        }
        if (findings.corruptions() == 0 && findings.checkErrors() == 0) {
            writer.markClean();
        }
        writer.sync();
        listener.progress(1);
        return inspection.report();
    }

    private void requireRebuildable(Inspection inspection) throws IOException {
        if (mode == RepairMode.LEAKS) {
            findings.note("ERROR need to rebuild refcount structures");
            throw new NeedsRebuildException("the refcount structures must be rebuilt; that is not among the leaks");
        }
        if (inspection.snapshotsDamaged()) {
            throw new CorruptImageException(
                    "snapshot table",
                    inspection.header().snapshotsOffset(),
                    "has broken entries, so new refcounts would give away what their snapshots own");
        }
    }

    /** Flags are judged by refcounts, so when only leaks are to be repaired the refcounts must be beyond doubt. */
    private boolean mayFlip() {
        return mode == RepairMode.ALL
                || (findings.checkErrors() == 0 && findings.corruptions() == 0 && findings.leaks() == 0);
    }

    /** New refcount structures, then a second look at all; the old structures are leaks by then, and given back. */
    private Inspection rebuild(Inspection broken, Findings.Mark counted, RepairWriter writer) throws IOException {
        findings.note("Rebuilding refcount structure");
        Findings.Mark before = findings.mark();
        boolean ownersKnown = counted.corruptions() == 0;
        new RefcountRebuild(broken, ownersKnown, writer).run();
        findings.forget();
        Inspection fresh = new Inspection(storage, options, listener, host, findings);
        fresh.count(null, SnapshotEntries.Mending.SILENT);
        Findings.Mark left = findings.mark();
        CompareStage compare = fresh.compare();
        Findings own = new Findings(listener);
        new RefcountRepair(RepairMode.LEAKS, fresh, storage, host, own, writer).run(compare);
        findings.fixedCorruptions(Math.max(0, before.corruptions() - left.corruptions() - compare.overflows()));
        findings.fixedLeaks(Math.max(0, before.leaks() - left.leaks()));
        // References past the old end of the file may lie within the new one, and count only now: they stay to be
        // reported.
        findings.alsoCorrupt(own.corruptions());
        return fresh;
    }
}
