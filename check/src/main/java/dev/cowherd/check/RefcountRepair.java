package dev.cowherd.check;

import dev.cowherd.storage.Storage;
import java.io.IOException;

/**
 * Brings refcounts in sound blocks to the number of references counted. All that are too low are raised and durable before the
 * first one that is too high is lowered: a cut in between leaves leaks, never a cluster that is in use and counts as free.
 */
final class RefcountRepair {
    private final RepairMode mode;
    private final Inspection inspection;
    private final Storage storage;
    private final HostTables host;
    private final Findings findings;
    private final RepairWriter writer;

    RefcountRepair(
            RepairMode mode,
            Inspection inspection,
            Storage storage,
            HostTables host,
            Findings findings,
            RepairWriter writer) {
        this.mode = mode;
        this.inspection = inspection;
        this.storage = storage;
        this.host = host;
        this.findings = findings;
        this.writer = writer;
    }

    void run(CompareStage compare) throws IOException {
        // What a broken entry's snapshot owns is not counted and must not be given away.
        boolean mayLower = !inspection.snapshotsDamaged();
        try (RefcountEdits edits =
                new RefcountEdits(inspection.header().geometry(), inspection.refcounts(), storage, writer)) {
            compare.differences(host, (cluster, refcount, references) -> {
                boolean leak = Long.compareUnsigned(refcount, references) > 0;
                boolean repaired = leak ? mayLower : mode == RepairMode.ALL;
                String kind = repaired ? "Repairing" : leak ? "Leaked" : "ERROR";
                String line = CompareStage.difference(kind, cluster, refcount, references);
                if (!repaired) {
                    if (leak) {
                        findings.leak(line);
                    } else {
                        findings.corruption(line);
                    }
                    return;
                }
                findings.note(line);
                if (leak) {
                    findings.fixedLeaks(1);
                } else {
                    edits.set(cluster, references);
                    findings.fixedCorruptions(1);
                }
            });
            edits.flush();
            findings.alsoCorrupt(compare.overflows());
            writer.sync();
            compare.differences(host, (cluster, refcount, references) -> {
                if (mayLower && Long.compareUnsigned(refcount, references) > 0) {
                    edits.set(cluster, references);
                }
            });
            edits.flush();
            writer.sync();
        }
    }
}
