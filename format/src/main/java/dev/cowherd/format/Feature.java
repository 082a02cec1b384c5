package dev.cowherd.format;

/** The feature bits that this engine knows, in the three words of a version 3 header. */
public enum Feature {
    /** Refcounts may be out of date: the image was not closed since lazy refcounts were used. */
    DIRTY(Kind.INCOMPATIBLE, 0, "dirty bit"),
    /** Some structure is known to be broken; the image may only be read, or repaired. */
    CORRUPT(Kind.INCOMPATIBLE, 1, "corrupt bit"),
    /** Guest clusters live in another file. */
    EXTERNAL_DATA_FILE(Kind.INCOMPATIBLE, 2, "external data file"),
    /** Compressed clusters use the type that header byte 104 names, and it is not deflate. */
    COMPRESSION_TYPE(Kind.INCOMPATIBLE, 3, "compression type"),
    /** L2 entries are two words, the second with 32 subclusters. */
    EXTENDED_L2(Kind.INCOMPATIBLE, 4, "extended L2 entries"),
    /** A writer may postpone refcount updates if it sets {@link #DIRTY} first. */
    LAZY_REFCOUNTS(Kind.COMPATIBLE, 0, "lazy refcounts"),
    /** The bitmaps extension agrees with the image. */
    BITMAPS(Kind.AUTOCLEAR, 0, "bitmaps"),
    /** The external data file alone is a valid raw image. */
    RAW_EXTERNAL_DATA(Kind.AUTOCLEAR, 1, "raw external data");

    /** Which word of the header a bit belongs to. */
    public enum Kind {
        /** Header bytes 72 to 79: an unknown bit means that the image cannot be opened. */
        INCOMPATIBLE(0),
        /** Header bytes 80 to 87: an unknown bit can be ignored. */
        COMPATIBLE(1),
        /** Header bytes 88 to 95: an unknown bit must be cleared before the image is written. */
        AUTOCLEAR(2);

        private final int code;

        Kind(int code) {
            this.code = code;
        }

        /**
         * The kind's number in the feature name table.
         *
         * @return 0 to 2
         */
        public int code() {
            return code;
        }
    }

    private final Kind kind;
    private final int bit;
    private final String label;

    Feature(Kind kind, int bit, String label) {
        this.kind = kind;
        this.bit = bit;
        this.label = label;
    }

    /**
     * The word the bit belongs to.
     *
     * @return the kind
     */
    public Kind kind() {
        return kind;
    }

    /**
     * The bit's place.
     *
     * @return 0 to 63, 0 is the lowest
     */
    public int bit() {
        return bit;
    }

    /**
     * The name that QEMU writes into the feature name table.
     *
     * @return the name
     */
    public String label() {
        return label;
    }

    /**
     * The word with only this bit set.
     *
     * @return the mask
     */
    public long mask() {
        return 1L << bit;
    }

    /** All known bits of one word. */
    static long knownMask(Kind kind) {
        long mask = 0;
        for (Feature feature : values()) {
            if (feature.kind == kind) {
                mask |= feature.mask();
            }
        }
        return mask;
    }
}
