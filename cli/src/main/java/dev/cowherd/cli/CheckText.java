package dev.cowherd.cli;

import dev.cowherd.check.CheckReport;
import java.math.BigDecimal;
import java.math.RoundingMode;

/** The report of a check as qemu-img prints it. */
final class CheckText {
    private CheckText() {}

    /** What a repair did, before the image is checked once more. */
    static String repaired(CheckReport repair) {
        return "The following inconsistencies were found and repaired:\n\n    " + repair.leaksFixed()
                + " leaked clusters\n    " + repair.corruptionsFixed()
                + " corruptions\n\nDouble checking the fixed image now...\n";
    }

    static String human(CheckReport report) {
        StringBuilder text = new StringBuilder();
        if (report.isClean()) {
            text.append("No errors were found on the image.\n");
        }
        if (report.corruptions() > 0) {
            text.append('\n')
                    .append(report.corruptions())
                    .append(
                            " errors were found on the image.\nData may be corrupted, or further writes to the image may"
                                    + " corrupt it.\n");
        }
        if (report.leaks() > 0) {
            text.append('\n')
                    .append(report.leaks())
                    .append(" leaked clusters were found on the image.\nThis means waste of disk space, but no harm to"
                            + " data.\n");
        }
        if (report.checkErrors() > 0) {
            text.append('\n').append(report.checkErrors()).append(" internal errors have occurred during the check.\n");
        }
        long allocated = report.allocatedClusters();
        if (report.totalClusters() != 0 && allocated != 0) {
            text.append(allocated)
                    .append('/')
                    .append(report.totalClusters())
                    .append(" = ")
                    .append(share(allocated, report.totalClusters()))
                    .append("% allocated, ")
                    .append(share(report.fragmentedClusters(), allocated))
                    .append("% fragmented, ")
                    .append(share(report.compressedClusters(), allocated))
                    .append("% compressed clusters\n");
        }
        return text.append("Image end offset: ")
                .append(report.imageEndOffset())
                .append('\n')
                .toString();
    }

    /** Keys in the order of QEMU 10; those that are 0 are left out, but for {@code check-errors}. */
    static String json(CheckReport report, String file) {
        JsonWriter json = new JsonWriter().beginObject();
        unlessZero(json, "image-end-offset", report.imageEndOffset());
        unlessZero(json, "compressed-clusters", report.compressedClusters());
        unlessZero(json, "total-clusters", report.totalClusters());
        unlessZero(json, "corruptions", report.corruptions());
        unlessZero(json, "corruptions-fixed", report.corruptionsFixed());
        json.member("check-errors", report.checkErrors());
        unlessZero(json, "leaks", report.leaks());
        unlessZero(json, "leaks-fixed", report.leaksFixed());
        unlessZero(json, "allocated-clusters", report.allocatedClusters());
        json.member("filename", file).member("format", "qcow2");
        unlessZero(json, "fragmented-clusters", report.fragmentedClusters());
        return json.endObject().toString();
    }

    private static void unlessZero(JsonWriter json, String key, long value) {
        if (value != 0) {
            json.member(key, value);
        }
    }

    private static String share(long part, long whole) {
        return hundredths(part * 100.0 / whole);
    }

    /** Two decimals as C's printf rounds them: by the exact value of the binary fraction. */
    static String hundredths(double value) {
        return new BigDecimal(value).setScale(2, RoundingMode.HALF_EVEN).toPlainString();
    }
}
