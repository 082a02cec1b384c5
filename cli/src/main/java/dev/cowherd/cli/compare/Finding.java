package dev.cowherd.cli.compare;

/**
 * Why two disks are not the same, or cannot be compared.
 *
 * @param offset where on the disks, in bytes
 * @param kind what it is
 * @param text the line for a person
 */
public record Finding(long offset, Kind kind, String text) {
    /** What ends a comparison, with qemu-img's exit codes. */
    public enum Kind {
        /** The disks differ. */
        DIFFERENCE(1),
        /** The map could not be asked. */
        STATUS_FAILED(3),
        /** Bytes could not be read. */
        READ_FAILED(4);

        private final int exitCode;

        Kind(int exitCode) {
            this.exitCode = exitCode;
        }

        /** The exit code of {@code qemu-img compare}. */
        public int exitCode() {
            return exitCode;
        }
    }

    static Finding contentMismatch(long offset) {
        return new Finding(offset, Kind.DIFFERENCE, "Content mismatch at offset " + offset + "!");
    }

    static Finding statusMismatch(long offset) {
        return new Finding(offset, Kind.DIFFERENCE, "Strict mode: Offset " + offset + " block status mismatch!");
    }
}
