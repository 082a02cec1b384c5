package dev.cowherd.image;

/** How a {@link RequestQueue} moves bytes. A {@link DiskQueue} makes system calls on its thread always. */
public enum Engine {
    /** The ring where it can be had, else system calls, with a warning that says why. */
    AUTO,
    /** System calls on the queue's thread: each request is done when {@link RequestQueue#submit} returns. */
    SYNC,
    /** io_uring: requests of one queue wait for the host side by side. Opening a queue fails where it cannot be had. */
    RING
}
