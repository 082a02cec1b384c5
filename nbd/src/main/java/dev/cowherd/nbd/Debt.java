package dev.cowherd.nbd;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Simple replies that promise durability and wait in the outgoing buffer: one flush of the disk, just before they leave, serves
 * all of them, because it comes after each of their requests. If it fails, they carry its error. Used by one thread.
 */
final class Debt {
    private final DiskRequests disk;
    /** Where in the outgoing buffer each reply starts. */
    private int[] replies = new int[64];

    private int count;

    Debt(DiskRequests disk) {
        this.disk = disk;
    }

    boolean isEmpty() {
        return count == 0;
    }

    /** Takes note of a reply. */
    void add(int position) {
        if (count == replies.length) {
            replies = Arrays.copyOf(replies, count * 2);
        }
        replies[count++] = position;
    }

    /** Makes good on the promises, in the buffer that is about to leave. */
    void settle(ByteBuffer outgoing) {
        if (count == 0) {
            return;
        }
        int error = disk.flush();
        for (int i = 0; error != 0 && i < count; i++) {
            outgoing.putInt(replies[i] + Protocol.SIMPLE_REPLY_ERROR_AT, error);
        }
        count = 0;
    }
}
