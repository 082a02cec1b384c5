package dev.cowherd.nbd;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * One request under way, and its memory: a read's bytes land where they are sent from, right behind the room for their header; a
 * payload is received where it is written from. Used by one thread.
 */
final class Slot {
    /** Before the payload, so that it begins on a page's boundary, and after it, for the headers of further chunks. */
    private static final int MARGIN_BYTES = 4096;

    /** What follows when the disk is done. */
    enum Then {
        /** The answer to a plain read is completed. */
        READ,
        /** A change has its success or error to be told. */
        CHANGE,
        /** The task has answered. */
        ANSWERED,
        /** The next piece of a long write is received. */
        PIECE
    }

    /** Its number among the connection's slots, and its request's token. */
    final int number;

    final int payloadBytes;
    final Outbound out;
    final Replies replies;
    private final MemorySegment memory;
    private @Nullable MemorySegment part;
    private MemorySegment lastPayload = MemorySegment.NULL;

    long cookie;
    long offset;
    int length;
    boolean durable;
    Then then = Then.ANSWERED;
    int error;
    String what = "";
    /** While only part of the answer has been handed to be sent: what lets the request go on. */
    @Nullable
    Runnable partSent;

    Slot(int number, MemorySegment memory, boolean structured, Sender sender) {
        this.number = number;
        this.memory = memory;
        this.payloadBytes = (int) memory.byteSize() - 2 * MARGIN_BYTES;
        int header = structured ? StructuredReplies.DATA_HEADER_BYTES : Protocol.SIMPLE_REPLY_BYTES;
        this.out = new Outbound(bytes -> sendPart(sender, bytes), memory, MARGIN_BYTES - header);
        this.replies = Replies.of(out, structured);
    }

    static long memoryBytes(int payloadBytes) {
        return payloadBytes + 2L * MARGIN_BYTES;
    }

    private void sendPart(Sender sender, ByteBuffer bytes) throws IOException {
        part = memory.asSlice(bytes.position(), bytes.remaining());
        sender.sendPart(this);
    }

    /** What the client gets next of the answer. */
    MemorySegment toSend() {
        MemorySegment now = part == null ? out.pending() : part;
        part = null;
        return now;
    }

    void begin(long newCookie, long newOffset, int newLength, Then next) {
        cookie = newCookie;
        offset = newOffset;
        length = newLength;
        then = next;
        durable = false;
        error = 0;
        part = null;
        out.reset();
    }

    /** The first bytes of the payload's room. */
    MemorySegment payload(int bytes) {
        if (lastPayload.byteSize() != bytes) {
            lastPayload = memory.asSlice(MARGIN_BYTES, bytes);
        }
        return lastPayload;
    }
}
