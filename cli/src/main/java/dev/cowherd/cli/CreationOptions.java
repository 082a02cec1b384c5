package dev.cowherd.cli;

import dev.cowherd.format.CompressionType;
import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Preallocation;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What {@code -o}, {@code -b} and {@code -F} say of an image to be made: names and types are judged when they are taken, whether
 * the values can work together when the image is made. As for qemu-img, the line that announces an image stands between the two.
 */
final class CreationOptions {
    /** The options of QCOW2 in the order in which they are announced. */
    private static final String[] QCOW2_NAMES = {
        "cluster_size",
        "extended_l2",
        "preallocation",
        "compression_type",
        "size",
        "compat",
        "backing_file",
        "backing_fmt",
        "data_file",
        "data_file_raw",
        "lazy_refcounts",
        "refcount_bits",
    };

    private static final String[] RAW_NAMES = {"size", "preallocation"};

    private static final long SECTOR_BYTES = 512;

    private final String fileName;
    private final boolean raw;
    /** What messages begin with. */
    private String context;

    private final Map<String, String> values = new HashMap<>();

    private CreationOptions(String fileName, boolean raw, String context) {
        this.fileName = fileName;
        this.raw = raw;
        this.context = context;
    }

    /**
     * Takes options of one format.
     *
     * @param fileName the image to be made, as it is announced
     * @param context what messages begin with
     * @param format {@code qcow2} or {@code raw}
     * @param given names and values
     * @throws CommandException if the format or a name is unknown, or a value is of the wrong kind
     */
    static CreationOptions of(String fileName, String context, String format, Map<String, String> given)
            throws CommandException {
        if (!format.equals("raw") && !format.equals("qcow2")) {
            throw new CommandException(context + "Unknown file format '" + format + "'");
        }
        CreationOptions options = new CreationOptions(fileName, format.equals("raw"), context);
        if (!options.raw) {
            options.values.put("cluster_size", "65536");
            options.values.put("extended_l2", "off");
            options.values.put("compression_type", "zlib");
            options.values.put("lazy_refcounts", "off");
            options.values.put("refcount_bits", "16");
        }
        for (Map.Entry<String, String> one : given.entrySet()) {
            options.take(one.getKey(), one.getValue());
        }
        return options;
    }

    private void take(String name, String value) throws CommandException {
        if (name.equals("encryption") || name.startsWith("encrypt.")) {
            throw failed("encrypted images are not supported ('" + name + "')");
        }
        if (name.equals("nocow") || name.equals("extent_size_hint")) {
            throw failed("-o " + name + " is not implemented");
        }
        if (name.startsWith("no") && isSwitch(name.substring(2)) && value.equals("on")) {
            take(name.substring(2), "off");
            return;
        }
        boolean known = false;
        for (String one : raw ? RAW_NAMES : QCOW2_NAMES) {
            known |= one.equals(name);
        }
        if (!known) {
            throw failed("Invalid parameter '" + name + "'");
        }
        if (isSwitch(name)) {
            values.put(name, onOff(name, value));
        } else if (name.equals("size") || name.equals("cluster_size")) {
            values.put(name, Long.toString(size(name, value)));
        } else if (name.equals("refcount_bits")) {
            values.put(name, Long.toString(number(name, value)));
        } else {
            values.put(name, value);
        }
    }

    private static boolean isSwitch(String name) {
        return name.equals("extended_l2") || name.equals("lazy_refcounts") || name.equals("data_file_raw");
    }

    private String onOff(String name, String value) throws CommandException {
        return switch (value) {
            case "on", "yes", "true", "y" -> "on";
            case "off", "no", "false", "n" -> "off";
            default -> throw failed("Parameter '" + name + "' expects 'on' or 'off'");
        };
    }

    private long size(String name, String value) throws CommandException {
        try {
            return SizeArgument.parse(name, value);
        } catch (CommandException e) {
            throw new CommandException(
                    context + "Parameter '" + name + "' expects a non-negative number below 2^64\n"
                            + "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n"
                            + "and exabytes, respectively.",
                    e);
        }
    }

    private long number(String name, String value) throws CommandException {
        try {
            return Long.decode(value);
        } catch (NumberFormatException e) {
            throw new CommandException(context + "Parameter '" + name + "' expects a number", e);
        }
    }

    /** What messages begin with from now on. */
    void setContext(String words) {
        context = words;
    }

    /** Takes what {@code -b} says; it goes before what {@code -o} says. */
    void setBacking(@Nullable String file, @Nullable String format) throws CommandException {
        if (file != null) {
            if (raw) {
                throw failed("Backing file not supported for file format 'raw'");
            }
            values.put("backing_file", file);
        }
        if (format != null) {
            if (raw) {
                throw failed("Backing file format not supported for file format 'raw'");
            }
            values.put("backing_fmt", format);
        }
        if ("".equals(backingFile())) {
            throw failed("Expected backing file name, got empty string");
        }
    }

