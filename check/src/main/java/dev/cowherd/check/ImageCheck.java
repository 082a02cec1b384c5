package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.HeaderExtension;
import dev.cowherd.format.UnsupportedImageException;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Checks a QCOW2 image: counts what refers to each cluster of its file and compares that with the refcounts there.
 *
 * <p>Only the image's own file is read. Backing files and an external data file do not matter to a check, so names in the
 * image are not followed. Nothing is written.
 */
public final class ImageCheck {
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
    private final L2Tables tables = new L2Tables();
    private boolean copiedSuspect;

    private ImageCheck(Storage storage, CheckOptions options, CheckListener listener, HostTables host)
            throws IOException {
        this.storage = storage;
        this.options = options;
        this.listener = listener;
        this.host = host;
        this.findings = new Findings(listener);
        long exactBytes = storage.sizeBytes();
        this.header = readHeader(exactBytes);
        // A last sector that is there in part counts as there; what it lacks reads as zeros.
        this.fileBytes = (exactBytes + CheckLimits.SECTOR_BYTES - 1) & -CheckLimits.SECTOR_BYTES;
        this.geometry = header.geometry();
        long clusters = geometry.clustersFor(fileBytes);
        if (clusters > CheckLimits.MAX_CLUSTERS) {
            throw new UnsupportedImageException(
                    "image file", -1, clusters + " clusters; at most " + CheckLimits.MAX_CLUSTERS + " can be checked");
        }
        // One more: a range that begins in the file may end in the cluster behind it.
        this.counts = new ReferenceCounts(clusters + 1, options.memoryBytes());
        this.owners = new ClusterOwners(geometry, fileBytes, counts, findings);
    }

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
            return new ImageCheck(file, options, listener, host).check();
        }
    }

    private Header readHeader(long exactBytes) throws IOException {
        ByteBuffer bytes = firstBytes((int) Math.min(exactBytes, Header.PREFIX_BYTES));
        int needed = Header.bytesNeeded(bytes, exactBytes);
        while (needed > bytes.limit()) {
            bytes = firstBytes(needed);
            needed = Header.bytesNeeded(bytes, exactBytes);
        }
        return Header.decodeForCheck(bytes, exactBytes);
    }

    private ByteBuffer firstBytes(int count) throws IOException {
        byte[] bytes = new byte[count];
        host.bytes(0, count, bytes);
        return ByteBuffer.wrap(bytes);
    }

    private CheckReport check() throws IOException {
        RefcountBlocks refcounts = RefcountTableOwners.read(header, fileBytes, host);
        SnapshotEntries snapshots = new SnapshotEntries(header, host, findings);
        snapshots.read();

        owners.count(0, geometry.clusterBytes(), 1, 0);
        walkL1(snapshots);
        Progress progress = new Progress(listener, workBytes());
        progress.tell();
        L2Stats stats = scanL2(progress);
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
        RefcountTableOwners.countBlocks(refcounts, geometry, counts, owners, findings);

        CompareStage compare = new CompareStage(geometry, counts, refcounts, owners.clusters(), progress);
        new Crew(storage, options.threads()).run(compare, compare.parts());
        compare.report(host, findings);
        if (copiedSuspect || stats.sawNotCopied || compare.copiedSuspect()) {
            new CopiedAudit(header, fileBytes, host, refcounts, tables, findings).run();
        }
        listener.progress(1);
        return report(stats, compare.highestCluster());
    }

    private void walkL1(SnapshotEntries snapshots) throws IOException {
        L1Walk walk = new L1Walk(geometry, fileBytes, host, owners, findings, tables);
        walk.active(header.l1Offset(), header.l1Entries());
        if (header.hasExternalDataFile() && snapshots.size() > 0) {
            findings.corruption("ERROR " + snapshots.size() + " snapshots in image with data file");
        }
        walk.inactive(snapshots.walkableL1Tables());
        copiedSuspect |= walk.copiedSuspect();
    }

    private L2Stats scanL2(Progress progress) throws IOException {
        boolean externalData = header.hasExternalDataFile();
        long clusters = geometry.clustersFor(fileBytes);
        L2Stage stage = new L2Stage(geometry, externalData, counts, clusters, tables, progress);
        new Crew(storage, options.threads()).run(stage, stage.parts());
        copiedSuspect |= stage.audit(host, new L2Audit(geometry, externalData, owners, findings));
        return stage.stats();
    }

    private long workBytes() {
        long refcountBytes = geometry.clustersFor(fileBytes) * geometry.refcountBits() / Byte.SIZE;
        return ((long) tables.size() << geometry.clusterBits()) + refcountBytes;
    }

    private CheckReport report(L2Stats stats, long highestCluster) {
        return new CheckReport(
                (highestCluster + 1) << geometry.clusterBits(),
                geometry.clustersFor(header.guestBytes()),
                findings.checkErrors(),
                stats.allocated,
                stats.fragmented,
                stats.compressed,
                findings.corruptions(),
                findings.leaks(),
                0,
                0);
    }
}
