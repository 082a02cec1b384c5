package dev.cowherd.check;

import dev.cowherd.format.Geometry;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The second stage: scans all L2 tables on all cores, in the order of the file, neighbours in one read; then audits, on one
 * thread and in the order they were found, those that the scan did not finish.
 */
final class L2Stage implements Crew.Job {
    /** A table with something to be said about it: where the scan stopped, and what came before. */
    private record Unfinished(int table, int entry, long nextContiguous) implements Comparable<Unfinished> {
        @Override
        public int compareTo(Unfinished other) {
            return Integer.compare(table, other.table);
        }
    }

    private final Geometry geometry;
    private final L2Tables tables;
    private final long[] sorted;
    private final boolean externalData;
    private final ReferenceCounts counts;
    private final long fileClusters;
    private final Progress progress;
    private final int batch;
    private final AtomicInteger cursor = new AtomicInteger();
    private final List<Unfinished> unfinished = new ArrayList<>();
    private final L2Stats stats = new L2Stats();

    L2Stage(
            Geometry geometry,
            boolean externalData,
            ReferenceCounts counts,
            long fileClusters,
            L2Tables tables,
            Progress progress) {
        this.geometry = geometry;
        this.tables = tables;
        this.sorted = tables.sortedOffsets();
        this.externalData = externalData;
        this.counts = counts;
        this.fileClusters = fileClusters;
        this.progress = progress;
        this.batch = Math.max(1, (HostTables.CHUNK_BYTES / 2) >>> geometry.clusterBits());
    }

    /** How many parts there are to work on. */
    long parts() {
        return (sorted.length + batch - 1L) / batch;
    }

    @Override
    public void giveUp() {
        cursor.set(sorted.length);
    }

    @Override
    public void work(HostTables host, boolean first) throws IOException {
        L2Scan scan = new L2Scan(geometry, externalData, counts, fileClusters);
        long[] words = new long[0];
        while (true) {
            int from = cursor.getAndAdd(batch);
            if (from >= sorted.length) {
                break;
            }
            int end = Math.min(sorted.length, from + batch);
            int clusterWords = geometry.clusterBytes() / Long.BYTES;
            int table = from;
            while (table < end) {
                int run = neighbours(table, end);
                if (words.length < run * clusterWords) {
                    words = new long[run * clusterWords];
                }
                host.words(sorted[table], run * clusterWords, words);
                for (int i = 0; i < run; i++) {
                    scanOne(scan, words, i * clusterWords, tables.indexOf(sorted[table + i]));
                }
                table += run;
            }
            progress.did((long) (end - from) << geometry.clusterBits());
            if (first) {
                progress.tell();
            }
        }
        synchronized (stats) {
            stats.add(scan.stats());
        }
    }

    /** How many tables from here on lie one behind the other. */
    private int neighbours(int table, int end) {
        int next = table + 1;
        while (next < end && sorted[next] - sorted[next - 1] == geometry.clusterBytes()) {
            next++;
        }
        return next - table;
    }

    private void scanOne(L2Scan scan, long[] words, int from, int table) throws IOException {
        int stop = scan.scan(words, from, tables.references(table), tables.activeReferences(table));
        if (stop < geometry.l2EntriesPerTable()) {
            synchronized (unfinished) {
                unfinished.add(new Unfinished(table, stop, scan.nextContiguous()));
            }
        }
    }

    /**
     * Audits what the scan left.
     *
     * @return whether it left anything
     */
    boolean audit(HostTables host, L2Audit audit) throws IOException {
        Collections.sort(unfinished);
        long[] words = new long[geometry.clusterBytes() / Long.BYTES];
        for (Unfinished one : unfinished) {
            host.words(tables.offset(one.table()), words.length, words);
            audit.audit(
                    one.table(),
                    words,
                    one.entry(),
                    one.nextContiguous(),
                    tables.references(one.table()),
                    tables.activeReferences(one.table()));
        }
        stats.add(audit.stats());
        return !unfinished.isEmpty();
    }

    /** What the active tables map; complete after the audit. */
    L2Stats stats() {
        return stats;
    }
}
