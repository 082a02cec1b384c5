package dev.cowherd.cli;

import dev.cowherd.format.BitmapEntry;
import dev.cowherd.format.Header;
import dev.cowherd.format.Snapshot;
import java.util.List;

/** Prints image facts as {@code info --output=json}, keys in QEMU's order (which is that of its hash table). */
final class InfoJson {
    private static final long NANOS = 1_000_000_000;

    private final JsonWriter json;
    private final boolean compat7;

    private InfoJson(JsonWriter json, boolean compat7) {
        this.json = json;
        this.compat7 = compat7;
    }

    /** One image as an object, or a chain as a list of such. */
    static String of(List<ImageFacts> chain, boolean asList, boolean compat7) {
        JsonWriter json = new JsonWriter();
        InfoJson info = new InfoJson(json, compat7);
        if (!asList) {
            info.image(chain.get(0));
            return json.toString();
        }
        json.beginList();
        for (int i = 0; i < chain.size(); i++) {
            info.image(chain.get(i));
        }
        return json.endList().toString();
    }

    private void image(ImageFacts facts) {
        Header header = facts.header();
        json.beginObject();
        if (!compat7) {
            child(facts);
        }
        if (header != null && header.backingFile() != null) {
            json.member("backing-filename-format", header.backingFormat());
        }
        if (!facts.snapshots().isEmpty()) {
            snapshots(facts.snapshots());
        }
        json.member("virtual-size", facts.virtualBytes()).member("filename", facts.fileName());
        if (header != null) {
            json.member("cluster-size", 1L << header.clusterBits());
        }
        json.member("format", facts.format()).member("actual-size", facts.allocatedBytes());
        if (header != null) {
            specific(header, facts);
        }
        json.member("full-backing-filename", facts.fullBackingFile());
        json.member("backing-filename", header == null ? null : header.backingFile());
        if (header != null && header.cryptMethod() != Header.CRYPT_NONE) {
            json.member("encrypted", true);
        }
        json.member("dirty-flag", header != null && header.isDirty());
        json.endObject();
    }

    /** The file below the format, as QEMU's second node. */
    private void child(ImageFacts facts) {
        json.key("children").beginList().beginObject();
        json.member("name", "file").key("info").beginObject();
        json.key("children").beginList().endList();
        json.member("virtual-size", facts.fileBytes());
        json.member("filename", facts.fileName());
        json.member("format", facts.protocol());
        json.member("actual-size", facts.allocatedBytes());
        json.key("format-specific").beginObject().member("type", facts.protocol());
        json.key("data").beginObject().endObject().endObject();
        json.member("dirty-flag", false);
        json.endObject().endObject().endList();
    }

    private void snapshots(List<Snapshot> snapshots) {
        json.key("snapshots").beginList();
        for (int i = 0; i < snapshots.size(); i++) {
            Snapshot snapshot = snapshots.get(i);
            json.beginObject();
            if (snapshot.icount() != -1) {
                json.member("icount", snapshot.icount());
            }
            json.member("vm-clock-nsec", Long.remainderUnsigned(snapshot.vmClockNanos(), NANOS));
            json.member("name", snapshot.name());
            json.member("date-sec", snapshot.dateSeconds());
            json.member("date-nsec", snapshot.dateNanos());
            json.member("vm-clock-sec", Long.divideUnsigned(snapshot.vmClockNanos(), NANOS));
            json.member("id", snapshot.id());
            json.member("vm-state-size", snapshot.vmStateBytes());
            json.endObject();
        }
        json.endList();
    }

    private void specific(Header header, ImageFacts facts) {
        json.key("format-specific").beginObject().member("type", "qcow2");
        json.key("data").beginObject();
        boolean v3 = header.version() >= 3;
        json.member("compat", v3 ? "1.1" : "0.10");
        json.member("compression-type", header.compressionType().label());
        if (v3) {
            json.member("lazy-refcounts", header.lazyRefcounts());
            if (!facts.bitmaps().isEmpty()) {
                bitmaps(facts.bitmaps());
            }
        }
        json.member("refcount-bits", 1L << header.refcountOrder());
        boolean elsewhere = v3 && header.hasExternalDataFile();
        json.member("data-file", elsewhere ? header.dataFile() : null);
        if (header.cryptMethod() != Header.CRYPT_NONE) {
            EncryptionJson.write(json, facts.luks(), compat7);
        }
        if (elsewhere) {
            json.member("data-file-raw", header.dataFileRaw());
        }
        if (v3) {
            json.member("corrupt", header.isCorrupt());
            json.member("extended-l2", header.hasExtendedL2());
        }
        json.endObject().endObject();
    }

    private void bitmaps(List<BitmapEntry> bitmaps) {
        json.key("bitmaps").beginList();
        for (int i = 0; i < bitmaps.size(); i++) {
            BitmapEntry bitmap = bitmaps.get(i);
            json.beginObject().key("flags").beginList();
            if (bitmap.inUse()) {
                json.value("in-use");
            }
            if (bitmap.auto()) {
                json.value("auto");
            }
            json.endList();
            json.member("name", bitmap.name());
            json.member("granularity", 1L << bitmap.granularityBits());
            json.endObject();
        }
        json.endList();
    }
}
