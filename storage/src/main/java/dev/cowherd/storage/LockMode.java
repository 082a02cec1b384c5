package dev.cowherd.storage;

/**
 * What an open file claims against other users of the same image, on the bytes and with the meaning of QEMU's image
 * locks, so that QEMU and Cowherd exclude each other. Two opens in one process exclude each other as well.
 */
public enum LockMode {
    /** Like a reader such as {@code qemu-img convert}'s source: refuses, and keeps out, anyone who writes or resizes. */
    READ,
    /** Like a writer: refuses, and keeps out, other writers and readers that need the image to stand still. */
    WRITE,
    /** No claim and no check: {@code -U}, {@code --force-share}. */
    NONE
}
