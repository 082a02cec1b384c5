package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.HeaderExtension;
import dev.cowherd.format.Limits;
import dev.cowherd.format.UnsupportedImageException;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * One pass over an image: counts what refers to each cluster, compares that with the refcounts in the file, judges the flags of
 * entries. It writes nothing by itself; {@link ImageCheck} makes one, {@link ImageRepair} makes several and repairs in between.
 */
final class Inspection {
    private final Storage storage;
    private final CheckOptions options;
    private final CheckListener listener;
    private final Findings findings;
    private final HostTables host;
    private final Header header;
    private final Geometry geometry;
    private final long fileBytes;
    private final ReferenceCounts counts;
    private final ClusterOwners owners;
    private final SnapshotEntries snapshots;
    private final RefcountBlocks refcounts;
    private final L2Tables tables = new L2Tables();
    private L2Stats stats = new L2Stats();
    private Progress progress;
    private @Nullable CompareStage compare;
    private boolean copiedSuspect;
    private boolean unusableBlocks;

    Inspection(Storage storage, CheckOptions options, CheckListener listener, HostTables host, Findings findings)
            throws IOException {
        this.storage = storage;
        this.options = options;
        this.listener = listener;
        this.host = host;
        this.findings = findings;
        long exactBytes = storage.sizeBytes();
        this.header = readHeader(host, exactBytes);
        // A last sector that is there in part counts as there; what it lacks reads as zeros.
        this.fileBytes = (exactBytes + CheckLimits.SECTOR_BYTES - 1) & -CheckLimits.SECTOR_BYTES;
        this.geometry = header.geometry();
        long clusters = geometry.clustersFor(fileBytes);
        if (clusters > CheckLimits.MAX_CLUSTERS) {
            throw new UnsupportedImageException(
                    "image file", -1, clusters + " clusters; at most " + CheckLimits.MAX_CLUSTERS + " can be checked");
        }
        long spare = spareClusters(clusters);
        this.counts = new ReferenceCounts(clusters + spare, options.memoryBytes());
        this.owners = new ClusterOwners(geometry, fileBytes, spare, counts, findings);
        this.snapshots = new SnapshotEntries(header, fileBytes, host, findings);
        this.refcounts = RefcountTableOwners.read(header, fileBytes, host);
        this.progress = new Progress(listener, 1);
    }

    /** Room for one range that begins in the file and ends behind it, and for refcount structures that a repair appends. */
    private long spareClusters(long clusters) {
        long tables = 2L * (Limits.MAX_REFCOUNT_TABLE_BYTES >>> geometry.clusterBits()) + 2;
        long blocks = ((clusters + tables) >>> geometry.refcountsPerBlockBits()) + 2;
        return 1 + 2 * (tables + 2 * blocks);
    }

    /** The header, or null of a file without the magic. */
    static @Nullable Header readHeaderIfAny(Storage storage, HostTables host) throws IOException {
        long bytes = storage.sizeBytes();
        ByteBuffer prefix = firstBytes(host, (int) Math.min(bytes, Header.PREFIX_BYTES));
        return Header.hasMagic(prefix) ? readHeader(host, bytes) : null;
    }

    private static Header readHeader(HostTables host, long exactBytes) throws IOException {
        ByteBuffer bytes = firstBytes(host, (int) Math.min(exactBytes, Header.PREFIX_BYTES));
        int needed = Header.bytesNeeded(bytes, exactBytes);
        while (needed > bytes.limit()) {
            bytes = firstBytes(host, needed);
            needed = Header.bytesNeeded(bytes, exactBytes);
        }
        return Header.decodeForCheck(bytes, exactBytes);
    }

    private static ByteBuffer firstBytes(HostTables host, int count) throws IOException {
        byte[] bytes = new byte[count];
        host.bytes(0, count, bytes);
        return ByteBuffer.wrap(bytes);
    }

    /** The image's header as this pass found it. */
    Header header() {
        return header;
    }

    /** The refcounts in the file. */
    RefcountBlocks refcounts() {
        return refcounts;
    }

    /** References to each cluster; complete after {@link #count}. */
    ReferenceCounts counts() {
        return counts;
    }

    /** Who owns which clusters, and which behind the file's end are named; complete after {@link #count}. */
    ClusterOwners owners() {
        return owners;
    }

