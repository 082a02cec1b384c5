package dev.cowherd.image;

import dev.cowherd.format.CompressionType;
import dev.cowherd.format.Geometry;
import dev.cowherd.format.Limits;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * What a new QCOW2 image is to be: a value that was judged when it was made, with QEMU's rules, so that nothing is written for
 * options that cannot work together. Thread-safe.
 *
 * @param sizeBytes size of the disk in bytes, a multiple of 512
 * @param version 2 ({@code compat=0.10}) or 3 ({@code compat=1.1})
 * @param clusterBits log2 of the cluster size, 9 to 21
 * @param refcountOrder log2 of the refcount width in bits, 0 to 6; 4 of version 2
 * @param extendedL2 whether clusters have subclusters; version 3 and clusters of 16 KiB or more
 * @param compressionType how compressed clusters will be coded; version 2 has only {@link CompressionType#ZLIB}
 * @param lazyRefcounts whether refcount updates may be postponed; version 3 only
 * @param backingFile the backing file's name as it is to be stored, or null for none
 * @param backingFormat the backing file's format as it is to be stored, or null to store none
 * @param dataFile the external data file's name as it is to be stored, or null for none; version 3 only
 * @param dataFileRaw whether the external data file alone shall be a valid raw image; then the tables map every cluster
 * @param preallocation what is held ready
 */
public record CreateOptions(
        long sizeBytes,
        int version,
        int clusterBits,
        int refcountOrder,
        boolean extendedL2,
        CompressionType compressionType,
        boolean lazyRefcounts,
        @Nullable String backingFile,
        @Nullable String backingFormat,
        @Nullable String dataFile,
        boolean dataFileRaw,
        Preallocation preallocation) {
    private static final int SECTOR_BYTES = 512;
    private static final String NEEDS_V3 =
            " only supported with compatibility level 1.1 and above (use version=v3 or greater)";

    /**
     * Judges the options and completes them: a raw external data file needs its tables, so it is preallocated.
     *
     * @throws IllegalArgumentException if they cannot work, alone or together; the message is one line for people, QEMU's words
     */
    public CreateOptions {
        if (sizeBytes < 0 || sizeBytes % SECTOR_BYTES != 0) {
            throw new IllegalArgumentException("Image size must be a multiple of 512 bytes");
        }
        if (version != 2 && version != 3) {
            throw new IllegalArgumentException("Invalid compatibility level: '" + version + "'");
        }
        requireShape(version, clusterBits, refcountOrder, extendedL2);
        if (backingFile != null && preallocation != Preallocation.OFF && !extendedL2) {
            throw new IllegalArgumentException(
                    "Backing file and preallocation can only be used at the same time if extended_l2 is on");
        }
        if (backingFormat != null && backingFile == null) {
            throw new IllegalArgumentException("Backing format cannot be used without backing file");
        }
        if (version < 3 && lazyRefcounts) {
            throw new IllegalArgumentException("Lazy refcounts" + NEEDS_V3);
        }
        requireDataFile(version, dataFile, dataFileRaw, backingFile);
        if (version < 3 && compressionType != CompressionType.ZLIB) {
            throw new IllegalArgumentException("Non-zlib compression type is" + NEEDS_V3);
        }
        requireNames(backingFile, backingFormat, dataFile);
        if (dataFileRaw && preallocation == Preallocation.OFF) {
            preallocation = Preallocation.METADATA;
        }
        Geometry geometry = new Geometry(clusterBits, extendedL2, refcountOrder);
        if (geometry.l1EntriesFor(sizeBytes) > Limits.MAX_L1_BYTES / Long.BYTES) {
            throw new IllegalArgumentException(
                    "The image size is too large for file format 'qcow2' (try using a larger cluster size)");
        }
    }

    private static void requireShape(int version, int clusterBits, int refcountOrder, boolean extendedL2) {
        if (extendedL2 && version < 3) {
            throw new IllegalArgumentException("Extended L2 entries are" + NEEDS_V3);
        }
        if (clusterBits < Limits.MIN_CLUSTER_BITS || clusterBits > Limits.MAX_CLUSTER_BITS) {
            throw new IllegalArgumentException("Cluster size must be a power of two between 512 and 2048k");
        }
        if (extendedL2 && clusterBits < Limits.MIN_CLUSTER_BITS_EXTENDED_L2) {
            throw new IllegalArgumentException(
                    "Extended L2 entries are only supported with cluster sizes of at least 16384 bytes");
        }
        if (refcountOrder < 0 || refcountOrder > Limits.MAX_REFCOUNT_ORDER) {
            throw new IllegalArgumentException("Refcount width must be a power of two and may not exceed 64 bits");
        }
        if (version < 3 && refcountOrder != 4) {
            throw new IllegalArgumentException(
                    "Different refcount widths than 16 bits require compatibility level 1.1 or"
                            + " above (use version=v3 or greater)");
        }
    }

    private static void requireDataFile(
            int version, @Nullable String dataFile, boolean dataFileRaw, @Nullable String backingFile) {
        if (dataFileRaw && dataFile == null) {
            throw new IllegalArgumentException("data-file-raw requires data-file");
        }
        if (dataFileRaw && backingFile != null) {
            throw new IllegalArgumentException("Backing file and data-file-raw cannot be used at the same time");
        }
        if (dataFile != null && version < 3) {
            throw new IllegalArgumentException("External data files are" + NEEDS_V3);
        }
    }

    /** What {@code format} would refuse to read back. */
    private static void requireNames(
            @Nullable String backingFile, @Nullable String backingFormat, @Nullable String dataFile) {
        requireName("Backing file name", backingFile, Limits.MAX_BACKING_FILE_BYTES);
        requireName("Backing format", backingFormat, Limits.MAX_BACKING_FORMAT_BYTES);
        requireName("Data file name", dataFile, Limits.MAX_DATA_FILE_BYTES);
    }

    private static void requireName(String what, @Nullable String name, int most) {
        if (name == null) {
            return;
        }
        if (name.isEmpty() || name.indexOf('\0') >= 0) {
            throw new IllegalArgumentException(what + " must not be empty or hold a NUL");
        }
        if (name.getBytes(StandardCharsets.UTF_8).length > most) {
            throw new IllegalArgumentException(what + " is longer than " + most + " bytes");
        }
    }

    /**
     * The options that QEMU takes for a disk of a size when nothing else is said: version 3, clusters of 64 KiB, refcounts of
     * 16 bits.
     *
     * @param sizeBytes size of the disk in bytes, a multiple of 512
     * @return a builder to change them with
     */
    public static Builder ofSize(long sizeBytes) {
        return new Builder(sizeBytes);
    }

    Geometry geometry() {
        return new Geometry(clusterBits, extendedL2, refcountOrder);
    }

    /** Collects options; {@link #build()} judges them all. Not thread-safe. */
    public static final class Builder {
        private final long sizeBytes;
        private int version = 3;
        private int clusterBits = 16;
        private int refcountOrder = 4;
        private boolean extendedL2;
        private CompressionType compressionType = CompressionType.ZLIB;
        private boolean lazyRefcounts;
        private @Nullable String backingFile;
        private @Nullable String backingFormat;
        private @Nullable String dataFile;
        private boolean dataFileRaw;
        private Preallocation preallocation = Preallocation.OFF;

        private Builder(long sizeBytes) {
            this.sizeBytes = sizeBytes;
        }

        /**
         * Sets {@link CreateOptions#version()}.
         *
         * @param value 2 or 3
         * @return this
         */
        public Builder version(int value) {
            version = value;
            return this;
        }

        /**
         * Sets {@link CreateOptions#clusterBits()}.
         *
         * @param value log2 of the cluster size in bytes
         * @return this
         */
        public Builder clusterBits(int value) {
            clusterBits = value;
            return this;
        }

        /**
         * Sets {@link CreateOptions#refcountOrder()}.
         *
         * @param value log2 of the refcount width in bits
         * @return this
         */
        public Builder refcountOrder(int value) {
            refcountOrder = value;
            return this;
        }

        /**
         * Sets {@link CreateOptions#extendedL2()}.
         *
         * @param value whether clusters have subclusters
         * @return this
         */
        public Builder extendedL2(boolean value) {
            extendedL2 = value;
            return this;
        }

        /**
         * Sets {@link CreateOptions#compressionType()}.
         *
         * @param value how compressed clusters will be coded
         * @return this
         */
        public Builder compressionType(CompressionType value) {
            compressionType = value;
            return this;
        }

        /**
         * Sets {@link CreateOptions#lazyRefcounts()}.
         *
         * @param value whether refcount updates may be postponed
         * @return this
         */
        public Builder lazyRefcounts(boolean value) {
            lazyRefcounts = value;
            return this;
        }

        /**
         * Sets {@link CreateOptions#backingFile()} and {@link CreateOptions#backingFormat()}.
         *
         * @param name the name to store, or null for none
         * @param format the format to store, or null for none
         * @return this
         */
        public Builder backing(@Nullable String name, @Nullable String format) {
            backingFile = name;
            backingFormat = format;
            return this;
        }

        /**
         * Sets {@link CreateOptions#dataFile()} and {@link CreateOptions#dataFileRaw()}.
         *
         * @param name the name to store, or null for none
         * @param raw whether it alone shall be a valid raw image
         * @return this
         */
        public Builder dataFile(@Nullable String name, boolean raw) {
            dataFile = name;
            dataFileRaw = raw;
            return this;
        }

        /**
         * Sets {@link CreateOptions#preallocation()}.
         *
         * @param value what is held ready
         * @return this
         */
        public Builder preallocation(Preallocation value) {
            preallocation = value;
            return this;
        }

        /**
         * Judges the options.
         *
         * @return them
         * @throws IllegalArgumentException if they cannot work, alone or together; the message is one line for people
         */
        public CreateOptions build() {
            return new CreateOptions(
                    sizeBytes,
                    version,
                    clusterBits,
                    refcountOrder,
                    extendedL2,
                    compressionType,
                    lazyRefcounts,
                    backingFile,
                    backingFormat,
                    dataFile,
                    dataFileRaw,
                    preallocation);
        }
    }
}
