package dev.cowherd.image;

/** What to do with written data that is all zeros; the names are QEMU's. */
public enum DetectZeroes {
    /** Write it as it is, without a look. */
    OFF,
    /** Turn it into a request for zeros that keeps allocated space. */
    ON,
    /** Turn it into a request for zeros that may give space back. */
    UNMAP
}
