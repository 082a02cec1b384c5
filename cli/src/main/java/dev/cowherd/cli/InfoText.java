package dev.cowherd.cli;

import dev.cowherd.format.BitmapEntry;
import dev.cowherd.format.Header;
import java.util.List;

/** Prints image facts as {@code info} does for people. */
final class InfoText {
    private final StringBuilder text = new StringBuilder(512);
    private final boolean compat7;

    private InfoText(boolean compat7) {
        this.compat7 = compat7;
    }

    /** One block an image, an empty line between two. */
    static String of(List<ImageFacts> chain, boolean compat7) {
        InfoText info = new InfoText(compat7);
        for (int i = 0; i < chain.size(); i++) {
            if (i > 0) {
                info.text.append('\n');
            }
            info.image(chain.get(i));
        }
        return info.text.toString();
    }

    private void image(ImageFacts facts) {
        Header header = facts.header();
        line("image: ", facts.fileName());
        line("file format: ", facts.format());
        line("virtual size: ", SizeText.of(facts.virtualBytes()) + " (" + facts.virtualBytes() + " bytes)");
        line("disk size: ", SizeText.of(facts.allocatedBytes()));
        if (header != null) {
            header(facts, header);
        }
        if (!compat7) {
            line("Child node '/file':", "");
            line("    filename: ", facts.fileName());
            line("    protocol type: ", facts.protocol());
            line("    file length: ", SizeText.of(facts.fileBytes()) + " (" + facts.fileBytes() + " bytes)");
            line("    disk size: ", SizeText.of(facts.allocatedBytes()));
        }
    }

    private void header(ImageFacts facts, Header header) {
        if (header.cryptMethod() != Header.CRYPT_NONE) {
            line("encrypted: yes", "");
        }
        line("cluster_size: ", Long.toString(1L << header.clusterBits()));
        if (header.isDirty()) {
            line("cleanly shut down: no", "");
        }
        String backing = header.backingFile();
        if (backing != null) {
            String full = facts.fullBackingFile();
            line("backing file: ", backing.equals(full) ? backing : backing + " (actual path: " + full + ")");
            String format = header.backingFormat();
            if (format != null) {
                line("backing file format: ", format);
            }
        }
        if (!facts.snapshots().isEmpty()) {
            SnapshotText.append(text, facts.snapshots(), compat7);
        }
        specific(header, facts);
    }

    private void specific(Header header, ImageFacts facts) {
        boolean v3 = header.version() >= 3;
        line("Format specific information:", "");
        line("    compat: ", v3 ? "1.1" : "0.10");
        line("    compression type: ", header.compressionType().label());
        if (v3) {
            line("    lazy refcounts: ", Boolean.toString(header.lazyRefcounts()));
            if (!facts.bitmaps().isEmpty()) {
                bitmaps(facts.bitmaps());
            }
        }
        line("    refcount bits: ", Integer.toString(1 << header.refcountOrder()));
        boolean elsewhere = v3 && header.hasExternalDataFile();
        String dataFile = elsewhere ? header.dataFile() : null;
        if (dataFile != null) {
            line("    data file: ", dataFile);
        }
        if (header.cryptMethod() != Header.CRYPT_NONE) {
            EncryptionText.append(text, facts.luks(), compat7);
        }
        if (elsewhere) {
            line("    data file raw: ", Boolean.toString(header.dataFileRaw()));
        }
        if (v3) {
            line("    corrupt: ", Boolean.toString(header.isCorrupt()));
            line("    extended l2: ", Boolean.toString(header.hasExtendedL2()));
        }
    }

    private void bitmaps(List<BitmapEntry> bitmaps) {
        line("    bitmaps:", "");
        for (int i = 0; i < bitmaps.size(); i++) {
            BitmapEntry bitmap = bitmaps.get(i);
            text.append("        [").append(i).append("]:\n");
            line("            flags:", "");
            int flags = 0;
            if (bitmap.inUse()) {
                text.append("                [").append(flags++).append("]: in-use\n");
            }
            if (bitmap.auto()) {
                text.append("                [").append(flags).append("]: auto\n");
            }
            line("            name: ", bitmap.name());
            line("            granularity: ", Long.toString(1L << bitmap.granularityBits()));
        }
    }

    private void line(String label, String value) {
        text.append(label).append(value).append('\n');
    }
}
