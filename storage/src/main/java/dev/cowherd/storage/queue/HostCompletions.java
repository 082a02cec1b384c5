package dev.cowherd.storage.queue;

import java.io.IOException;

/** Takes the completions of a {@link HostQueue}, one call each, on its thread. It may submit further operations. */
public interface HostCompletions {
    /**
     * An operation has succeeded.
     *
     * @param token what the caller gave with it
     * @param bytes of a read: what was read, less than asked only where the file ends; of a write all of it; else 0
     */
    void completed(long token, long bytes);

    /**
     * An operation has failed. Of a write, any part may have been written; what a read has filled in is undefined.
     *
     * @param token what the caller gave with it
     * @param failure with the host's errno, as {@link dev.cowherd.storage.StorageException}, where it came from the host
     */
    void failed(long token, IOException failure);
}
