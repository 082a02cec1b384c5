package dev.cowherd.metadata;

import dev.cowherd.format.Geometry;
import dev.cowherd.format.Header;
import dev.cowherd.format.L1Entry;
import dev.cowherd.format.RefcountTableEntry;
import dev.cowherd.format.Snapshot;
import dev.cowherd.metadata.MetadataPlaces.Kind;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.util.List;

/** Finds where an image's metadata lies, from its header and tables as they are on disk. No state. */
final class PlacesReader {
    private PlacesReader() {}

    /** Where metadata lies; a word that is out of order marks nothing and is refused when it is used. */
    static MetadataPlaces read(
            Storage file, ImageMap map, Header header, List<Snapshot> snapshots, long[] refcountTable)
            throws IOException {
        Geometry geometry = header.geometry();
        int bits = geometry.clusterBits();
        long fileBytes = file.sizeBytes();
        MetadataPlaces places = new MetadataPlaces(bits, map.path());
        places.add(0, Kind.HEADER);
        places.add(
                header.l1Offset() >>> bits,
                geometry.clustersFor((long) header.l1Entries() * L1Entry.BYTES),
                Kind.ACTIVE_L1);
        places.add(header.refcountTableOffset() >>> bits, header.refcountTableClusters(), Kind.REFCOUNT_TABLE);
        for (long word : refcountTable) {
            addTable(places, RefcountTableEntry.blockOffset(word), bits, fileBytes, Kind.REFCOUNT_BLOCK);
        }
        for (int i = 0; i < map.l1().entries(); i++) {
            addTable(places, L1Entry.l2Offset(map.l1().word(i)), bits, fileBytes, Kind.ACTIVE_L2);
        }
        if (header.snapshotCount() > 0) {
            places.add(
                    header.snapshotsOffset() >>> bits,
                    geometry.clustersFor(Snapshot.encodeTable(snapshots).remaining()),
                    Kind.SNAPSHOT_TABLE);
        }
        for (Snapshot snapshot : snapshots) {
            int entries = snapshot.requireL1(header, fileBytes);
            places.add(
                    snapshot.l1Offset() >>> bits,
                    geometry.clustersFor((long) entries * L1Entry.BYTES),
                    Kind.INACTIVE_L1);
            for (long word : WritableImage.readWords(file, snapshot.l1Offset(), entries)) {
                addTable(places, L1Entry.l2Offset(word), bits, fileBytes, Kind.INACTIVE_L2);
            }
        }
        if (header.bitmapsExtension() != null) {
            places.add(
                    header.bitmapsExtension().directoryOffset() >>> bits,
                    geometry.clustersFor(header.bitmapsExtension().directoryBytes()),
                    Kind.BITMAPS);
        }
        return places;
    }

    private static void addTable(MetadataPlaces places, long offset, int bits, long fileBytes, Kind kind) {
        if (offset > 0 && offset < fileBytes) {
            places.add(offset >>> bits, kind);
        }
    }
}
