package dev.cowherd.testkit;

import java.nio.file.Path;
import java.util.function.Supplier;

/**
 * One image that somebody bent, and what must come of it.
 *
 * @param row its number in the list of hostile images, by what it attacks: 1 to 17 header and extensions, 18 to 24
 *     tables, 25 to 34 entries
 * @param what the damage, in words
 * @param fate what a reader of the whole disk owes
 * @param value the offending value that the error names in hexadecimal or decimal, or -1 if no number is at fault
 * @param image the damaged image
 */
public record HostileImage(int row, String what, Fate fate, long value, Supplier<HandMadeImage> image) {
    /** What a reader of the whole disk owes. */
    public enum Fate {
        /** A typed error, at opening or at reading. */
        REFUSED,
        /** The guest's bytes: the damage is not the reader's business, only that of a check. */
        READ,
        /** A typed error or some bytes, but no hang and no other exception. */
        EITHER
    }

    static HostileImage refused(int row, String what, long value, Supplier<HandMadeImage> image) {
        return new HostileImage(row, what, Fate.REFUSED, value, image);
    }

    static HostileImage refused(int row, String what, Supplier<HandMadeImage> image) {
        return new HostileImage(row, what, Fate.REFUSED, -1, image);
    }

    static HostileImage read(int row, String what, Supplier<HandMadeImage> image) {
        return new HostileImage(row, what, Fate.READ, -1, image);
    }

    static HostileImage either(int row, String what, Supplier<HandMadeImage> image) {
        return new HostileImage(row, what, Fate.EITHER, -1, image);
    }

    /**
     * Writes the image.
     *
     * @param folder where
     * @return its file
     */
    public Path writeTo(Path folder) {
        return image.get().writeTo(folder.resolve("hostile-" + row + ".qcow2"));
    }

    @Override
    public String toString() {
        return "row " + row + ": " + what;
    }
}
