package dev.cowherd.cli;

/** Byte counts as QEMU prints them for people. */
final class SizeText {
    private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    private SizeText() {}

    /**
     * Three significant digits and a binary unit, such as {@code 1.5 GiB}; the next unit begins at 1000. Between 999.5 and
     * 1000 of a unit QEMU prints {@code 1e+03}, and so does this.
     *
     * @param bytes 0 or more
     */
    static String of(long bytes) {
        int unit = 0;
        while (unit < UNITS.length - 1 && (bytes >>> (10 * unit)) >= 1000) {
            unit++;
        }
        long divisor = 1L << (10 * unit);
        long whole = bytes / divisor;
        long rest = bytes % divisor;
        int decimals = whole >= 100 ? 0 : whole >= 10 ? 1 : 2;
        if (whole == 0) {
            decimals = 3; // 1000 to 1023 of the smaller unit: 0.977 to 0.999
        }
        long scaled = whole;
        for (int i = 0; i < decimals; i++) {
            long tenfold = rest * 10;
            scaled = scaled * 10 + Long.divideUnsigned(tenfold, divisor);
            rest = Long.remainderUnsigned(tenfold, divisor);
        }
        int half = Long.compareUnsigned(rest * 2, divisor);
        if (half > 0 || (half == 0 && (scaled & 1) == 1)) {
            scaled++;
        }
        return digits(scaled, decimals) + " " + UNITS[unit];
    }

    private static String digits(long scaled, int decimals) {
        if (decimals == 0 && scaled >= 1000) {
            return "1e+03";
        }
        String text = Long.toString(scaled);
        if (decimals == 0) {
            return text;
        }
        while (text.length() <= decimals) {
            text = "0".concat(text);
        }
        int point = text.length() - decimals;
        int end = text.length();
        while (end > point && text.charAt(end - 1) == '0') {
            end--;
        }
        String whole = text.substring(0, point);
        return end == point ? whole : whole + "." + text.substring(point, end);
    }
}
