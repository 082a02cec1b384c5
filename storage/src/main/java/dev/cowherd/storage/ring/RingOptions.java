package dev.cowherd.storage.ring;

/**
 * How large a ring is. Immutable.
 *
 * @param entries requests that fit between two calls of the kernel: a power of two, 1 to 32768. More may be prepared: then the
 *     ring submits in between.
 * @param completions completions that fit before they are taken: a power of two above {@code entries}, at most 65536.
 *     More may be on the way: then the kernel keeps them until there is room.
 * @param files slots for registered files, 0 to 32768
 * @param buffers slots for registered buffers, 0 to 16384
 */
public record RingOptions(int entries, int completions, int files, int buffers) {
    private static final int MOST_ENTRIES = 32_768;
    private static final int MOST_COMPLETIONS = 65_536;
    private static final int MOST_FILES = 32_768;
    private static final int MOST_BUFFERS = 16_384;
    private static final int COMPLETIONS_PER_ENTRY = 4;
    private static final int USUAL_FILES = 64;
    private static final int USUAL_BUFFERS = 16;

    /** Checks the ranges. */
    public RingOptions {
        requirePower("entries", entries, 1, MOST_ENTRIES);
        requirePower("completions", completions, entries + 1, MOST_COMPLETIONS);
        requireRange("files", files, 0, MOST_FILES);
        requireRange("buffers", buffers, 0, MOST_BUFFERS);
    }

    /**
     * A ring for so many requests at a time, with room for four times as many completions, 64 files and 16 buffers.
     *
     * @param entries requests that fit between two calls of the kernel: a power of two, 1 to 16384
     * @return the options
     */
    public static RingOptions ofEntries(int entries) {
        requirePower("entries", entries, 1, MOST_COMPLETIONS / COMPLETIONS_PER_ENTRY);
        return new RingOptions(entries, entries * COMPLETIONS_PER_ENTRY, USUAL_FILES, USUAL_BUFFERS);
    }

    private static void requirePower(String name, int value, int least, int most) {
        requireRange(name, value, least, most);
        if (Integer.bitCount(value) != 1) {
            throw new IllegalArgumentException(name + " of a ring is a power of two, not " + value);
        }
    }

    private static void requireRange(String name, int value, int least, int most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException(
                    name + " of a ring is between " + least + " and " + most + ", not " + value);
        }
    }
}