    /** Takes a size that was given otherwise. */
    void setSize(long bytes) {
        values.put("size", Long.toString(bytes));
    }

    @Nullable
    String backingFile() {
        return values.get("backing_file");
    }

    @Nullable
    String backingFormat() {
        return values.get("backing_fmt");
    }

    boolean isRaw() {
        return raw;
    }

    /** The size in bytes, -1 if none was given. */
    long sizeBytes() {
        String size = values.get("size");
        return size == null ? -1 : Long.parseLong(size);
    }

    /** The line that announces the image, without its end. */
    String announcement() {
        StringBuilder line = new StringBuilder("Formatting '");
        line.append(fileName).append("', fmt=").append(raw ? "raw" : "qcow2");
        for (String name : raw ? RAW_NAMES : QCOW2_NAMES) {
            String value = values.get(name);
            if (value != null) {
                line.append(' ').append(name).append('=').append(value.replace(",", ",,"));
            }
        }
        return line.toString();
    }

    /** The size in whole sectors. */
    long wholeSectors() throws CommandException {
        long size = sizeBytes();
        if (size > Long.MAX_VALUE - SECTOR_BYTES) {
            throw failed("The image size is too large for file format '" + (raw ? "raw" : "qcow2") + "'"
                    + (raw ? "" : " (try using a larger cluster size)"));
        }
        return (size + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;
    }

    Preallocation preallocation() throws CommandException {
        String value = values.get("preallocation");
        return switch (value) {
            case null -> Preallocation.OFF;
            case "off" -> Preallocation.OFF;
            case "metadata" -> {
                if (raw) {
                    throw failed("Unsupported preallocation mode: metadata");
                }
                yield Preallocation.METADATA;
            }
            case "falloc" -> Preallocation.FALLOC;
            case "full" -> Preallocation.FULL;
            default ->
                throw failed(
                        raw
                                ? "invalid parameter value: " + value
                                : "Parameter 'preallocation' does not accept value '" + value + "'");
        };
    }

    /**
     * The options of a QCOW2 image, judged together.
     *
     * @throws CommandException if they cannot work
     */
    CreateOptions qcow2() throws CommandException {
        CreateOptions.Builder builder = CreateOptions.ofSize(wholeSectors())
                .version(version())
                .clusterBits(log2("cluster_size"))
                .refcountOrder(log2("refcount_bits"))
                .extendedL2(isOn("extended_l2"))
                .compressionType(compressionType())
                .lazyRefcounts(isOn("lazy_refcounts"))
                .backing(backingFile(), backingFormat())
                .dataFile(values.get("data_file"), isOn("data_file_raw"))
                .preallocation(preallocation());
        try {
            return builder.build();
        } catch (IllegalArgumentException e) {
            throw new CommandException(context + e.getMessage(), e);
        }
    }

    private boolean isOn(String name) {
        return "on".equals(values.get(name));
    }

    private int version() throws CommandException {
        String compat = values.get("compat");
        return switch (compat) {
            case null -> 3;
            case "1.1", "v3" -> 3;
            case "0.10", "v2" -> 2;
            default -> throw failed("Parameter 'version' does not accept value '" + compat + "'");
        };
    }

    private CompressionType compressionType() throws CommandException {
        String type = values.get("compression_type");
        for (CompressionType one : CompressionType.values()) {
            if (one.label().equals(type)) {
                return one;
            }
        }
        throw failed("Parameter 'compression-type' does not accept value '" + type + "'");
    }

    /** log2 of a value that is a power of two; -1, which no rule lets pass, of any other. */
    private int log2(String name) {
        long value = Long.parseLong(String.valueOf(values.get(name)));
        return Long.bitCount(value) == 1 ? Long.numberOfTrailingZeros(value) : -1;
    }

    private CommandException failed(String message) {
        return new CommandException(context + message);
    }

    /** What {@code -o help} prints. */
    static String help(boolean raw) {
        return raw ? """
                Supported raw options:
                  preallocation=<str>    - Space held ready: off, falloc, full
                  size=<size>            - Size of the disk
                """ : """
                Supported qcow2 options:
                  backing_file=<str>     - The image that this one lies over
                  backing_fmt=<str>      - The format of that image
                  cluster_size=<size>    - Cluster size, 512 to 2M
                  compat=<str>           - Version of the format: 0.10 (v2) or 1.1 (v3)
                  compression_type=<str> - How compressed clusters are coded: zlib, zstd
                  data_file=<str>        - The file that holds the guest's data
                  data_file_raw=<bool (on/off)> - That file alone is a raw image of the disk
                  extended_l2=<bool (on/off)> - Clusters have 32 subclusters
                  lazy_refcounts=<bool (on/off)> - Refcounts may be written later
                  preallocation=<str>    - Space held ready: off, metadata, falloc, full
                  refcount_bits=<num>    - Width of a refcount in bits, 1 to 64
                  size=<size>            - Size of the disk
                """;
    }
}