    /** Whether snapshots may own clusters that were not counted; complete after {@link #count}. */
    boolean snapshotsDamaged() {
        return snapshots.damaged();
    }

    /** The snapshot table as this pass found it; complete after {@link #count}. */
    SnapshotEntries snapshots() {
        return snapshots;
    }

    /** What corrects entries of this pass's tables. */
    EntryRepairs repairs(RepairWriter writer) {
        return new EntryRepairs(header, counts, tables, findings, writer);
    }

    /**
     * The first two stages: counts all references.
     *
     * @param repairs takes L2 entries that can be corrected; null to report them
     * @param mending what becomes of snapshots' entries that lack data, or have too much
     */
    void count(@Nullable EntryRepairs repairs, SnapshotEntries.Mending mending) throws IOException {
        snapshots.read(mending);
        owners.count(0, geometry.clusterBytes(), 1, 0);
        walkL1();
        progress = new Progress(listener, workBytes());
        progress.tell();
        scanL2(repairs);
        owners.count(header.snapshotsOffset(), snapshots.bytes(), 1, 0);
        owners.count(
                header.refcountTableOffset(),
                Integer.toUnsignedLong(header.refcountTableClusters()) << geometry.clusterBits(),
                1,
                0);
        HeaderExtension.EncryptionHeader encryption = header.extension(HeaderExtension.EncryptionHeader.class);
        if (encryption != null) {
            owners.count(encryption.offset(), encryption.bytes(), 1, 0);
        }
        new BitmapOwners(header, fileBytes, host, owners, findings).count();
        unusableBlocks = RefcountTableOwners.countBlocks(refcounts, geometry, counts, owners, findings);
    }

    private void walkL1() throws IOException {
        L1Walk walk = new L1Walk(geometry, fileBytes, host, owners, findings, tables);
        walk.active(header.l1Offset(), header.l1Entries());
        if (header.hasExternalDataFile() && snapshots.size() > 0) {
            findings.corruption("ERROR " + snapshots.size() + " snapshots in image with data file");
        }
        walk.inactive(snapshots.walkableL1Tables());
        copiedSuspect |= walk.copiedSuspect();
    }

    private void scanL2(@Nullable EntryRepairs repairs) throws IOException {
        boolean externalData = header.hasExternalDataFile();
        long clusters = geometry.clustersFor(fileBytes);
        L2Stage stage = new L2Stage(geometry, externalData, counts, clusters, tables, progress);
        new Crew(storage, options.threads()).run(stage, stage.parts());
        copiedSuspect |= stage.audit(host, new L2Audit(geometry, externalData, owners, findings, repairs));
        stats = stage.stats();
    }

    private long workBytes() {
        long refcountBytes = geometry.clustersFor(fileBytes) * geometry.refcountBits() / Byte.SIZE;
        return ((long) tables.size() << geometry.clusterBits()) + refcountBytes;
    }

    /** The third stage: finds the refcounts in the file that are not the references counted. Says nothing yet. */
    CompareStage compare() throws IOException {
        CompareStage stage = new CompareStage(geometry, counts, refcounts, owners.clusters(), progress);
        new Crew(storage, options.threads()).run(stage, stage.parts());
        compare = stage;
        copiedSuspect |= stats.sawNotCopied || stage.copiedSuspect();
        return stage;
    }

    /** Whether refcounts can be right only in new blocks and a new table; complete after the comparison's report. */
    boolean needsRebuild() {
        return unusableBlocks || (compare != null && compare.sawUncounted());
    }

    /** Judges the COPIED flags of active entries by the refcounts that are in the file now. */
    void auditCopied(boolean refcountsChanged, @Nullable EntryRepairs repairs) throws IOException {
        if (refcountsChanged || copiedSuspect) {
            new CopiedAudit(header, fileBytes, host, refcounts, tables, findings, repairs).run();
        }
    }

    CheckReport report() {
        long highest = compare == null ? 0 : compare.highestCluster();
        return new CheckReport(
                (highest + 1) << geometry.clusterBits(),
                geometry.clustersFor(header.guestBytes()),
                findings.checkErrors(),
                stats.allocated,
                stats.fragmented,
                stats.compressed,
                findings.corruptions(),
                findings.leaks(),
                findings.corruptionsFixed(),
                findings.leaksFixed());
    }
}
