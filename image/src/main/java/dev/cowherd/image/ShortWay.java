package dev.cowherd.image;

import dev.cowherd.storage.Errno;
import dev.cowherd.storage.StorageException;
import dev.cowherd.storage.fiber.PlainTransfers;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * One lane's short way past the fibers: a request that moves the bytes of one run, whose place the tables in memory know, is one transfer on
 * the ring. Whatever is not as simple as that has the long way, on a fiber; also a request that turns out so when its result comes, because
 * it was interrupted or came short: it begins again from its start, which changes nothing, for the same bytes go to the same place.
 *
 * <p>Decides nothing of its own: whether a request may go in, what it sees and what it holds meanwhile is the lane's to say, as on the long way.
 */
final class ShortWay {
    private final DiskQueue lane;
    private final PlainTransfers transfers;
    private final long token;
    private final Place place = new Place();
    private long length;
    private boolean writes;

    /** The token comes back with each transfer. */
    ShortWay(DiskQueue lane, PlainTransfers transfers, long token) {
        this.lane = lane;
        this.transfers = transfers;
        this.token = token;
    }

    /** Begins a request's transfer; false if the request has to go the long way. What is wrong with it, if anything is, shows there. */
    boolean begin(Request request) {
        try {
            return switch (request) {
                case Request.Read read -> beginRead(read.offset(), read.destination());
                case Request.Write write -> beginWrite(write.offset(), write.source());
                case Request.WriteZeroes _, Request.Discard _, Request.Flush _, Request.Work _ -> false;
            };
        } catch (IOException | RuntimeException _) {
            // Whatever it is, the long way meets it again, and reports it.
            return false;
        }
    }

    private boolean beginRead(long offset, MemorySegment destination) throws IOException {
        if (!lane.beginPlainRead(offset, destination, place)) {
            return false;
        }
        boolean begun = false;
        try {
            begun = place.storage().beginRead(transfers, place.offset(), destination, token);
        } finally {
            began(begun, destination, false);
        }
        return begun;
    }

    private boolean beginWrite(long offset, MemorySegment source) throws IOException {
        if (!lane.beginPlainWrite(offset, source, place)) {
            return false;
        }
        boolean begun = false;
        try {
            begun = place.storage().beginWrite(transfers, place.offset(), source, token);
        } finally {
            began(begun, source, true);
        }
        return begun;
    }

    private void began(boolean begun, MemorySegment bytes, boolean write) {
        length = bytes.byteSize();
        writes = write;
        if (!begun) {
            lane.endPlain();
        }
    }

    /**
     * Ends the request with its transfer's result.
     *
     * @return whether it is done; if not, it has to go the long way
     * @throws StorageException if the host failed
     */
    boolean end(int result) throws StorageException {
        if (writes) {
            place.storage().endWrite(place.offset(), length);
        }
        lane.endPlain();
        if (result < 0 && result != -Errno.EINTR.number()) {
            throw StorageException.of(
                    writes ? "pwrite" : "pread", place.storage().name(), place.offset(), -result);
        }
        return result == length;
    }
}
